"""Write how often the inference errs over a grid of simulated studies, as docs/explanation/inference.md shows it."""

from pathlib import Path

import pandas as pd
from toy_studies import GRID, Truth, error_rates

from medpeft.artefacts.markup import Cell, Layout, markdown, number
from medpeft.base.files import write_table

FOLDER = Path(__file__).parents[2] / "docs" / "results" / "inference"
STUDIES = 5000
COLUMNS = ["test_images", "seeds", "seed_deviation", "shared_variance", "error", "coverage"]


def main() -> None:
    """Simulate `STUDIES` studies a row, and write the table and what readers see of it."""
    rows = [(*case, *error_rates(Truth(*case), STUDIES)) for case in GRID]
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_table(FOLDER / "simulation.csv", table)
    header = ["Test images", "Seeds", "Deviation of seeds", "Shared by seeds", "Error", "Coverage"]
    lines = [
        [Cell(f"{images:,}"), Cell(str(seeds)), *(Cell(number(value)) for value in others)]
        for images, seeds, *others in rows
    ]
    (FOLDER / "simulation.md").write_text(markdown(Layout(header, {"": lines}, left=0)), encoding="utf-8")


if __name__ == "__main__":
    main()
