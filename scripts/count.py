"""Count the parameters of every strategy on every backbone of the study."""

from pathlib import Path

from medpeft.stage import run


def main(snakemake):
    from medpeft.count import count
    from medpeft.datasets import registry
    from medpeft.files import read_json, write_table
    from medpeft.unets import UNETS

    asked = snakemake.params
    classes = len(registry.load(asked.dataset, asked.own).counts)
    fetched = {Path(path).name: read_json(Path(path) / "unet" / "config.json") for path in snakemake.input.pipelines}
    write_table(snakemake.output.parameters, count(asked.pairs, classes, asked.image_size, UNETS | fetched))


run(main, snakemake)  # noqa: F821
