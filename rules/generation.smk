"""Text-to-image: images and captions encoded once, U-Nets fine-tuned, images generated and compared with real ones."""


# These rules take the runs of diffusion pipelines, the classification rules those of all other backbones.
ruleorder: finetune_unet > finetune
ruleorder: fidelity > evaluate


rule encode:
    input:
        images="<pictures>/images.npy",
        manifest="<pictures>/manifest.csv",
        described="<described>/captions.csv",
        pipeline="<weights>",
        code=code_of("encode"),
    output:
        moments="<encoded>/moments.npy",
        texts="<encoded>/texts.npy",
        captions="<encoded>/captions.csv",
        lengths="<encoded>/lengths.json",
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
        size=STUDY.generated_size,
        device=STUDY.settings["device"],
    script:
        "../scripts/encode.py"


rule finetune_unet:
    input:
        moments=encoded("moments.npy"),
        texts=encoded("texts.npy"),
        captions=encoded("captions.csv"),
        hashes=encoded("hashes.json"),
        split="<splits>/split.csv",
        subset="<subset>.csv",
        pipeline="<weights>",
        code=code_of("finetune_unet"),
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
        training_pairs=STUDY.settings["generation"]["training_pairs"],
        learning_rate=lambda wildcards: STUDY.unet_learning_rate(wildcards.method),
        study=lambda wildcards: {
            "study": STUDY.name,
            "split": STUDY.decisive_split(wildcards.dataset),
        },
    script:
        "../scripts/finetune_unet.py"


rule generate:
    input:
        moments=encoded("moments.npy"),
        texts=encoded("texts.npy"),
        captions=encoded("captions.csv"),
        split="<splits>/split.csv",
        subset="<subset>.csv",
        pipeline="<weights>",
        adapter="<run>/adapter.safetensors",
        record="<run>/record.json",
        code=code_of("generate"),
    output:
        images=directory("<run>/generated/{split}"),
        files="<run>/generated/{split}.csv",
    log:
        "<run>/generate_{split}.log",
    wildcard_constraints:
        backbone=PIPELINES,
        split="test|train",
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(16000),
        runtime=growing(480),
    params:
        images=lambda wildcards: STUDY.generated(wildcards.split)[0],
        repeats=lambda wildcards: STUDY.generated(wildcards.split)[1],
        sampling=STUDY.sampling,
        training_pairs=STUDY.settings["generation"]["training_pairs"],
    script:
        "../scripts/generate.py"


rule reference:
    input:
        images=pictures("images.npy"),
        manifest=pictures("manifest.csv"),
        split="<splits>/split.csv",
        extractor=EXTRACTOR_WEIGHTS,
        code=code_of("reference"),
    output:
        floor="<reference>/floor.json",
        features="<reference>/test_features.npy",
        compared="<reference>/compared.csv",
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
        size=STUDY.generated_size,
        extractor=EXTRACTOR,
        threads=STUDY.settings["generation"]["threads"],
        device=STUDY.settings["device"],
    script:
        "../scripts/reference.py"


rule fidelity:
    input:
        features="<reference>/test_features.npy",
        compared="<reference>/compared.csv",
        floor="<reference>/floor.json",
        extractor=EXTRACTOR_WEIGHTS,
        generated="<run>/generated/test",
        files="<run>/generated/test.csv",
        record="<run>/record.json",
        code=code_of("fidelity"),
    output:
        metrics="<run>/metrics.json",
        jackknife="<run>/jackknife.csv",
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
        extractor=EXTRACTOR,
        threads=STUDY.settings["generation"]["threads"],
        device=STUDY.settings["device"],
    script:
        "../scripts/fidelity.py"


rule copies:
    input:
        images=pictures("images.npy"),
        manifest=pictures("manifest.csv"),
        split="<splits>/split.csv",
        subset="<subset>.csv",
        generated="<run>/generated/test",
        files="<run>/generated/test.csv",
        record="<run>/record.json",
        code=code_of("copies"),
    output:
        table="<run>/memorisation.csv",
        facts="<run>/memorisation.json",
        picture=report(
            "<run>/memorisation.png",
            caption="../report/copies.rst",
            category="Copies",
        ),
    log:
        "<run>/copies.log",
    wildcard_constraints:
        backbone=PIPELINES,
    conda:
        "../envs/results.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        size=STUDY.generated_size,
        training_pairs=STUDY.settings["generation"]["training_pairs"],
    script:
        "../scripts/copies.py"


rule features:
    input:
        images=pictures("images.npy"),
        extractor=EXTRACTOR_WEIGHTS,
        code=code_of("features"),
    output:
        "<reference>/features.npy",
    log:
        "<reference>/features.log",
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(8000),
    params:
        size=STUDY.generated_size,
        extractor=EXTRACTOR,
        threads=STUDY.settings["generation"]["threads"],
        device=STUDY.settings["device"],
    script:
        "../scripts/features.py"


rule downstream_classifier:
    input:
        features="<reference>/features.npy",
        manifest=pictures("manifest.csv"),
        split="<splits>/split.csv",
        subset="<subset>.csv",
        extractor=EXTRACTOR_WEIGHTS,
        generated="<run>/generated/train",
        files="<run>/generated/train.csv",
        record="<run>/record.json",
        code=code_of("downstream_classifier"),
    output:
        "<run>/downstream.csv",
    log:
        "<run>/downstream_classifier.log",
    wildcard_constraints:
        backbone=PIPELINES,
    conda:
        "../envs/train.yaml"
    threads: STUDY.settings["generation"]["threads"]
    resources:
        gpu=STUDY.gpus,
        mem_mb=growing(16000),
        runtime=growing(240),
    params:
        training_pairs=STUDY.settings["generation"]["training_pairs"],
        extractor=EXTRACTOR,
        threads=STUDY.settings["generation"]["threads"],
        device=STUDY.settings["device"],
    script:
        "../scripts/downstream_classifier.py"
