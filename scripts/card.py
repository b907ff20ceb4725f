"""Write the card of one dataset."""

from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.artefacts.card import Shown, card
    from medpeft.base.files import read_json, read_table, replacing
    from medpeft.data import registry

    name, settings = snakemake.wildcards.dataset, snakemake.params
    dataset, audit = registry.load(name, settings.declared), read_table(snakemake.input.audit)
    lengths = {Path(path).parts[-3]: read_json(path) for path in snakemake.input.lengths}
    shown = Shown(settings.fit, settings.flips, settings.per_seed, lengths)
    text = card(name, dataset, audit, settings.protocol, shown)
    with replacing(snakemake.output.card) as temporary:
        temporary.write_text(text, encoding="utf-8")


run(main, snakemake)  # noqa: F821
