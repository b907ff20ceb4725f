"""Find the images of another dataset that runs on one are tested on."""

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    import numpy as np

    from medpeft.base.files import read_table, write_table
    from medpeft.training.external_set import Stored, external_set

    files, output, names = snakemake.input, snakemake.output, snakemake.wildcards
    trained, other = (
        Stored(np.load(images, mmap_mode="r"), read_table(manifest))
        for images, manifest in ((files.images, files.manifest), (files.other_images, files.other_manifest))
    )
    split = read_table(files.other_split[0]) if files.other_split else None
    pairs = read_table(files.duplicates)
    found = external_set(trained, read_table(files.split), other, pairs, snakemake.params.classes, split)
    part = "all images" if split is None else "its test images"
    left_out = found.overlap["external"].nunique()
    tell(
        f"runs on {names.dataset} are tested on {part} of {names.other}: {len(found.images):,}; left out as they are, "
        f"or look like, images of training or validation: {left_out:,}"
    )
    write_table(output.images, found.images)
    write_table(output.overlap, found.overlap)


run(main, snakemake)  # noqa: F821
