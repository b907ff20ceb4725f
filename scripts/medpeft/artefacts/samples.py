"""A grid of samples: what each method makes of the same prompts from the same noise, beside the real pictures.

It shows pictures and reports of the test set: what a dataset's terms forbid to hand on, forbid for this figure as well.
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.table import percent, plain
from medpeft.data.pictures import centre
from medpeft.statistics.generation_scores import UNTUNED

REAL = "real"
PROMPTS = 6  # that are shown of one dataset
CELL, SPACE, LINE = 0.8, 0.05, 0.14  # inches: side of a picture, space around it, height of a line of text
POINTS = 72  # to an inch
LETTERS, SHAPE = 7, 0.58  # height in points, mean width by height
NARROWEST = 4.0  # inches
WRAP = 14  # letters of a method's name that go over one picture
HEADING = 4  # lines


@dataclass(frozen=True)
class Samples:
    """The pictures of one dataset and pipeline.

    `images` are the stored ones, uint8 (N, height, width, 3), and `manifest` names them. `generated` has for each
    method the rows of the images that it made (file, image_id, caption, seed) and the folder of these files.
    """

    dataset: str
    backbone: str
    fraction: float
    seed: int
    images: np.ndarray
    manifest: pd.DataFrame
    generated: dict[str, tuple[pd.DataFrame, Path]]


def samples(groups: list[Samples], size: int) -> tuple[pd.DataFrame, Figure]:
    """Return which pictures are shown and draw them: a row a prompt, the real one of `size` pixels, then methods.

    `from_untuned` is the mean absolute difference in grey levels (0 to 255) from what the pipeline makes as it is,
    where the study has that. A method without images, as its run failed, has an empty place.
    """
    shown = [(group, _cells(group, size)) for group in groups]
    columns = max(1 + len(group.generated) for group in groups)
    width = max(NARROWEST, columns * (CELL + SPACE) + SPACE)
    letters = int(width * POINTS / (SHAPE * LETTERS))  # of a line
    texts = [{row.image_id: textwrap.wrap(_words(row), letters) for row in cells.itertuples()} for _, cells in shown]
    heights = [LINE * (HEADING + sum(len(lines) for lines in text.values())) for text in texts]
    height = sum(heights) + sum(len(text) * (LINE / 2 + CELL + SPACE) for text in texts)
    figure = Figure(figsize=(width, height))
    sheet = _Sheet(figure, width, height)
    for (group, cells), text in zip(shown, texts, strict=True):
        sheet.heading(group, [REAL, *in_order(group.generated)])
        for image_id, lines in text.items():
            sheet.row(lines, cells[cells["image_id"] == image_id])
    return pd.concat([cells.drop(columns="pixels") for _, cells in shown], ignore_index=True), figure


def chosen_prompts(prompts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to show: of each label in turn, new captions first."""
    table = prompts.assign(again=prompts.duplicated("caption")).sort_values("again", kind="stable")
    table = table.assign(turn=table.groupby("label").cumcount()).sort_values(["turn", "again", "label"], kind="stable")
    return table.head(PROMPTS)[prompts.columns]


def _cells(group: Samples, size: int) -> pd.DataFrame:
    """Return one row a picture, with its `pixels`: float (height, width, 3), or None where there is none."""
    tables = {method: table.drop_duplicates("image_id") for method, (table, _) in group.generated.items()}
    asked = max(tables.values(), key=len)[["image_id", "caption", "seed"]]
    prompts = chosen_prompts(asked.merge(group.manifest[["image_id", "label", "source_file"]], on="image_id"))
    places = pd.Index(group.manifest["image_id"]).get_indexer(prompts["image_id"])
    real = prompts.assign(method=REAL, file=prompts["source_file"], pixels=list(centre(group.images[places], size)))
    parts = [real]
    for method, table in tables.items():
        made = prompts.merge(table[["image_id", "seed", "file"]], on=["image_id", "seed"], how="left")
        folder = group.generated[method][1]
        files = [None if pd.isna(file) else folder / file for file in made["file"]]
        pixels = [file and np.asarray(Image.open(file).convert("RGB")) for file in files]
        parts.append(made.assign(method=method, file=[file and str(file) for file in files], pixels=pixels))
    cells = pd.concat(parts, ignore_index=True).drop(columns="source_file")
    key = {"dataset": group.dataset, "backbone": group.backbone, "fraction": group.fraction, "run": group.seed}
    return cells.assign(**key, from_untuned=_from_untuned(cells))


def _from_untuned(cells: pd.DataFrame) -> list[float]:
    plain = cells[cells["method"] == UNTUNED].set_index("image_id")["pixels"].dropna()
    return [
        np.nan
        if row.method == REAL or row.pixels is None or row.image_id not in plain
        else float(np.abs(row.pixels.astype(float) - plain[row.image_id]).mean())
        for row in cells.itertuples()
    ]


def _words(prompt) -> str:
    return f"{plain(prompt.label)}: \N{LEFT DOUBLE QUOTATION MARK}{prompt.caption}\N{RIGHT DOUBLE QUOTATION MARK}"


class _Sheet:
    """A figure that is filled from the top, in inches."""

    def __init__(self, figure: Figure, width: float, height: float):
        self.figure, self.width, self.height, self.top = figure, width, height, 0.0

    def heading(self, group: Samples, methods: list[str]) -> None:
        """Write which runs follow, and what is in each column."""
        self.methods = methods
        runs = f"{plain(group.dataset)}, {group.backbone}, {percent(group.fraction)}, seed {group.seed}"
        self._write(SPACE, LINE, runs)
        self.top += HEADING * LINE
        for place, method in enumerate(methods):
            label = "Real" if method == REAL else style(method).label
            lines = textwrap.wrap(label, WRAP)
            for number, line in enumerate(reversed(lines)):
                self._write(self._left(place) + CELL / 2, -number * LINE, line, ha="center", weight="bold")

    def row(self, lines: list[str], cells: pd.DataFrame) -> None:
        """Write a caption and show its pictures below."""
        for line in lines:
            self.top += LINE
            self._write(SPACE, 0, line)
        self.top += 0.5 * LINE
        for cell in cells.itertuples():
            place = self._left(self.methods.index(cell.method))
            box = (place / self.width, 1 - (self.top + CELL) / self.height, CELL / self.width, CELL / self.height)
            axes = self.figure.add_axes(box)
            axes.set_axis_off()
            if cell.pixels is None:
                axes.text(0.5, 0.5, "no image", ha="center", va="center", fontsize=LETTERS, color="0.4")
            else:
                axes.imshow(cell.pixels, interpolation="nearest")
        self.top += CELL + SPACE

    def _left(self, place: int) -> float:
        return SPACE + place * (CELL + SPACE)

    def _write(self, left: float, down: float, text: str, **options) -> None:
        """Write one line whose foot is `down` inches below the top of what is free."""
        self.figure.text(
            left / self.width,
            1 - (self.top + down) / self.height,
            text,
            fontsize=LETTERS,
            va="bottom",
            parse_math=False,
            **options,
        )
