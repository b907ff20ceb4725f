"""Pre-training of the small networks whose weights come with the project: `make pretrain` makes them again."""

PRETRAINED = ["vit_mini_patch8_64.distilled", "vit_mini_patch8_64.mae"]
TEACHER = "data/weights/efficientnet_lite0/model.safetensors"
PRETRAINING = {
    "distilled": {"crops": 400_000, "batch_size": 64, "learning_rate": 1e-3},
    "mae": {"crops": 600_000, "batch_size": 128, "learning_rate": 1e-3},
}
AUTOENCODER = {"steps": 2000, "batch_size": 32, "learning_rate": 1e-3}
UNET = {"steps": 5000, "batch_size": 64, "learning_rate": 6e-4, "ema_decay": 0.998}


rule pretrain:
    input:
        teacher=TEACHER,
        code=code_of("pretrain"),
    output:
        weights="data/pretrained/{backbone}.safetensors",
        facts="data/pretrained/{backbone}.json",
    log:
        "data/pretrained/{backbone}.log",
    conda:
        "../envs/train.yaml"
    threads: 2
    params:
        recipe=lambda wildcards: PRETRAINING[wildcards.backbone.partition(".")[2]]
        | {"seed": 0},
    script:
        "../scripts/pretrain.py"


rule pretrain_diffusion:
    input:
        images="data/prepared/organ_phantom/37px/images.npy",
        manifest="data/prepared/organ_phantom/37px/manifest.csv",
        judge=TEACHER,
        code=code_of("pretrain_diffusion"),
    output:
        model=directory("data/pretrained/latent_diffusion_mini"),
    log:
        "data/pretrained/latent_diffusion_mini.log",
    conda:
        "../envs/train.yaml"
    threads: 2
    params:
        recipe={
            "autoencoder": AUTOENCODER,
            "unet": UNET | {"caption_dropout": 0.1},
            "seed": 0,
        },
    script:
        "../scripts/pretrain_diffusion.py"


rule appraise:
    input:
        images=prepared("images.npy"),
        manifest=prepared("manifest.csv"),
        labels=prepared("labels.json"),
        split=audited("split.csv"),
        subset=audited("subset-0.csv"),
        teacher=TEACHER,
        weights=expand("data/pretrained/{backbone}.safetensors", backbone=PRETRAINED),
        code=code_of("appraise"),
    output:
        "data/pretrained/{dataset}.csv",
    log:
        "data/pretrained/{dataset}.log",
    conda:
        "../envs/train.yaml"
    params:
        size=STUDY.settings["image_size"],
    script:
        "../scripts/appraise.py"


rule pretrained:
    input:
        "data/pretrained/latent_diffusion_mini",
        expand("data/pretrained/{dataset}.csv", dataset=STUDY.values("dataset")),
