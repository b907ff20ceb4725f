"""Remove what failed, so that the next call of Snakemake tries it again."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.pipeline.forget_failed import forget_failed

    folder, params = Path("results") / snakemake.params.study, snakemake.params
    runs = forget_failed([folder / "runs" / path for path in params.runs])
    searches = forget_failed([folder / "tuning" / path for path in params.searches])
    print(f"{runs} failed runs and {searches} searches without a result were removed: run the study again to try them")


run(main, snakemake)  # noqa: F821
