"""The paper: a Typst source and the results that it reads, made into a PDF."""

from pathlib import Path

import typst

from medpeft.base.errors import UserError


def typeset(source: Path, references: Path, results: Path, tables: list[str], figures: list[str], output: Path) -> None:
    """Write the PDF of `source`, which reads its numbers, tables and figures from the folder `results`, to `output`.

    `references` is a bibliography in Hayagriva's format; `tables` and `figures` name the artefacts that the study has.
    Only the fonts that come with Typst are used, and no date is written, so that equal results give equal bytes. Raises
    `UserError` where Typst cannot read the source.
    """
    try:
        typst.compile(
            source.read_bytes(),
            output=str(output),
            root=str(results.resolve()),
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={
                "tables": " ".join(tables),
                "figures": " ".join(figures),
                "references": references.read_text(encoding="utf-8"),
            },
        )
    except typst.TypstError as error:
        raise UserError(f"Typst cannot typeset {source}: {error.message}; mend the source") from error
