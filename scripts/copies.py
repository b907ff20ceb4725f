"""Look for copies of training images among the images that one run generated."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, read_table, replacing, write_json, write_table
    from medpeft.data.subset import members
    from medpeft.generation.copies import Memorisation, copies

    data, output, settings = snakemake.input, snakemake.output, snakemake.params
    fraction = float(snakemake.wildcards.fraction)
    found = Memorisation.of_failed_run()
    if read_json(data.record)["status"] == "ok":
        rows = members(data.manifest, data.split, data.subset, fraction, settings.training_pairs)
        files = read_table(data.files)["file"]
        found = copies(rows, data.images, settings.size, Path(data.generated), files)
    write_table(output.table, found.table)
    write_json(output.facts, found.facts)
    with replacing(output.picture) as temporary:
        found.figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


run(main, snakemake)  # noqa: F821
