"""Typeset the paper."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.artefacts.typeset import typeset
    from medpeft.base.files import replacing

    source, references = Path(snakemake.input.source), Path(snakemake.input.references)
    results = Path(snakemake.input.findings).parent
    tables, figures = (
        [Path(path).stem for path in paths] for paths in (snakemake.input.tables, snakemake.input.figures)
    )
    with replacing(snakemake.output.paper) as output:
        typeset(source, references, results, tables, figures, output)


run(main, snakemake)  # noqa: F821
