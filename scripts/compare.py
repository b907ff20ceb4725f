"""Score every cell of the study and compare every strategy with full fine-tuning."""

from pathlib import Path

from medpeft.compare import compare, crossovers
from medpeft.files import read_table, write_table
from medpeft.stage import run


def main(snakemake):
    predictions = {"/".join(Path(path).parts[-6:-1]): path for path in snakemake.input.predictions}
    scores, comparisons = compare(read_table(snakemake.input.runs), lambda name: read_table(predictions[name]))
    write_table(snakemake.output.scores, scores)
    write_table(snakemake.output.comparisons, comparisons)
    write_table(snakemake.output.crossovers, crossovers(scores))


run(main, snakemake)  # noqa: F821
