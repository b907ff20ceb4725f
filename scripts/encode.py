"""Encode the images and captions of one dataset by one diffusion pipeline."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_table, sha256, write_json, write_table
    from medpeft.generation.encode import Encoder, encode

    data, output, settings = snakemake.input, snakemake.output, snakemake.params
    encoder = Encoder(Path(data.pipeline), settings.size, settings.device)
    captioned = read_table(data.manifest).merge(read_table(data.described), on="image_id")
    encoded = encode(encoder, data.images, captioned, output.moments, output.texts)
    write_table(output.captions, encoded.captions)
    write_json(output.lengths, encoded.lengths)
    files = map(Path, (output.moments, output.texts, output.captions))
    write_json(output.hashes, {"sha256": {path.name: sha256(path) for path in files}})


run(main, snakemake)  # noqa: F821
