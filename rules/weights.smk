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
    script:
        "../scripts/weights.py"
