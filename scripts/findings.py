"""Put what the study found into words and numbers for the paper."""

from pathlib import Path

from medpeft.pipeline.stage import run, tell


def main(snakemake):
    from medpeft.artefacts.findings import Evidence, findings
    from medpeft.artefacts.fonts import glyph_sentence
    from medpeft.artefacts.sentences.searching import edge_sentences
    from medpeft.base.files import read_json, read_table, write_json
    from medpeft.data import registry

    given, declared = snakemake.input, snakemake.params.declared
    audits = {Path(path).stem: read_table(path) for path in given.audits}
    evidence = Evidence(
        settings=snakemake.params.settings,
        runs=read_table(given.runs),
        scores=read_table(given.scores),
        differences=read_table(given.comparisons),
        crossovers=read_table(given.crossovers),
        friedman=read_table(given.friedman),
        recommendations=read_table(given.recommendations),
        generation_comparisons=read_table(given.generation_comparisons),
        learning_rates=read_table(given.learning_rates),
        datasets={name: registry.load(name, declared.get(name)) for name in audits},
        protocols=dict(snakemake.params.protocols),
        audits=audits,
        claims=read_table(given.claims),
        lengths={_dataset_and_backbone(path): read_json(path) for path in given.lengths},
        **{name: read_table(given[name]) for name in snakemake.params.details},
    )
    records = [read_json(path) for path in given.records]
    published = {Path(path).stem: read_table(path) for path in given.published}
    write_json(snakemake.output.findings, findings(evidence, records, published))
    for sentence in filter(None, [glyph_sentence(evidence.datasets), *edge_sentences(evidence.learning_rates)]):
        tell(sentence)


def _dataset_and_backbone(path: str) -> tuple[str, str]:
    """Return whose captions the file `data/encoded/<dataset>/.../<backbone>/<size>/lengths.json` is about."""
    return Path(path).parts[2], Path(path).parts[-3]


run(main, snakemake)  # noqa: F821
