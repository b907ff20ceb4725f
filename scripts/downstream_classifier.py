"""Train a classifier on the images that one run generated, and test it on real ones."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_json, read_table, write_table
    from medpeft.data.pixels import read
    from medpeft.data.subset import members
    from medpeft.generation.downstream_classifier import Labelled, classify
    from medpeft.generation.features import BATCH, features

    data, settings = snakemake.input, snakemake.params
    rows = members(data.manifest, data.split, data.subset, float(snakemake.wildcards.fraction))
    described = np.load(data.features, mmap_mode="r")
    real, test = (
        Labelled(described[part["row"]], part["label"].to_numpy(str))
        for part in (rows[rows["split"] == name] for name in ("train", "test"))
    )
    generated = None
    if read_json(data.record)["status"] == "ok":
        files = read_table(data.files)
        names = list(files["file"])
        batches = (read(Path(data.generated), names[start : start + BATCH]) for start in range(0, len(names), BATCH))
        found = features(batches, settings.extractor, Path(data.extractor), settings.threads, settings.device)
        generated = Labelled(found, files["label"].to_numpy(str))
    write_table(snakemake.output[0], classify(real, generated, test))


run(main, snakemake)  # noqa: F821
