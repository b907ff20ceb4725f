"""Fetch one text-to-image pipeline."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, sha256, write_json
    from medpeft.data.sources import mirrored_files
    from medpeft.networks.diffusion_pipeline import fetch_diffusion_pipeline

    name, params, mirror = snakemake.wildcards.backbone, snakemake.params, snakemake.config.get("mirror")
    folder = Path(snakemake.output[0])
    files = mirrored_files(name, "weights", mirror)
    note = {"content": params.content, "files": {file: sha256(path) for file, path in files.items()}}
    fetch_diffusion_pipeline(name, params.repository, folder, mirror)
    write_json(folder / "source.json", note | read_json(folder / "source.json"))


run(main, snakemake)  # noqa: F821
