"""Typeset the paper."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.artefacts.typeset import typeset

    files = snakemake.input
    names = {Path(path).stem for path in (*files.tables, *files.figures)}
    typeset(Path(files.source), Path(files.references), Path(files.findings), names, Path(snakemake.output.paper))


run(main, snakemake)  # noqa: F821
