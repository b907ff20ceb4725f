"""Write the card of one dataset."""

from medpeft.stage import run


def main(snakemake):
    from medpeft.card import card
    from medpeft.datasets import registry
    from medpeft.files import read_table, replacing

    name, settings = snakemake.wildcards.dataset, snakemake.params
    text = card(name, registry.load(name, settings.own), read_table(snakemake.input.audit), settings.protocol)
    with replacing(snakemake.output.card) as temporary:
        temporary.write_text(text, encoding="utf-8")


run(main, snakemake)  # noqa: F821
