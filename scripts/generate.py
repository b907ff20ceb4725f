"""Generate images with one fine-tuned U-Net for captions of the test set."""

import shutil
from pathlib import Path

import pandas as pd

from medpeft.files import read_json, write_table
from medpeft.generate import Sampling, generate
from medpeft.pairs import chosen, load_pairs
from medpeft.stage import run


def main(snakemake):
    data, output, asked = snakemake.input, snakemake.output, snakemake.wildcards
    folder = Path(output.images)
    shutil.rmtree(folder, ignore_errors=True)
    if read_json(data.record)["status"] != "ok":
        folder.mkdir()
        write_table(output.prompts, pd.DataFrame(columns=["file", "image_id", "caption", "seed", "sha256"]))
        return
    _, test = load_pairs(data.moments, data.texts, data.captions, data.split, data.subset, float(asked.fraction))
    files = generate(
        Path(data.pipeline),
        asked.method,
        Path(data.adapter),
        test.texts,
        chosen(test.rows, snakemake.params.images),
        Sampling(**snakemake.params.sampling),
        int(asked.seed),
        folder,
    )
    write_table(output.prompts, files)


run(main, snakemake)  # noqa: F821
