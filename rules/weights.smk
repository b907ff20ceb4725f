localrules:
    weights,


rule weights:
    input:
        kept=lambda wildcards: [
            path
            for path in [f"pretrained/{wildcards.backbone}.safetensors"]
            if Path(path).exists()
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
