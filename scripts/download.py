"""Fetch one archive of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import sha256, write_json
    from medpeft.data import registry
    from medpeft.data.archives import is_link
    from medpeft.data.fetching.download import fetch

    name, params, study = snakemake.wildcards.dataset, snakemake.params, snakemake.config
    path = Path(snakemake.output.archive)
    # Addresses are not from params, which hold no login; and where a file came from makes no fetched file stale.
    own = study.get("datasets", {}).get(name, {})
    dataset = registry.load(name, params.declared and params.declared | {"path": own.get("path")})
    fetch(
        dataset.archive(snakemake.wildcards.archive, params.checksum),
        name,
        path,
        study.get("mirror"),
        dataset.access,
        next(map(Path, snakemake.input.listing), None),
    )
    write_json(snakemake.output.note, {"content": params.content, "sha256": None if is_link(path) else sha256(path)})


run(main, snakemake)  # noqa: F821
