localrules:
    weights,
    diffusion_pipeline,
    inception,


rule weights:
    input:
        kept=lambda wildcards: [
            path
            for path in [PROJECT / "pretrained" / f"{wildcards.backbone}.safetensors"]
            if path.exists()
        ],
    output:
        weights="<weights>/model.safetensors",
        source="<weights>/source.json",
    log:
        "<weights>/weights.log",
    conda:
        "../envs/train.yaml"
    params:
        checksum=lambda wildcards: STUDY.settings["checksums"].get(
            f"{wildcards.backbone}.safetensors"
        ),
    script:
        "../scripts/weights.py"


rule diffusion_pipeline:
    output:
        directory("<weights>"),
    log:
        "<weights>.log",
    wildcard_constraints:
        backbone=PIPELINES,
    conda:
        "../envs/train.yaml"
    params:
        repository=lambda wildcards: STUDY.pipelines[wildcards.backbone],
    script:
        "../scripts/diffusion_pipeline.py"


rule inception:
    output:
        "data/weights/inception/weights.pth",
    log:
        "data/weights/inception/inception.log",
    conda:
        "../envs/train.yaml"
    script:
        "../scripts/inception.py"
