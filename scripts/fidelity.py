"""Score the images that one run generated against real ones."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_json, read_table, write_json, write_table
    from medpeft.generation.features import Extractor
    from medpeft.generation.fidelity import fidelity

    data, settings = snakemake.input, snakemake.params
    extractor = Extractor(settings.extractor, Path(data.extractor), settings.threads, settings.device)
    real, compared = np.load(data.features), read_table(data.compared)
    files, record = read_table(data.files), read_json(data.record)
    metrics, jackknife = fidelity(Path(data.generated), files, real, compared, record, extractor)
    write_table(snakemake.output.jackknife, jackknife)
    write_json(snakemake.output.metrics, metrics | read_json(data.floor))


run(main, snakemake)  # noqa: F821
