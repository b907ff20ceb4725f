"""What is shown of the measurements on a machine: a table, a chart, and sentences where the pipeline became slower."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from comparison import PIPELINE
from medpeft.artefacts.palette import BLACK, BLUE, GREEN, VERMILLION
from medpeft.base.files import write_table
from record import CLOCKS, median, run_scores, summary, whole

TITLES = {
    PIPELINE: "medpeft",
    "plain": "PyTorch script",
    "trainer": "transformers Trainer",
    "diffusers": "diffusers loop",
}
COLOURS = {"plain": BLUE, "trainer": VERMILLION, "diffusers": GREEN}


def table(content: dict) -> pd.DataFrame:
    """Return one row for each contender of each comparison."""
    rows = []
    for name, entry in content["comparisons"].items():
        found = summary(entry)
        for contender in (PIPELINE, entry["other"]) if found else ():
            measurements = [repeat[contender] for repeat in whole(entry)]
            scores = run_scores(measurements, entry["score"])
            other = contender != PIPELINE
            rows.append(
                {
                    "comparison": name,
                    "title": entry["title"],
                    "contender": contender,
                    "runs": entry["count"],
                    "repeats": len(measurements),
                    **{clock: median(measurements, clock) for clock in CLOCKS},
                    "images_per_second": measurements[0]["images"] / median(measurements, entry["clock"]),
                    "memory_bytes": max(measurement["memory_bytes"] for measurement in measurements),
                    "score": entry["score"],
                    "mean": scores.mean(),
                    "spread": scores.std(ddof=1) if len(scores) > 1 else np.nan,
                    "difference": found["difference"] if other else np.nan,
                    "margin": found["margin"] if other else np.nan,
                    "clock": entry["clock"],
                    "ratio": found["ratio"] if other else 1.0,
                    "cpu_ratio": found["cpu_ratio"] if other else 1.0,
                    "training_ratio": found["training_ratio"] if other else 1.0,
                    "baseline": entry["baseline"]["ratio"] if other and entry["baseline"] else np.nan,
                    "counts": found["equal"],
                }
            )
    return pd.DataFrame(rows)


def markdown(rows: pd.DataFrame, content: dict) -> str:
    """Return the table for people, and below it where its numbers come from."""
    lines = [
        "| Comparison | Runs | Repeats | Contender | Time | Images/s | Memory "
        "| Score | Difference | Ratio | CPU | Training |",
        "| :-- | --: | --: | :-- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows.itertuples():
        mark = "" if row.counts else " (scores differ)"
        spread = "" if np.isnan(row.spread) else f" ± {row.spread:.3f}"
        cells = (
            row.title,
            f"{row.runs}",
            f"{row.repeats}",
            TITLES[row.contender],
            f"{getattr(row, row.clock):.1f} s",
            f"{row.images_per_second:.0f}",
            f"{row.memory_bytes / 2**20:.0f} MiB",
            f"{row.mean:.3f}{spread}",
            "" if np.isnan(row.difference) else f"{row.difference:+.3f} ± {row.margin:.3f}",
            f"{row.ratio:.2f}{mark}",
            f"{row.cpu_ratio:.2f}",
            f"{row.training_ratio:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    origin = content["origin"]
    packages = ", ".join(f"{name} {number}" for name, number in origin["packages"].items())
    prepared = "; ".join(
        f"{name}: {', '.join(f'{stage} {seconds:.0f} s' for stage, seconds in stages.items())}"
        for name, stages in content["preparation_seconds"].items()
    )
    lines += [
        "",
        f"{origin['hardware']}, {origin['cores']} cores, two of them used; {origin['date']}, commit {origin['commit']}"
        f"{' with changes' if origin['dirty'] else ''}; Python {origin['python']}, {packages}.",
        f"What the pipeline does once before all runs, apart from the times above: {prepared}.",
    ]
    return "\n".join(lines) + "\n"


def chart(content: dict) -> Figure:
    """Return the figure of all ratios: a bar for the median, a dot for each repeat; hollow where scores differ."""
    found = [(entry, summary(entry)) for entry in content["comparisons"].values()]
    shown = [(entry, ratio) for entry, ratio in found if ratio][::-1]
    figure = Figure(figsize=(7, 0.45 * len(shown) + 1.1), layout="constrained")
    axes = figure.subplots()
    for place, (entry, ratio) in enumerate(shown):
        colour = COLOURS[entry["other"]]
        axes.barh(place, ratio["ratio"], 0.6, color=colour if ratio["equal"] else "none", edgecolor=colour)
        axes.plot(ratio["ratios"], [place] * len(ratio["ratios"]), ".", color=BLACK, ms=4)
        axes.annotate(
            f" {ratio['ratio']:.2f}", (max(ratio["ratio"], *ratio["ratios"], 0), place), va="center", fontsize=8.5
        )
    labels = [f"{entry['title']}\n{TITLES[entry['other']]}, {entry['count']} runs" for entry, _ in shown]
    axes.set_yticks(range(len(shown)), labels, fontsize=8)
    axes.axvline(1, color=BLACK, lw=1)
    axes.set_xlim(0, 1.15 * max(max(ratio["ratio"], *ratio["ratios"], 1) for _, ratio in shown))
    axes.set_xlabel("Time, as a multiple of the pipeline's")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def report(content: dict, path: Path) -> None:
    """Write the table as CSV and Markdown and the chart as PNG and PDF beside the record at `path`."""
    rows = table(content)
    if rows.empty:
        return
    write_table(path.with_suffix(".csv"), rows)
    path.with_suffix(".md").write_text(markdown(rows, content), encoding="utf-8")
    figure = chart(content)
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None, "ModDate": None})


def falls(content: dict) -> list[str]:
    """Return a sentence for each ratio that has fallen too far."""
    found = [(entry, summary(entry)) for entry in content["comparisons"].values()]
    return [
        f"{entry['title']}: {TITLES[entry['other']]} takes {ratio['ratio']:.2f} times as long as the pipeline where it "
        f"took {entry['baseline']['ratio']:.2f} times as long at commit {entry['baseline']['commit']}"
        for entry, ratio in found
        if ratio and ratio["fallen"]
    ]
