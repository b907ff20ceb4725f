from snakemake.utils import min_version

min_version("9.14")


include: "rules/project.smk"


PROJECT = project(workflow.current_basedir)

# A study given with --configfile replaces the default one instead of being merged into it; --config alone changes that.
if "experiments" not in config and not workflow.overwrite_configfiles:

    configfile: PROJECT / "config.yaml"


# Used with --sdm apptainer only: see Dockerfile.
container: "medpeft.sif"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/weights.smk"
include: "rules/pretrain.smk"
include: "rules/classification.smk"
include: "rules/generation.smk"
include: "rules/results.smk"
include: "rules/kept.smk"
include: "rules/artefacts.smk"


onstart:
    # A limit on the jobs that start in a second makes Snakemake 9.27 look for work again a second after every look, once
    # more for each job that has ended. In ten minutes of the default study that took 141 s of a core, and 4 s without.
    # The profiles set a limit that limits nothing: only then is it removed. A smaller one stays in force.
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and limit.max_jobs >= 10_000:
        workflow.scheduler.job_rate_limiter = None


localrules:
    all,


rule all:
    default_target: True
    input:
        KEPT,
        expand(rules.table.output, table=TABLES),
        expand(rules.figure.output, figure=FIGURES),
        rules.findings.output,
        rules.typeset.output,
