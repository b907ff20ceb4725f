"""What a run costs: medians over the runs with all training images, as measured, and beside full fine-tuning."""

import pandas as pd

from medpeft.artefacts.markup import Cell, Layout, mebibytes, number
from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.registry import Table
from medpeft.artefacts.selection import full_data
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.words import plain
from medpeft.base.frames import each_group, row_at
from medpeft.statistics.collect import distinct

CAPTION = "Measured costs of a run with the most training images that the study gives its task."
TABLE = Table(CAPTION, "costs", 2, ("runs",))


def make(sources: Sources) -> tuple[pd.DataFrame, Layout]:
    """What a run costs: medians over the runs with all training images, as measured, and beside full fine-tuning.

    `time_ratio` and `memory_ratio` are the time of an image in training and the peak memory over those of full
    fine-tuning on the same images and network.
    """
    measures = ["train_seconds", "images_per_second", "peak_memory_bytes", "adapter_bytes"]
    cell = ["dataset", "backbone", "device"]
    tasks = [distinct(sources.runs, task) for task in dict.fromkeys(sources.runs["task"])]
    runs = pd.concat(map(full_data, tasks))
    table = runs.groupby([*cell[:2], "method", "device"], sort=False)[measures].median().reset_index()
    full = table[table["method"] == "full"].set_index(cell)
    beside = full.reindex(table.set_index(cell).index).reset_index()
    table["time_ratio"] = beside["images_per_second"] / table["images_per_second"]
    table["memory_ratio"] = table["peak_memory_bytes"] / beside["peak_memory_bytes"]
    groups = {}
    for (dataset, backbone, device), rows in each_group(table, cell):
        by_method = rows.set_index("method")
        groups[f"{plain(dataset)}, {backbone}, on {device}"] = [
            _cost_line(method, row_at(by_method, method)) for method in in_order(rows["method"])
        ]
    header = ["Method", "Training (s)", "Images per s", "Time / full", "Memory (MiB)", "Memory / full", "File (MiB)"]
    notes = [
        "Medians over runs; training time without evaluation. Memory: the peak of what training takes, weights "
        "included. Ratios: time of an image, and memory, over those of full fine-tuning. Linear probing sees features."
    ]
    return table, Layout(header, groups, notes)


def _cost_line(method: str, row: pd.Series) -> list[Cell]:
    return [
        Cell(style(method).label),
        Cell(number(row["train_seconds"], 1)),
        Cell(number(row["images_per_second"], 0)),
        Cell(number(row["time_ratio"], 2)),
        Cell(number(row["peak_memory_bytes"] / 2**20, 0)),
        Cell(number(row["memory_ratio"], 2)),
        Cell(mebibytes(row["adapter_bytes"])),
    ]
