"""Count the parameters of every method on every backbone of the study."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, write_table
    from medpeft.data import registry
    from medpeft.networks.count import count
    from medpeft.networks.unets import UNETS

    asked = snakemake.params
    classes = len(registry.load(asked.dataset, asked.declared).counts)
    fetched = {Path(path).name: read_json(Path(path) / "unet" / "config.json") for path in snakemake.input.pipelines}
    write_table(snakemake.output.parameters, count(asked.pairs, classes, asked.image_size, UNETS | fetched))


run(main, snakemake)  # noqa: F821
