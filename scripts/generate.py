"""Generate images with one fine-tuned U-Net, for captions of the test set or of the run's training images."""

import shutil
from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import pandas as pd

    from medpeft.base.files import read_json, write_table
    from medpeft.generation.generate import COLUMNS, Sampling, generate
    from medpeft.training.captioned import chosen, drawn, load_captioned

    data, output, asked, settings = snakemake.input, snakemake.output, snakemake.wildcards, snakemake.params
    folder = Path(output.images)
    shutil.rmtree(folder, ignore_errors=True)
    if read_json(data.record)["status"] != "ok":
        folder.mkdir(parents=True)
        write_table(output.files, pd.DataFrame(columns=COLUMNS))
        return
    fraction = float(asked.fraction)
    train, test = load_captioned(data.moments, data.texts, data.captions, data.split, data.subset, fraction)
    prompts = {"test": lambda: chosen(test.rows, settings.images), "train": lambda: drawn(train.rows, settings.images)}
    files = generate(
        Path(data.pipeline),
        asked.method,
        Path(data.adapter),
        test.texts,
        prompts[asked.part](),
        Sampling(**settings.sampling),
        int(asked.seed),
        settings.repeats,
        folder,
    )
    write_table(output.files, files)


run(main, snakemake)  # noqa: F821
