"""Tables, figures and the paper. An artefact whose experiment or kind of run the study lacks is no target."""


localrules:
    table,
    figure,
    findings,
    typeset,
    paper,
    tables,
    figures,


wildcard_constraints:
    table="|".join(artefacts.tables()),
    figure="|".join(
        name
        for name, figure in artefacts.figures().items()
        if figure.stage == "figure"
    ),


rule table:
    input:
        unpack(sources_of("table")),
        code=code_of("table"),
    output:
        csv="<study>/tables/{table}.csv",
        md="<study>/tables/{table}.md",
        html=report(
            "<study>/tables/{table}.html",
            caption="../report/table.rst",
            category="Tables",
        ),
        tex="<study>/tables/{table}.tex",
        typ="<study>/tables/{table}.typ",
    log:
        "<study>/logs/table_{table}.log",
    conda:
        "../envs/results.yaml"
    params:
        primary=primary_of("table"),
        titles=titles,
    script:
        "../scripts/table.py"


rule figure:
    input:
        unpack(sources_of("figure")),
        code=code_of("figure"),
    output:
        csv="<study>/figures/{figure}.csv",
        pdf="<study>/figures/{figure}.pdf",
        png=report(
            "<study>/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
        ),
    log:
        "<study>/logs/figure_{figure}.log",
    conda:
        "../envs/results.yaml"
    params:
        primary=primary_of("figure"),
        titles=titles,
    script:
        "../scripts/figure.py"


rule samples:
    input:
        **generated_of(SHOWN),
        images=[kept_at(PICTURES, name, "images.npy") for name in SHOWN_DATASETS],
        manifests=[kept_at(PICTURES, name, "manifest.csv") for name in SHOWN_DATASETS],
        code=code_of("samples"),
    output:
        csv="<study>/figures/figure2.csv",
        pdf="<study>/figures/figure2.pdf",
        png=report(
            "<study>/figures/figure2.png",
            caption="../report/samples.rst",
            category="Figures",
        ),
    log:
        "<study>/logs/figure_figure2.log",
    conda:
        "../envs/results.yaml"
    params:
        runs=[list(run) for run in SHOWN],
        datasets=SHOWN_DATASETS,
        size=STUDY.generated_size,
        titles=titles,
    script:
        "../scripts/samples.py"


# What findings tell of beside the scores, as far as the study has it.
DETAILS = [
    *(["confusions"] if "confusion" in FIGURES else []),
    *(["subgroups", "gaps"] if "subgroups" in TABLES else []),
    *(["external", "external_differences"] if "external" in TABLES else []),
]


rule findings:
    input:
        **{name: f"<study>/{name}.csv" for name in DETAILS},
        runs="<study>/runs.csv",
        scores="<study>/scores.csv",
        comparisons="<study>/comparisons.csv",
        crossovers="<study>/crossovers.csv",
        friedman="<study>/friedman.csv",
        recommendations="<study>/recommendations.csv",
        generation_comparisons="<study>/generation_comparisons.csv",
        learning_rates="<study>/tables/learning_rates.csv",
        audits=expand("<study>/audit/{dataset}.csv", dataset=STUDY.values("dataset")),
        claims="<texts>/reference/claims.csv",
        published=expand(
            "<texts>/reference/{table}.csv",
            table=["table2", "table3", "table4", "table5"],
        ),
        records=sources(STUDY, artefacts.tables()["table1"])["records"],
        lengths=lengths_of(STUDY.values("dataset")),
        code=code_of("findings", dataset=STUDY.values("dataset")),
    output:
        findings="<study>/findings.json",
    log:
        "<study>/logs/findings.log",
    conda:
        "../envs/results.yaml"
    params:
        settings={
            name: STUDY.settings[name]
            for name in [
                "study",
                "primary_metric",
                "margin",
                "primary_metric",
                "image_size",
                "image_fit",
                "split",
                "recipe",
                "tuning",
                "generation",
            ]
        },
        declared=DECLARED,
        protocols={name: STUDY.protocol(name) for name in STUDY.values("dataset")},
        details=DETAILS,
    script:
        "../scripts/findings.py"


rule typeset:
    input:
        findings="<study>/findings.json",
        tables=expand(
            "<study>/tables/{table}.typ",
            table=TABLES,
        ),
        figures=expand(
            "<study>/figures/{figure}.pdf",
            figure=FIGURES,
        ),
        references="<texts>/references.yml",
        source="<texts>/paper.typ",
        code=code_of("typeset", table=TABLES, figure=FIGURES),
    output:
        paper=report(
            "<study>/paper.pdf", caption="../report/paper.rst", category="Paper"
        ),
    log:
        "<study>/logs/typeset.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/typeset.py"


rule paper:
    input:
        "<study>/paper.pdf",
        KEPT,


rule tables:
    input:
        expand(
            "<study>/tables/{table}.{form}",
            form=["csv", "md", "tex"],
            table=TABLES,
        ),
        KEPT,


rule figures:
    input:
        expand(
            "<study>/figures/{figure}.{form}",
            form=["csv", "pdf", "png"],
            figure=FIGURES,
        ),
        KEPT,


for name, table in TABLES.items():

    rule:
        name:
            name
        input:
            multiext(f"<study>/tables/{name}", ".csv", ".md", ".tex"),
            needed_by(table),
        localrule: True


for name, figure in FIGURES.items():

    rule:
        name:
            name
        input:
            multiext(f"<study>/figures/{name}", ".csv", ".pdf", ".png"),
            needed_by(figure),
        localrule: True
