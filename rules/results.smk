"""From the predictions of every run to one table of runs and the statistics over them."""


localrules:
    collect,
    rank,
    floor,
    verify,
    forget_failed,


rule evaluate:
    input:
        predictions="<run>/predictions.csv",
        validation_predictions="<run>/validation_predictions.csv",
        record="<run>/record.json",
        code=code_of("evaluate"),
    output:
        metrics="<run>/metrics.json",
    log:
        "<run>/evaluate.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/evaluate.py"


rule collect:
    input:
        metrics=expand("<study>/runs/{run}/metrics.json", run=RUNS + GENERATIONS),
        records=expand("<study>/runs/{run}/record.json", run=RUNS + GENERATIONS),
        memorisations=expand("<study>/runs/{run}/memorisation.json", run=GENERATIONS),
        code=code_of("collect"),
    output:
        runs="<study>/runs.csv",
    log:
        "<study>/logs/collect.log",
    conda:
        "../envs/results.yaml"
    params:
        experiments={
            experiment: [run.path for run in STUDY.runs(experiment)]
            for experiment in STUDY.experiments
        },
    script:
        "../scripts/collect.py"


rule compare:
    input:
        runs="<study>/runs.csv",
        predictions=expand("<study>/runs/{run}/predictions.csv", run=RUNS),
        code=code_of("compare"),
    output:
        scores="<study>/scores.csv",
        comparisons="<study>/comparisons.csv",
        crossovers="<study>/crossovers.csv",
        contrasts="<study>/contrasts.csv",
    log:
        "<study>/logs/compare.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/compare.py"


rule classwise:
    input:
        runs="<study>/runs.csv",
        predictions=expand("<study>/runs/{run}/predictions.csv", run=RUNS),
        validation_predictions=expand(
            "<study>/runs/{run}/validation_predictions.csv", run=RUNS
        ),
        records=expand("<study>/runs/{run}/record.json", run=RUNS),
        code=code_of("classwise"),
    output:
        scores="<study>/per_class.csv",
        confusions="<study>/confusions.csv",
        curves="<study>/curves.csv",
        reliability="<study>/reliability.csv",
    log:
        "<study>/logs/classwise.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/classwise.py"


rule floor:
    input:
        manifest=prepared("manifest.csv"),
        split="<splits>/split.csv",
        code=code_of("floor"),
    output:
        floor="<study>/floors/{dataset}.csv",
    log:
        "<study>/floors/{dataset}.log",
    conda:
        "../envs/results.yaml"
    params:
        labels=labels_of,
    script:
        "../scripts/floor.py"


rule rank:
    input:
        runs="<study>/runs.csv",
        scores="<study>/scores.csv",
        contrasts="<study>/contrasts.csv",
        code=code_of("rank"),
    output:
        ranks="<study>/ranks.csv",
        friedman="<study>/friedman.csv",
        recommendations="<study>/recommendations.csv",
    log:
        "<study>/logs/rank.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/rank.py"


rule verify:
    input:
        code=code_of("verify"),
    log:
        "<study>/logs/verify.log",
    conda:
        "../envs/train.yaml"
    params:
        snakefile=str(PROJECT / "Snakefile"),
        runs=[run.path for run in STUDY.runs()],
        study=STUDY.name,
    script:
        "../scripts/verify.py"


rule forget_failed:
    input:
        code=code_of("forget_failed"),
    log:
        "<study>/logs/forget_failed.log",
    conda:
        "../envs/results.yaml"
    params:
        study=STUDY.name,
        runs=[run.path for run in STUDY.runs()],
        searches=[search.path for search in STUDY.searches()],
    script:
        "../scripts/forget_failed.py"
