"""Score the images that one run generated against real ones."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.files import read_json, read_table, write_json
    from medpeft.generation.fidelity import SCORES, fidelity, real_images
    from medpeft.training.captioned import chosen

    data, settings = snakemake.input, snakemake.params
    record, manifest, split = read_json(data.record), read_table(data.manifest), read_table(data.split)
    test = chosen(manifest.merge(split[split["split"] == "test"], on="image_id"), settings.images)
    found = dict.fromkeys(SCORES)
    if record["status"] == "ok":
        real = real_images(data.images, manifest, test, settings.size)
        found = fidelity(
            Path(data.generated),
            real,
            settings.extractor,
            Path(data.extractor),
            Path(data.cache),
            settings.threads,
            settings.device,
        )
    facts = {"status": record["status"], "n_train": record["n_train"], "n_test": len(test)}
    write_json(
        snakemake.output.metrics,
        facts | found | read_json(data.floor) | {"feature_extractor": settings.extractor},
    )


run(main, snakemake)  # noqa: F821
