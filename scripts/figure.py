"""Draw one figure and write the numbers behind it."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.artefacts.figure import figure

    sources = dict(snakemake.input.items())
    if snakemake.params.primary:
        sources["primary"] = snakemake.params.primary
    del sources["code"]
    figure(snakemake.wildcards.figure, sources, titles=snakemake.params.titles, **dict(snakemake.output.items()))


run(main, snakemake)  # noqa: F821
