"""Text-to-image: pairs encoded once, U-Nets fine-tuned on them, images generated and compared with real ones."""


# These rules take the runs of pipelines, the classification rules those of all other backbones.
ruleorder: finetune_unet > finetune
ruleorder: fidelity > evaluate


rule encode:
    input:
        images="<prepared>/images.npy",
        manifest="<prepared>/manifest.csv",
        pipeline="<weights>",
        code=[
            "<library>/backbones.py",
            "<library>/diffusion.py",
            "<library>/encode.py",
            "<library>/models.py",
        ],
    output:
        moments="<encoded>/moments.npy",
        texts="<encoded>/texts.npy",
        captions="<encoded>/captions.csv",
        hashes="<encoded>/hashes.json",
    log:
        "<encoded>/encode.log",
    wildcard_constraints:
        backbone=PIPELINES,
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(12000),
        runtime=growing(240),
    params:
        size=STUDY.settings["image_size"],
        device=STUDY.settings["device"],
    script:
        "../scripts/encode.py"


rule finetune_unet:
    input:
        moments="<encoded>/moments.npy",
        texts="<encoded>/texts.npy",
        captions="<encoded>/captions.csv",
        hashes="<encoded>/hashes.json",
        split="<splits>/split.csv",
        subset="<splits>/subset-{seed}.csv",
        pipeline="<weights>",
        code=[
            "<library>/augmentation.py",
            "<library>/backbones.py",
            "<library>/diffusion.py",
            "<library>/finetune_unet.py",
            "<library>/models.py",
            "<library>/pairs.py",
            "<library>/parts.py",
            "<library>/training.py",
        ],
        method=code_of_method,
    output:
        adapter="<run>/adapter.safetensors",
        history="<run>/history.csv",
        record="<run>/record.json",
    log:
        "<run>/finetune_unet.log",
    wildcard_constraints:
        backbone=PIPELINES,
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(24000),
        runtime=growing(1440),
    params:
        recipe=STUDY.unet_recipe,
        learning_rate=lambda wildcards: STUDY.unet_rate(wildcards.method),
        study={key: STUDY.settings[key] for key in ["study", "split"]},
    script:
        "../scripts/finetune_unet.py"


rule generate:
    input:
        moments="<encoded>/moments.npy",
        texts="<encoded>/texts.npy",
        captions="<encoded>/captions.csv",
        split="<splits>/split.csv",
        subset="<splits>/subset-{seed}.csv",
        pipeline="<weights>",
        adapter="<run>/adapter.safetensors",
        record="<run>/record.json",
        code=[
            "<library>/augmentation.py",
            "<library>/backbones.py",
            "<library>/diffusion.py",
            "<library>/generate.py",
            "<library>/models.py",
            "<library>/pairs.py",
            "<library>/parts.py",
            "<library>/training.py",
        ],
        method=code_of_method,
    output:
        images=directory("<run>/images"),
        prompts="<run>/prompts.csv",
    log:
        "<run>/generate.log",
    wildcard_constraints:
        backbone=PIPELINES,
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        images=STUDY.settings["generation"]["images"],
        sampling=STUDY.sampling,
    script:
        "../scripts/generate.py"


rule reference:
    input:
        images="<prepared>/images.npy",
        manifest="<prepared>/manifest.csv",
        split="<splits>/split.csv",
        extractor=EXTRACTOR,
        code=[
            "<library>/augmentation.py",
            "<library>/backbones.py",
            "<library>/extractor.py",
            "<library>/fidelity.py",
            "<library>/models.py",
            "<library>/pairs.py",
            "<library>/parts.py",
            "<library>/reference.py",
            "<library>/training.py",
        ],
    output:
        floor="<reference>/floor.json",
        cache=directory("<reference>/cache"),
    log:
        "<reference>/reference.log",
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(8000),
    params:
        images=STUDY.settings["generation"]["images"],
        size=STUDY.settings["image_size"],
        extractor=STUDY.settings["generation"]["extractor"],
        threads=STUDY.settings["generation"]["threads"],
        device=STUDY.settings["device"],
    script:
        "../scripts/reference.py"


rule fidelity:
    input:
        images="<prepared>/images.npy",
        manifest="<prepared>/manifest.csv",
        split="<splits>/split.csv",
        extractor=EXTRACTOR,
        floor="<reference>/floor.json",
        cache="<reference>/cache",
        generated="<run>/images",
        record="<run>/record.json",
        code=[
            "<library>/augmentation.py",
            "<library>/backbones.py",
            "<library>/extractor.py",
            "<library>/fidelity.py",
            "<library>/models.py",
            "<library>/pairs.py",
            "<library>/parts.py",
            "<library>/training.py",
        ],
    output:
        metrics="<run>/metrics.json",
    log:
        "<run>/fidelity.log",
    wildcard_constraints:
        backbone=PIPELINES,
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(8000),
    params:
        images=STUDY.settings["generation"]["images"],
        size=STUDY.settings["image_size"],
        extractor=STUDY.settings["generation"]["extractor"],
        threads=STUDY.settings["generation"]["threads"],
        device=STUDY.settings["device"],
    script:
        "../scripts/fidelity.py"
