localrules:
    weights,


rule weights:
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
