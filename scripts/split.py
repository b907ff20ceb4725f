"""Split the images of one dataset into training, validation and test."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.base.files import read_table, write_checksum, write_table
    from medpeft.base.losses import Losses, told
    from medpeft.data import registry
    from medpeft.data.split import read_given, split, strangers

    files, params, output = snakemake.input, snakemake.params, snakemake.output
    name, manifest = snakemake.wildcards.dataset, read_table(files.manifest)
    given = read_given(Path(files.given[0])) if files.given else None
    losses = Losses() if given is None else strangers(given, manifest)
    losses.refuse(f"the given split, {', '.join(files.given)},", name, snakemake.config.get("accept", {}).get(name, {}))
    table = split(
        manifest,
        read_table(files.duplicates),
        params.protocol,
        params.duplicates,
        params.seed,
        registry.load(name, params.declared).sizes,
        given,
    )
    if lost := told(losses.table()):
        tell(f"{name}: {lost}")
    if left_out := len(manifest) - len(table):
        tell(f"{name}: {left_out} of {len(manifest)} images take no part in the split")
    write_table(output.losses, losses.table())
    write_table(output.split, table)
    write_checksum(output.split)


run(main, snakemake)  # noqa: F821
