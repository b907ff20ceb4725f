"""Fetch the pretrained weights of one backbone."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import sha256, write_json
    from medpeft.data.sources import mirrored_files
    from medpeft.networks.weights import fetch_weights

    backbone, params, mirror = snakemake.wildcards.backbone, snakemake.params, snakemake.config.get("mirror")
    files = mirrored_files(f"{backbone}.safetensors", "weights", mirror)
    note = {"content": params.content, "files": {name: sha256(file) for name, file in files.items()}}
    origin = fetch_weights(backbone, snakemake.output.weights, mirror, params.checksum)
    write_json(snakemake.output.source, note | {"origin": origin, "sha256": sha256(snakemake.output.weights)})


run(main, snakemake)  # noqa: F821
