"""Searches, runs and counts: what a network is trained for."""

# With a GPU: the largest published transformer twice, beside the images of the largest archive. A search that outlasts
# its time goes on where it was when Snakemake is started again, and a run does from its last saved epoch.
MEMORY = 32_000 if STUDY.gpus else 8_000
SEARCH_MINUTES = 1440 if STUDY.gpus else 240
RUN_MINUTES = 720 if STUDY.gpus else 240


rule embed:
    input:
        images=prepared("images.npy"),
        weights="<weights>/model.safetensors",
        code=code_of("embed"),
    output:
        "<study>/features/{dataset}/{backbone}.npy",
    log:
        "<study>/features/{dataset}/{backbone}.log",
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["recipe"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(MEMORY),
        runtime=growing(RUN_MINUTES),
    params:
        image_size=STUDY.settings["image_size"],
        threads=STUDY.settings["recipe"]["threads"],
        device=STUDY.settings["device"],
    script:
        "../scripts/embed.py"


rule tune:
    input:
        images=prepared("images.npy"),
        manifest=prepared("manifest.csv"),
        labels=prepared("labels.json"),
        split="<splits>/split.csv",
        subset=f"<splits>/subset-{'{seed}' if PER_SEED else STUDY.settings['tuning']['seed']}.csv",
        weights="<weights>/model.safetensors",
        code=code_of("tune"),
        features=features_of,
    output:
        trials="<tuning>/trials.csv",
        learning_rate="<tuning>/learning_rate.json",
    log:
        "<tuning>/tune.log",
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["recipe"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(MEMORY),
        runtime=growing(SEARCH_MINUTES),
    params:
        search=lambda wildcards: STUDY.tuning(
            wildcards.get("fraction"), wildcards.get("seed")
        ),
        recipe=STUDY.trial_recipe,
        primary=STUDY.primary_entry,
    script:
        "../scripts/tune.py"


rule count:
    input:
        code=code_of(
            "count",
            dataset=STUDY.values("dataset")[:1],
            method=STUDY.values("method"),
        ),
        pipelines=[
            f"data/weights/{backbone}"
            for backbone in STUDY.values("backbone", task="text-to-image")
            if backbone not in UNETS
        ],
    output:
        parameters="<study>/parameters.csv",
    log:
        "<study>/logs/count.log",
    conda:
        "../envs/train.yaml"
    params:
        pairs=list(dict.fromkeys(run[1:3] for run in STUDY.runs())),
        dataset=STUDY.values("dataset")[0],
        image_size=STUDY.settings["image_size"],
        declared=decisive_at(STUDY.values("dataset")[0]),
    script:
        "../scripts/count.py"


rule finetune:
    input:
        images=prepared("images.npy"),
        manifest=prepared("manifest.csv"),
        labels=prepared("labels.json"),
        split="<splits>/split.csv",
        subset="<subset>.csv",
        weights="<weights>/model.safetensors",
        learning_rate="<tuning>/learning_rate.json",
        code=code_of("finetune"),
        features=features_of,
    output:
        adapter="<run>/adapter.safetensors",
        predictions="<run>/predictions.csv",
        validation_predictions="<run>/validation_predictions.csv",
        history="<run>/history.csv",
        record="<run>/record.json",
    log:
        "<run>/finetune.log",
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["recipe"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(MEMORY),
        runtime=growing(RUN_MINUTES),
    params:
        recipe=STUDY.recipe,
        primary=STUDY.primary_entry,
        study=lambda wildcards: {
            "study": STUDY.name,
            "split": STUDY.decisive_split(wildcards.dataset),
            "tuning": STUDY.decisive_tuning,
        },
    script:
        "../scripts/finetune.py"


rule external_set:
    input:
        images=prepared("images.npy"),
        manifest=prepared("manifest.csv"),
        split="<splits>/split.csv",
        other_images=other("images.npy"),
        other_manifest=other("manifest.csv"),
        other_split=other_split_of,
        duplicates=other("duplicates.csv"),
        code=code_of("external_set"),
    output:
        images="<external>/images.csv",
        overlap="<external>/overlap.csv",
    log:
        "<external>/external_set.log",
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=growing(3000),
    params:
        classes=lambda wildcards: STUDY.settings["test_on"][wildcards.dataset][
            wildcards.other
        ],
    script:
        "../scripts/external_set.py"


rule external_predictions:
    input:
        adapter="<run>/adapter.safetensors",
        predictions="<run>/predictions.csv",
        record="<run>/record.json",
        images=other("images.npy"),
        external="<external>/images.csv",
        weights="<weights>/model.safetensors",
        code=code_of("external_predictions"),
        features=other_features_of,
    output:
        predictions="<run>/external/{other}/predictions.csv",
    log:
        "<run>/external/{other}/external_predictions.log",
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["recipe"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(MEMORY),
        runtime=growing(RUN_MINUTES),
    params:
        recipe=STUDY.recipe,
    script:
        "../scripts/external_predictions.py"
