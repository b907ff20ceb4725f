"""Tables, figures and the paper. An artefact whose experiment the study lacks is not among the targets."""

EXPERIMENTS_OF = {
    "table2": "table2",
    "low_data": "figure1",
    "figure1": "figure1",
    "figure3": "table2",
}
TABLES = ["table2", "low_data", "comparisons", "table6", "learning_rates", "costs"]
FIGURES = ["figure1", "figure3", "tuning"]
LACKING = {
    artefact
    for artefact, experiment in EXPERIMENTS_OF.items()
    if experiment not in STUDY.experiments
}
if "full" not in STUDY.values("method"):
    LACKING.add("comparisons")
SEARCHES = list(dict.fromkeys("/".join(run[:3]) for run in STUDY.runs()))


wildcard_constraints:
    table="|".join(TABLES),
    figure="|".join(FIGURES),


rule table:
    input:
        runs="<study>/runs.csv",
        scores="<study>/scores.csv",
        comparisons="<study>/comparisons.csv",
        records=expand(
            "<study>/runs/{run}/record.json", run=map("/".join, STUDY.runs())
        ),
        trials=expand("<study>/tuning/{search}/trials.csv", search=SEARCHES),
        choices=expand("<study>/tuning/{search}/learning_rate.json", search=SEARCHES),
        published=expand(
            "paper/reference/{name}.csv", name=["table2", "table6", "figure1"]
        ),
        code=["<library>/markup.py", "<library>/palette.py", "<library>/table.py"],
    output:
        csv="<study>/tables/{table}.csv",
        md=report(
            "<study>/tables/{table}.md",
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
        trials=expand("<study>/tuning/{search}/trials.csv", search=SEARCHES),
        choices=expand("<study>/tuning/{search}/learning_rate.json", search=SEARCHES),
        code=[
            "<library>/figure.py",
            "<library>/markup.py",
            "<library>/palette.py",
            "<library>/table.py",
        ],
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


rule findings:
    input:
        runs="<study>/runs.csv",
        scores="<study>/scores.csv",
        comparisons="<study>/comparisons.csv",
        crossovers="<study>/crossovers.csv",
        learning_rates="<study>/tables/learning_rates.csv",
        audits=expand("<study>/audit/{dataset}.csv", dataset=STUDY.values("dataset")),
        claims="paper/reference/claims.csv",
        code=[
            "<library>/findings.py",
            "<library>/markup.py",
            "<library>/palette.py",
            "<library>/table.py",
            *expand(
                "<library>/datasets/{dataset}.py", dataset=STUDY.values("dataset")
            ),
        ],
    output:
        findings="<study>/findings.json",
    log:
        "<study>/logs/findings.log",
    conda:
        "../envs/results.yaml"
    params:
        settings={
            name: STUDY.settings[name]
            for name in ["study", "image_size", "split", "recipe", "tuning"]
        },
    script:
        "../scripts/findings.py"


rule paper:
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
        references="paper/references.yml",
        source="paper/paper.typ",
        code=["<library>/paper.py"],
    output:
        paper=report(
            "<study>/paper.pdf", caption="../report/paper.rst", category="Paper"
        ),
    log:
        "<study>/logs/paper.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/paper.py"


rule tables:
    input:
        expand(
            "<study>/tables/{table}.csv",
            table=[name for name in TABLES if name not in LACKING],
        ),


rule figures:
    input:
        expand(
            "<study>/figures/{figure}.png",
            figure=[name for name in FIGURES if name not in LACKING],
        ),


rule table2:
    input:
        "<study>/tables/table2.csv",


rule low_data:
    input:
        "<study>/tables/low_data.csv",


rule comparisons:
    input:
        "<study>/tables/comparisons.csv",


rule table6:
    input:
        "<study>/tables/table6.csv",


rule learning_rates:
    input:
        "<study>/tables/learning_rates.csv",


rule costs:
    input:
        "<study>/tables/costs.csv",


rule figure1:
    input:
        "<study>/figures/figure1.png",


rule figure3:
    input:
        "<study>/figures/figure3.png",


rule tuning:
    input:
        "<study>/figures/tuning.png",
