"""Fetch one archive of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import sha256, write_json
    from medpeft.data import registry
    from medpeft.data.archives import is_link
    from medpeft.data.download import fetch

    name, params, path = snakemake.wildcards.dataset, snakemake.params, Path(snakemake.output.archive)
    dataset = registry.load(name, params.declared)
    fetch(
        dataset.archive(snakemake.wildcards.archive, params.checksum),
        name,
        path,
        # Not from params: where a file came from makes no fetched file stale.
        snakemake.config.get("mirror"),
        dataset.access,
        next(map(Path, snakemake.input.listing), None),
    )
    write_json(snakemake.output.note, {"content": params.content, "sha256": None if is_link(path) else sha256(path)})


run(main, snakemake)  # noqa: F821
