from snakemake.utils import min_version

min_version("9.14")

# A study given with --configfile replaces the default one instead of being merged into it.
if "study" not in config and not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/weights.smk"
include: "rules/pretrain.smk"
include: "rules/classification.smk"
include: "rules/generation.smk"
include: "rules/results.smk"
include: "rules/artefacts.smk"


rule all:
    default_target: True
    input:
        rules.paper.input,
        rules.tables.input,
        rules.figures.input,
        rules.audit.input,
        rules.cards.input,
