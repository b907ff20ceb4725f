"""One table for readers, as Markdown, LaTeX (booktabs) and Typst."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

NARROW = 5  # columns
MINUS, GAP, TIMES = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"


class Cell(NamedTuple):
    """The text of a cell, a smaller second line below it, and whether it is printed bold."""

    text: str
    below: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Layout:
    """A header, blocks of rows under a title each (none where it is empty), and notes under the table.

    The first column is aligned left, the others right.
    """

    header: list[str]
    blocks: dict[str, list[list[Cell]]]
    notes: list[str] = field(default_factory=list)


def markdown(layout: Layout) -> str:
    """Return `layout` as a GitHub table."""
    rows = [list(map(_markdown, layout.header)), [":--"] + ["--:"] * (len(layout.header) - 1)]
    for title, block in layout.blocks.items():
        if title:
            rows.append([f"*{_markdown(title)}*"] + [""] * (len(layout.header) - 1))
        rows += [[_markdown_cell(cell) for cell in row] for row in block]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return table + "".join(f"\n{_markdown(note)}\n" for note in layout.notes)


def _markdown_cell(cell: Cell) -> str:
    text = f"**{_markdown(cell.text)}**" if cell.bold else _markdown(cell.text)
    return f"{text}<br>{_markdown(cell.below)}" if cell.below else text


def _markdown(text: str) -> str:
    return text.replace("|", r"\|").replace("_", r"\_").replace("*", r"\*")


def latex(layout: Layout) -> str:
    """Return `layout` as a tabular with booktabs rules, to stand in a table float of the reader's document."""
    width = len(layout.header)
    lines = [rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\toprule"]
    lines.append(" & ".join(map(_latex, layout.header)) + r" \\")
    for title, block in layout.blocks.items():
        lines.append(r"\midrule")
        if title:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{_latex(title)}}}}} \\")
        lines += [" & ".join(map(_latex_cell, row)) + r" \\" for row in block]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {_latex(note)}\par}}" for note in layout.notes]
    return "\n".join(lines) + "\n"


def _latex_cell(cell: Cell) -> str:
    text = rf"\textbf{{{_latex(cell.text)}}}" if cell.bold else _latex(cell.text)
    return rf"\shortstack[r]{{{text}\\{{\scriptsize {_latex(cell.below)}}}}}" if cell.below else text


LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    TIMES: r"$\times$",
    MINUS: "$-$",
    GAP: "--",
    "<": "$<$",
    ">": "$>$",
}


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def typst(layout: Layout) -> str:
    """Return `layout` as a Typst table for a figure; a narrow one has the two lines of a cell side by side."""
    width = len(layout.header)
    break_line = width > NARROW
    lines = [
        "#table(",
        f"  columns: {width}, align: (left, {'right, ' * (width - 1)}), stroke: none,",
        f"  table.hline(), table.header({', '.join(f'strong({_string(title)})' for title in layout.header)}),",
    ]
    for title, block in layout.blocks.items():
        lines.append("  table.hline(stroke: 0.5pt),")
        if title:
            lines.append(f"  table.cell(colspan: {width}, align: left, emph({_string(title)})),")
        lines += [f"  {', '.join(_typst_cell(cell, break_line) for cell in row)}," for row in block]
    lines += ["  table.hline(),", ")"]
    lines += [f"#align(left, text(size: 0.9em, {_string(note)}))" for note in layout.notes]
    return "\n".join(lines) + "\n"


def _typst_cell(cell: Cell, break_line: bool) -> str:
    text = f"strong({_string(cell.text)})" if cell.bold else _string(cell.text)
    if not cell.below:
        return f"[#{text}]"
    space = "linebreak()" if break_line else "h(0.4em)"
    return f"[#{text} #{space} #text(size: 0.8em, fill: luma(35%), {_string(cell.below)})]"


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


RENDERERS = {"md": markdown, "tex": latex, "typ": typst}


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """Return `value` with `digits` decimals and a true minus sign; a missing one is a gap."""
    if np.isnan(value):
        return GAP
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return text.replace("-", MINUS)


def interval(low: float, high: float, sign: bool = False) -> str:
    """Return an interval in brackets; a missing one is empty."""
    return "" if np.isnan(low) else f"[{number(low, sign=sign)}, {number(high, sign=sign)}]"
