"""Make one table, as numbers and for readers."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.artefacts.markup import RENDERERS
    from medpeft.artefacts.table import TABLES, Material
    from medpeft.base.files import read_json, read_table, replacing, write_table

    readers = {
        **dict.fromkeys(
            ("runs", "scores", "other_scores", "comparisons", "ranks", "friedman", "recommendations", "parameters"),
            read_table,
        ),
        "records": lambda paths: {Path(path).parts[-6:-3]: read_json(path) for path in reversed(paths)},
        "memorisations": lambda paths: {Path(path).parts[-6:-1]: read_json(path) for path in paths},
        "downstreams": lambda paths: {Path(path).parts[-6:-1]: read_table(path) for path in paths},
        "splits": lambda paths: [read_json(path)["study"]["split"]["protocol"] for path in paths],
        "trials": lambda paths: {Path(path).parts[-4:-1]: read_table(path) for path in paths},
        "choices": lambda paths: {Path(path).parts[-4:-1]: read_json(path) for path in paths},
        "published": lambda paths: {Path(path).stem: read_table(path) for path in paths},
    }
    given = dict(snakemake.input.items())
    material = Material(**{name: readers[name](given[name]) for name in readers.keys() & given.keys()})
    numbers, layout = TABLES[snakemake.wildcards.table](material)
    write_table(snakemake.output.csv, numbers)
    for form, render in RENDERERS.items():
        with replacing(snakemake.output[form]) as temporary:
            temporary.write_text(render(layout), encoding="utf-8")


run(main, snakemake)  # noqa: F821
