"""The paper: a Typst source and the results that it reads, made into a PDF."""

import json
from collections.abc import Iterable
from pathlib import Path

import typst

from medpeft.artefacts.fonts import font_folders
from medpeft.artefacts.registry import figures, tables
from medpeft.base.errors import UserError
from medpeft.base.files import read_json, replacing
from medpeft.statistics.metrics import METRICS


def typeset(source: Path, references: Path, findings: Path, names: Iterable[str], output: Path) -> None:
    """Write the PDF of `source`, which reads its numbers, tables and figures from the folder of `findings`.

    Only the fonts that come with Typst are used, and no date is written, so that equal results give equal bytes.
    Letters that these lack come from fonts of this machine.

    Args:
        source: A Typst file.
        references: A bibliography in Hayagriva's format.
        findings: The `findings.json` of a study, beside its folders of tables and figures.
        names: The tables and figures that the study has.
        output: Where the PDF goes.

    Raises:
        UserError: Typst cannot read the source.
    """
    found = read_json(findings)
    try:
        with replacing(output) as temporary, font_folders(found["rare_letters"]) as folders:
            typst.compile(  # type: ignore[call-overload]  # its stub wants source and root of one type
                source.read_bytes(),
                output=temporary,
                root=findings.parent.resolve(),
                font_paths=folders,
                ignore_system_fonts=True,
                format="pdf",
                sys_inputs={
                    "artefacts": json.dumps(placed(found, set(names))),
                    "references": references.read_text(encoding="utf-8"),
                },
            )
    except typst.TypstError as error:
        raise UserError(f"Typst cannot typeset {source}: {error.message}; mend the source") from error


def placed(findings: dict, names: set[str]) -> list[dict]:
    """Return kind, caption, section and width of the artefacts among `names`, in the order of their places."""
    generation = findings["generation"] or {"images": []}
    words = {
        "metric": METRICS[findings["settings"]["primary_metric"]].heading,
        "most_data": findings["overview"]["most_data"],
        "images": "; ".join(generation["images"]),
    }
    known = [(name, artefact) for found in (tables(), figures()) for name, artefact in found.items() if name in names]
    return [
        {
            "name": name,
            "kind": artefact.kind,
            "caption": artefact.caption.format(**words | findings["captions"].get(name, {})),
            "section": artefact.section,
            "narrow": artefact.narrow,
        }
        for name, artefact in sorted(known, key=lambda item: item[1].place)
    ]
