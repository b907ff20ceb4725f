"""Look for copies of training images among the images that one run generated."""

from pathlib import Path

from medpeft.pipeline.stage import run

BLOCK = 512  # training images in memory at once


def main(snakemake):
    import numpy as np
    import pandas as pd

    from medpeft.base.errors import UserError
    from medpeft.base.files import read_json, read_table, replacing, write_json, write_table
    from medpeft.data.pixels import centre, read
    from medpeft.data.subset import members
    from medpeft.generation.copies import COLUMNS, FACTS, PAIRS, copies, picture

    data, output, size = snakemake.input, snakemake.output, snakemake.params.size
    table, facts, figure = pd.DataFrame(columns=COLUMNS), dict.fromkeys(FACTS), picture(pd.DataFrame(), None, None)
    if read_json(data.record)["status"] == "ok":
        rows = members(data.manifest, data.split, data.subset, float(snakemake.wildcards.fraction))
        train, test = (rows[rows["split"] == part] for part in ("train", "test"))
        # Under the published protocol some test images are duplicates of training images: those are no measure.
        apart = test[~test["cluster"].isin(train["cluster"])]
        if apart.empty:
            raise UserError(
                f"every test image of {snakemake.wildcards.dataset} has a duplicate or group member in training, so "
                "nothing tells how near an image is that is no copy: take the protocol grouped"
            )
        stored = np.load(data.images, mmap_mode="r")
        files = read_table(data.files)["file"]
        files = list(files[files.str.startswith("0/")])
        generated = read(Path(data.generated), files)
        blocks = (train["row"].iloc[start : start + BLOCK] for start in range(0, len(train), BLOCK))
        training = (centre(stored[block], size) for block in blocks)
        table, facts = copies(generated, centre(stored[apart["row"]], size), training)
        closest = table["distance"].argsort(kind="stable").to_numpy()[:PAIRS]
        shown = centre(stored[train["row"].iloc[table["nearest"].iloc[closest]]], size)
        table = table.assign(file=files, nearest=train["image_id"].iloc[table["nearest"]].to_numpy())[COLUMNS]
        figure = picture(table.iloc[closest], generated[closest], shown)
    write_table(output.table, table)
    write_json(output.facts, facts)
    with replacing(output.picture) as temporary:
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


run(main, snakemake)  # noqa: F821
