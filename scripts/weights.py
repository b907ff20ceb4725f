"""Fetch the pretrained weights of one backbone."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import sha256, write_json
    from medpeft.networks.weights import fetch_weights

    backbone, checksum = snakemake.wildcards.backbone, snakemake.params.checksum
    origin = fetch_weights(backbone, snakemake.output.weights, snakemake.config.get("mirror"), checksum)
    write_json(snakemake.output.source, {"origin": origin, "sha256": sha256(snakemake.output.weights)})


run(main, snakemake)  # noqa: F821
