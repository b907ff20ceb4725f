"""Tables, figures and the paper. An artefact whose experiment or kind of run the study lacks is no target."""

EXPERIMENTS_OF = {
    "table2": {"table2"},
    "table3": {"table3"},
    "table4": {"table4"},
    "table5": {"table5"},
    "low_data": {"figure1"},
    "figure1": {"figure1"},
    "figure2": {"table4"},
    "figure3": {"table2", "table3"},
}
TABLES = [
    "table1",
    "table2",
    "table3",
    "table4",
    "memorisation",
    "downstream",
    "table5",
    "low_data",
    "comparisons",
    "leakage",
    "ranks",
    "recommendations",
    "calibration",
    "table6",
    "learning_rates",
    "costs",
]
FIGURES = ["figure1", "figure2", "figure3", "critical_difference", "pareto", "tuning"]
LACKING = {
    artefact
    for artefact, experiments in EXPERIMENTS_OF.items()
    if experiments.isdisjoint(STUDY.experiments)
}
if "full" not in STUDY.values("method", task="classification"):
    LACKING.add("comparisons")
if not STUDY.settings["split"]["counterpart"]:
    LACKING.add("leakage")
if not STUDY.has_blocks():
    LACKING |= {"ranks", "critical_difference"}
if not GENERATIONS:
    LACKING.add("memorisation")
if not GENERATIONS or not STUDY.settings["generation"]["downstream"]:
    LACKING.add("downstream")
if not RUNS:
    LACKING |= {"leakage", "recommendations", "calibration", "learning_rates"}
    LACKING |= {"pareto", "tuning"}


localrules:
    table,
    figure,
    findings,
    typeset,
    paper,
    tables,
    figures,


wildcard_constraints:
    table="|".join(TABLES),
    figure="|".join(name for name in FIGURES if name != "figure2"),


rule table:
    input:
        unpack(material_of),
        published=expand(
            "<texts>/reference/{name}.csv",
            name=["table2", "table3", "table4", "table5", "table6", "figure1"],
        ),
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
    script:
        "../scripts/table.py"


rule figure:
    input:
        runs="<study>/runs.csv",
        scores="<study>/scores.csv",
        crossovers="<study>/crossovers.csv",
        ranks="<study>/ranks.csv",
        friedman="<study>/friedman.csv",
        trials=expand("<study>/tuning/{search}/trials.csv", search=SEARCHES),
        choices=expand("<study>/tuning/{search}/learning_rate.json", search=SEARCHES),
        published=expand(
            "<texts>/reference/{name}.csv", name=["table2", "table3", "figure1"]
        ),
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
    script:
        "../scripts/figure.py"


rule samples:
    input:
        **generated_of(SHOWN),
        images=expand(f"{PICTURES}/images.npy", dataset=SHOWN_DATASETS),
        manifests=expand(f"{PICTURES}/manifest.csv", dataset=SHOWN_DATASETS),
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
    script:
        "../scripts/samples.py"


rule findings:
    input:
        runs="<study>/runs.csv",
        scores="<study>/scores.csv",
        comparisons="<study>/comparisons.csv",
        crossovers="<study>/crossovers.csv",
        friedman="<study>/friedman.csv",
        recommendations="<study>/recommendations.csv",
        learning_rates="<study>/tables/learning_rates.csv",
        audits=expand("<study>/audit/{dataset}.csv", dataset=STUDY.values("dataset")),
        claims="<texts>/reference/claims.csv",
        code=code_of("findings", datasets=STUDY.values("dataset")),
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
                "image_size",
                "split",
                "recipe",
                "tuning",
                "generation",
            ]
        },
        declared=STUDY.settings["datasets"],
        protocols={name: STUDY.protocol(name) for name in STUDY.values("dataset")},
    script:
        "../scripts/findings.py"


rule typeset:
    input:
        findings="<study>/findings.json",
        tables=expand(
            "<study>/tables/{table}.typ",
            table=[name for name in TABLES if name not in LACKING],
        ),
        figures=expand(
            "<study>/figures/{figure}.pdf",
            figure=[name for name in FIGURES if name not in LACKING],
        ),
        references="<texts>/references.yml",
        source="<texts>/paper.typ",
        code=code_of("typeset"),
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


rule tables:
    input:
        expand(
            "<study>/tables/{table}.{form}",
            form=["csv", "md", "tex"],
            table=[name for name in TABLES if name not in LACKING],
        ),


rule figures:
    input:
        expand(
            "<study>/figures/{figure}.{form}",
            form=["csv", "pdf", "png"],
            figure=[name for name in FIGURES if name not in LACKING],
        ),


for artefact in [name for name in TABLES if name not in LACKING]:

    rule:
        name:
            artefact
        input:
            multiext(f"<study>/tables/{artefact}", ".csv", ".md", ".tex"),
        localrule: True


for artefact in [name for name in FIGURES if name not in LACKING]:

    rule:
        name:
            artefact
        input:
            multiext(f"<study>/figures/{artefact}", ".csv", ".pdf", ".png"),
        localrule: True
