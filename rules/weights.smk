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
        content=lambda wildcards: content_of_files(
            mirrored_files(
                f"{wildcards.backbone}.safetensors",
                "weights",
                STUDY.settings["mirror"],
            ),
            Path(f"data/weights/{wildcards.backbone}/source.json"),
        ),
    script:
        "../scripts/weights.py"


rule diffusion_pipeline:
    input:
        kept=lambda wildcards: sorted(
            path
            for path in (PROJECT / "pretrained" / wildcards.backbone).rglob("*")
            if path.is_file()
        ),
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
        content=lambda wildcards: content_of_files(
            mirrored_files(wildcards.backbone, "weights", STUDY.settings["mirror"]),
            Path(f"data/weights/{wildcards.backbone}/source.json"),
        ),
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
