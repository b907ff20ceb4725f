"""Write the card of one dataset."""

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.artefacts.card import card
    from medpeft.base.files import read_table, replacing
    from medpeft.data import registry

    name, settings = snakemake.wildcards.dataset, snakemake.params
    text = card(name, registry.load(name, settings.declared), read_table(snakemake.input.audit), settings.protocol)
    with replacing(snakemake.output.card) as temporary:
        temporary.write_text(text, encoding="utf-8")


run(main, snakemake)  # noqa: F821
