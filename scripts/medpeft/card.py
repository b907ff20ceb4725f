"""The card of a dataset: what it holds, how it was split, how it is had, and what to beware of."""

from medpeft.datasets.registry import Dataset
from medpeft.markup import Cell, Layout, markdown
from medpeft.split import PARTS


def card(name: str, dataset: Dataset, audit: "pd.DataFrame", protocol: str) -> str:
    """Return the Markdown card of a `dataset` that was split under `protocol`; `audit` counts its images and groups."""
    values = audit.fillna({"protocol": "", "label": ""})
    value = values.set_index(["protocol", "measure", "scope", "label"])["value"].astype(int)
    return "\n".join(
        [
            f"# {dataset.title} (`{name}`)",
            "",
            markdown(_counts(value, protocol)),
            f"Split: `{protocol}`. Groups are patients, lesions, eyes or reports, as far as they are known.",
            "",
            f"- **Licence.** {dataset.licence}.",
            f"- **Access.** {dataset.access}.",
            f"- **Citation.** {dataset.citation}.",
            f"- **Archives.** {'; '.join(map(_archive, dataset.archives))}.",
            "",
            "## Beware",
            "",
            *(f"- {sentence}" for sentence in [*dataset.caveats, *_findings(value, protocol)]),
            "",
        ]
    )


def _counts(value: "pd.Series", protocol: str) -> Layout:
    labels = sorted(label for label in value["", "images", "all"].index if label)
    scopes = [("", "all"), *((protocol, part) for part in PARTS)]
    rows = [[label, *(value.get((of, "images", scope, label), 0) for of, scope in scopes)] for label in labels]
    rows += [
        [f"all {measure}", *(value.get((of, measure, scope, ""), 0) for of, scope in scopes)]
        for measure in ("images", "groups")
    ]
    header = ["Class", "Published" if False else "Images", *PARTS]
    cells = [[Cell(row[0]), *(Cell(f"{number:,}") for number in row[1:])] for row in rows]
    return Layout(header, {"": cells})
