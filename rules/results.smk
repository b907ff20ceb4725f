"""From the predictions of every run to one table of runs and the statistics over them."""


localrules:
    collect,
    compare_generated,
    rank,
    floor,
    power,
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
        overall="<study>/overall.csv",
    log:
        "<study>/logs/compare.log",
    conda:
        "../envs/results.yaml"
    params:
        question=STUDY.question,
        labels=STUDY.labels,
    script:
        "../scripts/compare.py"


rule compare_generated:
    input:
        runs="<study>/runs.csv",
        jackknives=expand("<study>/runs/{run}/jackknife.csv", run=GENERATIONS),
        code=code_of("compare_generated"),
    output:
        generation_intervals="<study>/generation_intervals.csv",
        generation_comparisons="<study>/generation_comparisons.csv",
    log:
        "<study>/logs/compare_generated.log",
    conda:
        "../envs/results.yaml"
    script:
        "../scripts/compare_generated.py"


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
        split=audited("split.csv"),
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
        overall="<study>/overall.csv",
        code=code_of("rank"),
    output:
        ranks="<study>/ranks.csv",
        friedman="<study>/friedman.csv",
        recommendations="<study>/recommendations.csv",
    log:
        "<study>/logs/rank.log",
    conda:
        "../envs/results.yaml"
    params:
        primary=STUDY.question["primary"],
    script:
        "../scripts/rank.py"


# The metrics in which subgroups and other datasets are scored.
CHOSEN_METRICS = list(dict.fromkeys([STUDY.settings["primary_metric"], "auroc"]))


rule compare_subgroups:
    input:
        runs="<study>/runs.csv",
        predictions=files_of("predictions.csv", STUDY.settings["subgroups"]),
        validations=files_of("validation_predictions.csv", STUDY.settings["subgroups"]),
        records=files_of("record.json", STUDY.settings["subgroups"]),
        attributes=[
            kept_at(DESCRIBED, name, "attributes.csv")
            for name in STUDY.settings["subgroups"]
        ],
        code=code_of("compare_subgroups"),
    output:
        subgroups="<study>/subgroups.csv",
        gaps="<study>/gaps.csv",
    log:
        "<study>/logs/compare_subgroups.log",
    conda:
        "../envs/results.yaml"
    resources:
        mem_mb=growing(3000),
    params:
        asked=STUDY.settings["subgroups"],
        metrics=CHOSEN_METRICS,
    script:
        "../scripts/compare_subgroups.py"


rule external_validation:
    input:
        runs="<study>/runs.csv",
        predictions=files_of("predictions.csv", STUDY.settings["test_on"]),
        validations=files_of("validation_predictions.csv", STUDY.settings["test_on"]),
        records=files_of("record.json", STUDY.settings["test_on"]),
        external=[
            file
            for name, other in STUDY.external()
            for file in files_of(f"external/{other}/predictions.csv", [name])
        ],
        overlaps=[
            f"<study>/external/{name}/{other}/overlap.csv"
            for name, other in STUDY.external()
        ],
        code=code_of("external_validation"),
    output:
        external="<study>/external.csv",
        differences="<study>/external_differences.csv",
    log:
        "<study>/logs/external_validation.log",
    conda:
        "../envs/results.yaml"
    resources:
        mem_mb=growing(3000),
    params:
        pairs=STUDY.external(),
        metrics=CHOSEN_METRICS,
    script:
        "../scripts/external_validation.py"


rule power:
    input:
        splits=[
            f"{STUDY.splits(name)}/split.csv"
            for name in STUDY.values("dataset", task="classification")
        ],
        code=code_of("power"),
    output:
        power="<study>/power.csv",
    log:
        "<study>/logs/power.log",
    conda:
        "../envs/results.yaml"
    params:
        datasets=STUDY.values("dataset", task="classification"),
        runs=RUNS,
        assumed=STUDY.settings["power"],
        margin=STUDY.settings["margin"],
    script:
        "../scripts/power.py"


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
