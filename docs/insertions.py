"""What a build of the documentation puts into its pages.

A page asks for it by a comment on a line of its own: `<!-- insert: methods -->` for what the code says of itself, or
`<!-- insert: busi/tables/low_data.md -->` for a file below `docs/results/`, as the pipeline wrote it. MkDocs calls
`on_page_markdown`. Nothing here imports torch.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from medpeft.artefacts import registry as artefacts
from medpeft.base.errors import UserError
from medpeft.data import registry as datasets
from medpeft.methods import peft_tuners
from medpeft.methods import registry as methods
from medpeft.statistics.metrics import EVERY, METRICS, Metric, with_interval

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
LIBRARY = ROOT / "scripts" / "medpeft"
KINDS = {  # a type of JSON Schema, as YAML has it
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "`null`",
}
INSERTION = re.compile(r"^<!-- insert: (\S+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the text of a page with its insertions made."""
    return INSERTION.sub(lambda match: insertion(match[1]), markdown)


def insertion(name: str) -> str:
    """Return what stands in a page for `<!-- insert: name -->`, as Markdown.

    Raises:
        UserError: There is nothing of this name.
    """
    if make := MAKERS.get(name):
        return make()
    path = RESULTS / name
    if not path.is_file():
        raise UserError(f"a page asks to insert {name}: write one of {', '.join(MAKERS)}, or a file in {RESULTS}")
    return path.read_text(encoding="utf-8")


def plain(text: object) -> str:
    """Return `text` so that Markdown shows it as it is, in a cell of a table as well; what is code stays code."""
    parts = re.split(r"(`[^`]*`)", " ".join(str(text).split()))
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    return re.sub(r"([\\|*\[\]])", r"\\\1", text).replace("<", "&lt;")


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(header), *map(list, rows)]
    lines.insert(1, [":--"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def study_keys() -> str:
    """Return every key of a study with its type, its default and its meaning, a section for each key at the top."""
    schema = yaml.safe_load((ROOT / "schemas" / "study.schema.yaml").read_text(encoding="utf-8"))
    parts = []
    for key, part in schema["properties"].items():
        value = _resolved(part, schema)
        parts += [f"## {key}\n", plain(value.get("description", "")) + "\n"]
        rows = list(_keys(value, schema))
        if rows:
            parts.append(table(["Key", "Type", "Default", "Meaning"], rows))
        else:
            required = "required" if key in schema["required"] else f"default {_default(value)}"
            parts.append(f"Type: {_type(value)}; {required}.\n")
    return "\n".join(parts)


def _resolved(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the schema with what it refers to; what it says itself comes first."""
    if "$ref" in value:
        return schema["$defs"][value["$ref"].rpartition("/")[2]] | value
    return value


def _keys(value: dict[str, Any], schema: dict[str, Any], above: str = "") -> Iterator[list[str]]:
    """Yield a row for every key below a part of the schema."""
    others = value.get("additionalProperties")
    for key, one in value.get("properties", {}).items():
        part = _resolved(one, schema)
        required = "required" if key in value.get("required", []) else _default(part)
        yield [f"`{above}{key}`", _type(part), required, plain(part.get("description", ""))]
        yield from _keys(part, schema, f"{above}{key}.")
    if isinstance(others, dict):
        part = _resolved(others.get("else", others), schema)
        yield from _keys(part, schema, f"{above}NAME.")


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    written = yaml.safe_dump(default, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"`{written}`" if "default" in value else ""


def _type(value: dict[str, Any]) -> str:
    """Return what a key may hold, in a few words."""
    if options := value.get("enum"):
        return " or ".join(f"`{'null' if option is None else option}`" for option in options)
    if options := value.get("oneOf"):
        return " or ".join(map(_type, options))
    kinds = value.get("type", "")
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    limits = [f"{word} {value[bound]:g}" for bound, word in bounds.items() if bound in value]
    kind = " or ".join(KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind)
    return ", ".join([kind, *limits]) if kind else "list or mapping"


def method_list() -> str:
    """Return the project's methods with what they say of themselves, and peft's tuners by their kinds of network."""
    of_peft = Path(peft_tuners.__file__)
    own = [name for name in methods.names() if methods.file_of(name) != of_peft]
    said = {name: methods.declared(name) for name in own}
    rows = [
        [f"`{name}`", one["title"], one["family"], ", ".join(one["encoders"]), one["trains"], plain(one["source"])]
        for name, one in sorted(said.items(), key=lambda item: (item[1]["family"], item[0]))
    ]
    tuners = [
        [f"`{name}`", ", ".join(sorted(peft_tuners.encoders(name)))] for name in peft_tuners.names() if name not in own
    ]
    refused = [[f"`{name}`", plain(reason)] for name, reason in sorted(peft_tuners.REFUSED.items())]
    return "\n".join(
        [
            table(["Name", "Title", "Family", "Encoders", "Trains", "Source"], rows),
            "## Tuners of peft\n\nThey have peft's names and defaults, and are of the family `additive`.\n",
            table(["Name", "Encoders"], tuners),
            "These tuners of peft are refused:\n",
            table(["Name", "Reason"], refused),
        ]
    )


def dataset_list() -> str:
    """Return the datasets: a table of all, and a section for each."""
    found = {name: datasets.load(name) for name in datasets.names()}
    rows, sections = [], []
    for name, dataset in found.items():
        images = sum(dataset.sizes or [count or 0 for count in dataset.counts.values()])
        archives = [f"`{archive.name}`" for archive in dataset.archives if not archive.generate]
        rows.append(
            [f"[`{name}`](#{name})", f"{images:,}" if images else "not published", ", ".join(archives) or "generated"]
        )
        classes = ", ".join(f"{label} {count:,}" if count else label for label, count in dataset.counts.items())
        facts = {
            "Title": dataset.title,
            "Labels": dataset.labels + (f", {dataset.positive} is looked for" if dataset.positive else ""),
            "Images by class": classes,
            "Access": dataset.access,
            "Licence": dataset.licence,
            "Cite": dataset.citation,
        }
        lines = [f"- {label}: {plain(fact)}\n" for label, fact in facts.items() if fact]
        beware = [f"- Beware: {plain(caveat)}\n" for caveat in dataset.caveats]
        sections.append(f"## {name}\n\n{''.join(lines + beware)}")
    return "\n".join([table(["Name", "Images", "Archives"], rows), *sections])


def metric_list() -> str:
    """Return the metrics: name, direction, bounds, averaging, interval, what each needs, and where it is shown."""
    rows = [
        [
            f"`{name}`",
            metric.heading,
            metric.task,
            "higher" if metric.higher_is_better else "lower",
            f"{metric.bounds[0]:g} to {metric.bounds[1]:g}",
            metric.averaging + ", by class" * bool(metric.by_class),
            "bootstrap" if name in with_interval() else "",
            _needs(metric),
            ", ".join(f"`{place}`" for place in metric.shown_in),
        ]
        for name, metric in METRICS.items()
    ]
    header = ["Name", "Title", "Task", "Better", "Range", "Averaging", "Interval", "Needs", "Shown in"]
    return table(header, rows)


def _needs(metric: Metric) -> str:
    """Return which labels a metric is defined for, where these are not all, and whether it needs validation."""
    kinds = [] if metric.kinds == EVERY else [f"{' or '.join(metric.kinds)} labels"]
    return ", ".join(kinds + ["validation"] * metric.needs_validation)


def artefact_list() -> str:
    """Return the tables and figures: name, caption, and what a study needs to have them."""
    parts = []
    for title, found in (("Tables", artefacts.tables()), ("Figures", artefacts.figures())):
        rows = [
            [
                f"`{name}`",
                plain(
                    one.caption.format(
                        metric="The primary metric",
                        most_data="the most training images",
                        images="both for each dataset",
                        networks="its networks",
                        published="",
                    )
                ),
                " or ".join(f"`{experiment}`" for experiment in one.experiments),
                ", ".join(one.requires),
            ]
            for name, one in found.items()
        ]
        parts += [f"## {title}\n", table(["Name", "Caption", "Experiment", "Also needs"], rows)]
    return "\n".join(parts)


def library() -> str:
    """Return the public functions and classes of every module with the first paragraph of their docstrings."""
    parts = []
    for package in sorted(path.parent for path in LIBRARY.glob("*/__init__.py")):
        tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
        parts.append(f"## {package.name}\n\n{_first_paragraph(tree)}\n")
        parts += [_module(file) for file in sorted(package.rglob("*.py")) if not file.stem.startswith("_")]
    return "\n".join(parts)


def _module(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    name = ".".join(file.relative_to(LIBRARY.parent).with_suffix("").parts)
    rows = [
        [f"`{node.name}`", _first_paragraph(node)]
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node)
    ]
    return f"### {name}\n\n{_first_paragraph(tree)}\n\n" + (table(["Name", "What it does"], rows) if rows else "")


def _first_paragraph(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    """Return the first paragraph of a docstring."""
    return plain((ast.get_docstring(node) or "").split("\n\n")[0])


MAKERS: dict[str, Callable[[], str]] = {
    "study-keys": study_keys,
    "methods": method_list,
    "datasets": dataset_list,
    "metrics": metric_list,
    "artefacts": artefact_list,
    "library": library,
}
