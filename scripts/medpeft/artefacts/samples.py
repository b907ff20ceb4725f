"""A grid of samples: what each method makes of the same prompts from the same noise, beside the real images.

It shows images and reports of the test set. What a dataset's terms forbid to hand on, they forbid for this figure too.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.words import percent, plain, spaced
from medpeft.base.runs import Run
from medpeft.data.pixels import centre
from medpeft.statistics.generated.generation_scores import UNTUNED

REAL = "real"
PROMPTS = 6  # that are shown of one dataset
SIDE, SPACE, LINE = 0.8, 0.05, 0.14  # inches: side of an image, space around it, height of a line of text
POINTS = 72  # to an inch
LETTERS, SHAPE = 7, 0.58  # height in points, mean width by height
NARROWEST = 4.0  # inches
WRAP = 14  # letters of a method's name that go over one image
HEADING = 4  # lines


class Stored(NamedTuple):
    """The real images of a dataset, uint8 (N, height, width, 3), and the manifest that names them."""

    images: np.ndarray
    manifest: pd.DataFrame


class Generated(NamedTuple):
    """The images of one run: their rows (file, image_id, caption, seed) and the folder of the files."""

    rows: pd.DataFrame
    folder: Path


@dataclass(frozen=True)
class Samples:
    """The real images of a dataset and those that one diffusion pipeline generated under each method."""

    dataset: str
    backbone: str
    fraction: float
    seed: int
    stored: Stored
    generated: dict[str, Generated]


class Shown(NamedTuple):
    """The images of one group that are shown: a row each, and their pixels, None where there is no image."""

    rows: pd.DataFrame
    pixels: list[np.ndarray | None]  # (height, width, 3)

    def of_prompt(self, image_id: str) -> dict[str, np.ndarray | None]:
        """Return the pixels of each method for one prompt."""
        every = zip(self.rows["method"], self.rows["image_id"], self.pixels, strict=True)
        return {method: pixels for method, name, pixels in every if name == image_id}


def grouped(runs: Iterable[tuple[Run, Generated]], stored: dict[str, Stored]) -> list[Samples]:
    """Return the samples of `runs`, those that differ in their method alone together.

    Args:
        runs: each with the images that it generated.
        stored: the real images by dataset.
    """
    groups: dict[tuple[str, str, str, str], dict[str, Generated]] = {}
    for run, generated in runs:
        groups.setdefault((run.dataset, run.backbone, run.fraction, run.seed), {})[run.method] = generated
    return [
        Samples(dataset, backbone, float(fraction), int(seed), stored[dataset], generated)
        for (dataset, backbone, fraction, seed), generated in groups.items()
    ]


def samples(groups: list[Samples], size: int) -> tuple[pd.DataFrame, Figure]:
    """Draw a row a prompt, the real image and that of each method, and return which images it shows.

    A method whose run failed has no images, and an empty place.

    Args:
        groups: what to choose from.
        size: of the centres of the real images, in pixels.

    Returns:
        One row an image. Its `from_untuned` is the mean absolute difference in grey levels (0 to 255) from the image
        of the untuned diffusion pipeline, where the study has that. Then the figure.
    """
    shown = [(group, _shown(group, size)) for group in groups]
    columns = max(1 + len(group.generated) for group in groups)
    width = max(NARROWEST, columns * (SIDE + SPACE) + SPACE)
    letters = int(width * POINTS / (SHAPE * LETTERS))  # of a line
    texts = [_wrapped(found.rows, letters) for _, found in shown]
    heights = [LINE * (HEADING + sum(len(lines) for lines in text.values())) for text in texts]
    height = sum(heights) + sum(len(text) * (LINE / 2 + SIDE + SPACE) for text in texts)
    figure = Figure(figsize=(width, height))
    sheet = _Sheet(figure, width, height)
    for (group, found), text in zip(shown, texts, strict=True):
        methods = [REAL, *in_order(group.generated)]
        sheet.heading(group, methods)
        for image_id, lines in text.items():
            images = found.of_prompt(image_id).items()
            sheet.row(lines, [(methods.index(method), pixels) for method, pixels in images])
    return pd.concat([found.rows for _, found in shown], ignore_index=True), figure


def chosen_prompts(prompts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to show: of each label in turn, new captions first."""
    table = prompts.assign(again=prompts.duplicated("caption")).sort_values("again", kind="stable")
    table = table.assign(turn=table.groupby("label").cumcount()).sort_values(["turn", "again", "label"], kind="stable")
    return table.head(PROMPTS)[prompts.columns]


def _shown(group: Samples, size: int) -> Shown:
    """Return the images of `group` to show: the real ones of the chosen prompts, then those of each method."""
    images, manifest = group.stored
    tables = {method: generated.rows.drop_duplicates("image_id") for method, generated in group.generated.items()}
    asked = max(tables.values(), key=len)[["image_id", "caption", "seed"]]
    prompts = chosen_prompts(asked.merge(manifest[["image_id", "label", "source_file"]], on="image_id"))
    places = pd.Index(manifest["image_id"]).get_indexer(prompts["image_id"])
    parts = [prompts.assign(method=REAL, file=prompts["source_file"])]
    pixels: list[np.ndarray | None] = list(centre(images[places], size))
    for method, table in tables.items():
        made = prompts.merge(table[["image_id", "seed", "file"]], on=["image_id", "seed"], how="left")
        folder = group.generated[method].folder
        files = made["file"].map(lambda file, folder=folder: str(folder / file), na_action="ignore")
        pixels += [None if pd.isna(file) else np.asarray(Image.open(file).convert("RGB")) for file in files]
        parts.append(made.assign(method=method, file=files))
    rows = pd.concat(parts, ignore_index=True).drop(columns="source_file")
    rows = rows.assign(dataset=group.dataset, backbone=group.backbone, fraction=group.fraction, run=group.seed)
    return Shown(rows.assign(from_untuned=_from_untuned(rows, pixels)), pixels)


def _from_untuned(rows: pd.DataFrame, pixels: list[np.ndarray | None]) -> list[float]:
    every = list(zip(rows["method"], rows["image_id"], pixels, strict=True))
    untuned = {image_id: image for method, image_id, image in every if method == UNTUNED and image is not None}
    return [
        np.nan
        if method == REAL or image is None or image_id not in untuned
        else float(np.abs(image.astype(float) - untuned[image_id]).mean())
        for method, image_id, image in every
    ]


def _wrapped(rows: pd.DataFrame, letters: int) -> dict[str, list[str]]:
    """Return the lines, of so many `letters`, of the label and caption of each prompt by its image_id."""
    prompts = zip(rows["image_id"], rows["label"], rows["caption"], strict=True)
    quoted = {
        image_id: f"{spaced(label)}: \N{LEFT DOUBLE QUOTATION MARK}{caption}\N{RIGHT DOUBLE QUOTATION MARK}"
        for image_id, label, caption in prompts
    }
    return {image_id: textwrap.wrap(text, letters) for image_id, text in quoted.items()}


class _Sheet:
    """A figure that is filled from the top, in inches."""

    def __init__(self, figure: Figure, width: float, height: float):
        self.figure, self.width, self.height, self.top = figure, width, height, 0.0

    def heading(self, group: Samples, methods: list[str]) -> None:
        """Write which runs follow, and what is in each column."""
        runs = f"{plain(group.dataset)}, {group.backbone}, {percent(group.fraction)}, seed {group.seed}"
        self._write(SPACE, LINE, runs)
        self.top += HEADING * LINE
        for column, method in enumerate(methods):
            label = "Real" if method == REAL else style(method).label
            lines = textwrap.wrap(label, WRAP)
            for number, line in enumerate(reversed(lines)):
                self._write(self._left(column) + SIDE / 2, -number * LINE, line, ha="center", weight="bold")

    def row(self, lines: list[str], images: list[tuple[int, np.ndarray | None]]) -> None:
        """Write a caption and show the images below it, each with the number of its column."""
        for line in lines:
            self.top += LINE
            self._write(SPACE, 0, line)
        self.top += 0.5 * LINE
        for column, pixels in images:
            left = self._left(column)
            box = (left / self.width, 1 - (self.top + SIDE) / self.height, SIDE / self.width, SIDE / self.height)
            axes = self.figure.add_axes(box)
            axes.set_axis_off()
            if pixels is None:
                axes.text(0.5, 0.5, "no image", ha="center", va="center", fontsize=LETTERS, color="0.4")
            else:
                axes.imshow(pixels, interpolation="nearest")
        self.top += SIDE + SPACE

    def _left(self, column: int) -> float:
        return SPACE + column * (SIDE + SPACE)

    def _write(self, left: float, down: float, text: str, **options: Any) -> None:
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
