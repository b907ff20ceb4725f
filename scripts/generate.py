"""Generate images with one fine-tuned U-Net, for captions of the test set or of the run's training images."""

import shutil
from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    import pandas as pd

    from medpeft.base.files import read_json, write_table
    from medpeft.generation.generate import GENERATED_COLUMNS, Sampling, TunedPipeline, generate, prompts_of
    from medpeft.training.captioned import load_captioned

    data, output, asked, settings = snakemake.input, snakemake.output, snakemake.wildcards, snakemake.params
    folder = Path(output.images)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = pd.DataFrame(columns=GENERATED_COLUMNS)
    if read_json(data.record)["status"] == "ok":
        tuned = TunedPipeline(Path(data.pipeline), asked.method, Path(data.adapter))
        fraction, pairs = float(asked.fraction), settings.training_pairs
        loaded = load_captioned(data.moments, data.texts, data.captions, data.split, data.subset, fraction, pairs)
        prompts = prompts_of(asked.split, *loaded, settings.images)
        files = generate(tuned, prompts, Sampling(**settings.sampling), int(asked.seed), settings.repeats, folder)
    write_table(output.files, files)


run(main, snakemake)  # noqa: F821
