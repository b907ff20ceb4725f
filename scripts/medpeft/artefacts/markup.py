"""One table for readers, as Markdown, HTML, LaTeX (booktabs) and Typst."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

import numpy as np

NARROW, WIDE = 6, 7  # columns
FEW = 2  # lines below the text of a cell
P_DIGIT = 0.001  # the last decimal of a p-value
MINUS, GAP, TIMES = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"


class Cell(NamedTuple):
    """The text of a cell, smaller lines below it (divided by line breaks), and whether the text is printed bold."""

    text: str
    below: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Layout:
    """A header, groups of rows under a title each (none where it is empty), and notes under the table.

    The first `left` columns are aligned left, the others right.
    """

    header: list[str]
    groups: dict[str, list[list[Cell]]]
    notes: list[str] = field(default_factory=list)
    left: int = 1

    def aligned(self, left: str, right: str) -> list[str]:
        """Return the mark of each column's alignment."""
        return [left] * self.left + [right] * (len(self.header) - self.left)


def markdown(layout: Layout) -> str:
    """Return `layout` as a GitHub table."""
    rows = [list(map(_markdown, layout.header)), layout.aligned(":--", "--:")]
    for title, group in layout.groups.items():
        if title:
            rows.append([f"*{_markdown(title)}*"] + [""] * (len(layout.header) - 1))
        rows += [[_markdown_cell(cell) for cell in row] for row in group]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return table + "".join(f"\n{_markdown(note)}\n" for note in layout.notes)


def _markdown_cell(cell: Cell) -> str:
    text = f"**{_markdown(cell.text)}**" if cell.bold else _markdown(cell.text)
    return "<br>".join([text, *map(_markdown, cell.below.splitlines())])


def _markdown(text: str) -> str:
    return text.replace("|", r"\|").replace("_", r"\_").replace("*", r"\*")


STYLE = (
    "body { font: 15px sans-serif; margin: 2em } table { border-collapse: collapse; border-block: 2px solid } "
    "th, td { padding: .3em .8em; text-align: right } thead, .title { border-block: 1px solid } "
    ".left, .title { text-align: left } small { color: #555; display: block } p { max-width: 60em }"
)


def html(layout: Layout) -> str:
    """Return `layout` as a page of its own."""
    width = len(layout.header)
    lines = ["<!doctype html>", f'<html lang="en"><meta charset="utf-8"><style>{STYLE}</style>', "<table>"]
    lines.append(f"<thead>{_html_row(layout, 'th', map(escape, layout.header))}</thead>")
    for title, group in layout.groups.items():
        if title:
            lines.append(f'<tr><td class="title" colspan="{width}"><i>{escape(title)}</i></td></tr>')
        lines += [_html_row(layout, "td", map(_html_cell, row)) for row in group]
    lines += ["</table>", *(f"<p>{escape(note)}</p>" for note in layout.notes), "</html>"]
    return "\n".join(lines) + "\n"


def _html_row(layout: Layout, tag: str, cells: Iterable[str]) -> str:
    classes = layout.aligned(' class="left"', "")
    return f"<tr>{''.join(f'<{tag}{c}>{cell}</{tag}>' for c, cell in zip(classes, cells, strict=True))}</tr>"


def _html_cell(cell: Cell) -> str:
    text = f"<b>{escape(cell.text)}</b>" if cell.bold else escape(cell.text)
    return text + "".join(f"<small>{escape(line)}</small>" for line in cell.below.splitlines())


NEW_LINE = "\\\\"


def latex(layout: Layout) -> str:
    """Return `layout` as a tabular with booktabs rules, to stand in a table float of the reader's document."""
    width = len(layout.header)
    lines = [rf"\begin{{tabular}}{{{''.join(layout.aligned('l', 'r'))}}}", r"\toprule"]
    lines.append(" & ".join(map(_latex, layout.header)) + r" \\")
    for title, group in layout.groups.items():
        lines.append(r"\midrule")
        if title:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{_latex(title)}}}}} \\")
        lines += [" & ".join(map(_latex_cell, row)) + r" \\" for row in group]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {_latex(note)}\par}}" for note in layout.notes]
    return "\n".join(lines) + "\n"


def _latex_cell(cell: Cell) -> str:
    text = rf"\textbf{{{_latex(cell.text)}}}" if cell.bold else _latex(cell.text)
    lines = [text, *(rf"{{\scriptsize {_latex(line)}}}" for line in cell.below.splitlines())]
    return rf"\shortstack[r]{{{NEW_LINE.join(lines)}}}" if cell.below else text


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
    "|": r"\textbar{}",
}


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def typst(layout: Layout) -> str:
    """Return `layout` as a Typst table for a figure.

    A narrow one with few lines in a cell has them side by side, a wide one has smaller letters.
    """
    width = len(layout.header)
    cells = [cell for group in layout.groups.values() for row in group for cell in row]
    break_line = width > NARROW or any(len(cell.below.splitlines()) > FEW for cell in cells)
    lines = [
        f"#text(size: {min(1, WIDE / width):.3g}em, table(",
        f"  columns: {width}, align: ({', '.join(layout.aligned('left', 'right'))}), stroke: none,",
        f"  table.hline(), table.header({', '.join(f'strong({_string(title)})' for title in layout.header)}),",
    ]
    for title, group in layout.groups.items():
        lines.append("  table.hline(stroke: 0.5pt),")
        if title:
            lines.append(f"  table.cell(colspan: {width}, align: left, emph({_string(title)})),")
        lines += [f"  {', '.join(_typst_cell(cell, break_line) for cell in row)}," for row in group]
    lines += ["  table.hline(),", "))"]
    if layout.notes:
        lines.append(f"#align(left, text(size: 0.9em, {_string(' '.join(layout.notes))}))")
    return "\n".join(lines) + "\n"


def _typst_cell(cell: Cell, break_line: bool) -> str:
    text = f"strong({_string(cell.text)})" if cell.bold else _string(cell.text)
    space = "linebreak()" if break_line else "h(0.4em)"
    below = [f" #{space} #text(size: 0.8em, fill: luma(35%), {_string(line)})" for line in cell.below.splitlines()]
    return f"[#{text}{''.join(below)}]"


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


RENDERERS = {"md": markdown, "html": html, "tex": latex, "typ": typst}


def number(value: float, digits: int = 3, sign: bool = False, group: bool = False) -> str:
    """Return `value` with `digits` decimals, a true minus sign and, if asked, commas; a missing one is a gap."""
    if np.isnan(value):
        return GAP
    text = f"{value:{'+' if sign else ''}z{',' if group else ''}.{digits}f}"  # z: no minus before a zero
    return text.replace("-", MINUS)


def interval(low: float, high: float, sign: bool = False, digits: int = 3) -> str:
    """Return an interval in brackets; a missing one is empty."""
    return "" if np.isnan(low) else f"[{number(low, digits, sign)}, {number(high, digits, sign)}]"


def p_value(value: float) -> str:
    """Return a p-value for the cell of a table: three decimals without the zero before them; a missing one is a gap.

    No test shows a p-value of 0 or 1: where three decimals would say so, a bound stands there.
    """
    if np.isnan(value):
        return GAP
    if value < P_DIGIT / 2:
        return "< .001"
    if value >= 1 - P_DIGIT / 2:
        return "> .999"
    return f"{value:.3f}".removeprefix("0")


def p_text(value: float) -> str:
    """Return a p-value for a sentence: `p = .034`, `p < .001`, or `no p` where there is none; see `p_value`."""
    text = p_value(value)
    if text == GAP:
        return "no p"
    return f"p {text}" if text[0] in "<>" else f"p = {text}"


def mebibytes(count: float, digits: int = 2) -> str:
    """Return a number of bytes in MiB; what would round to nothing is bounded from above, a missing one is a gap."""
    size = count / 2**20
    least = 10.0**-digits
    return f"< {least:.{digits}f}" if 0 < size < least / 2 else number(size, digits, group=True)
