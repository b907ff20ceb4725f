"""Tables, figures and the paper. An artefact whose experiment the study lacks is not among the targets."""

TABLES = [
    *(name for name in ["table2"] if name in STUDY.experiments),
    *("low_data" for name in ["figure1"] if name in STUDY.experiments),
    *("comparisons" for method in STUDY.values("method") if method == "full"),
    "table6",
    "learning_rates",
    "costs",
]
FIGURES = [
    *(name for name in ["figure1"] if name in STUDY.experiments),
    *("figure3" for name in ["table2"] if name in STUDY.experiments),
    "tuning",
]
SEARCHES = list(dict.fromkeys("/".join(run[:3]) for run in STUDY.runs()))


rule table:
    input:
        runs="<study>/runs.csv",
        scores="<study>/scores.csv",
        comparisons="<study>/comparisons.csv",
        records=expand("<study>/runs/{run}/record.json", run=map("/".join, STUDY.runs())),
        trials=expand("<study>/tuning/{search}/trials.csv", search=SEARCHES),
        choices=expand("<study>/tuning/{search}/learning_rate.json", search=SEARCHES),
        published=collect("paper/reference/{name}.csv", name=["table2", "table6", "figure1"]),
        code=["<library>/markup.py", "<library>/palette.py", "<library>/table.py"],
    output:
        csv="<study>/tables/{table}.csv",
        md="<study>/tables/{table}.md",
        tex="<study>/tables/{table}.tex",
        typ="<study>/tables/{table}.typ",
    log:
        "<study>/logs/table_{table}.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/table.py"
