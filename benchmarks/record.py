"""Every measurement on a machine, kept in a file, and what comes out of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import t

from comparison import PIPELINE, Comparison
from medpeft.base.files import read_json, write_json

LEAST_SHARE = 0.8  # of the recorded ratio, below which the pipeline has become slower
CERTAINTY = 0.9973  # with which scores must differ: three standard errors where there are many runs
CLOCKS = ("seconds", "cpu_seconds", "train_seconds")


class Record:
    """The file with every measurement on this machine, and for each comparison the last ratio that held: its baseline.

    A session is one state of the code measured `repeats` times. It begins when the last one is finished or the code is
    another, and replaces its measurements; its ratios become baselines, but for those that had fallen or whose scores
    differed.
    """

    def __init__(self, path: Path):
        self.path = path
        self.content = read_json(path) if path.exists() else {"preparation_seconds": {}, "comparisons": {}}

    def begin(self, names: list[str], repeats: int, code: str, origin: dict, forget: Callable[[], None]) -> None:
        """Go on with the session of this `code` if it lacks something, or begin a new one, after `forget()`."""
        entries = self.content["comparisons"]
        unfinished = any(len(list(whole(entries.get(name, {})))) < repeats for name in names)
        if self.content.get("code") == code and unfinished:
            return
        forget()
        for entry in entries.values():
            ratio, finished = summary(entry), len(list(whole(entry))) >= self.content["asked"]
            if finished and ratio and ratio["equal"] and not ratio["fallen"]:
                entry["baseline"] = {"ratio": ratio["ratio"], "commit": self.content["origin"]["commit"]}
            entry["repeats"] = []
        self.content |= {"code": code, "origin": origin, "asked": repeats, "preparation_seconds": {}}
        self.save()

    def lacks(self, comparison: Comparison, repeat: int, contender: str) -> bool:
        repeats = self._entry(comparison)["repeats"]
        return repeat >= len(repeats) or contender not in repeats[repeat]

    def add(self, comparison: Comparison, repeat: int, contender: str, measurement: dict) -> None:
        """Add one measurement and write the file."""
        repeats = self._entry(comparison)["repeats"]
        repeats += [{} for _ in range(repeat + 1 - len(repeats))]
        repeats[repeat][contender] = measurement
        self.save()

    def save(self) -> None:
        write_json(self.path, self.content)

    def _entry(self, comparison: Comparison) -> dict:
        about = {name: getattr(comparison, name) for name in ("title", "other", "clock", "score")}
        entry = self.content["comparisons"].setdefault(comparison.name, {"repeats": [], "baseline": None})
        entry |= about | {"count": len(comparison.runs)}
        return entry


def whole(entry: dict) -> Iterator[dict]:
    """Yield the repeats in which both contenders were measured."""
    yield from (repeat for repeat in entry.get("repeats", []) if {PIPELINE, entry["other"]} <= repeat.keys())


def summary(entry: dict) -> dict | None:
    """Return how a comparison came out, or None before its first whole repeat.

    `ratio` is how many times as long as the pipeline the other contender takes, by medians over repeats. `equal` tells
    that no difference between the scores of the same runs was found: its mean is within `margin` of 0, half of
    Student's interval of `CERTAINTY`. `fallen` tells that the ratio is below `LEAST_SHARE` of the baseline, where both
    count.
    """
    repeats = list(whole(entry))
    if not repeats:
        return None
    mine, other = ([repeat[name] for repeat in repeats] for name in (PIPELINE, entry["other"]))
    ratios = {clock: median(other, clock) / median(mine, clock) for clock in CLOCKS}
    differences = run_scores(mine, entry["score"]) - run_scores(other, entry["score"])
    error = float(differences.std(ddof=1) / len(differences) ** 0.5) if len(differences) > 1 else np.nan
    difference = float(differences.mean())
    margin = float(t.ppf((1 + CERTAINTY) / 2, len(differences) - 1) * error)
    equal = not abs(difference) > margin
    least = LEAST_SHARE * entry["baseline"]["ratio"] if entry["baseline"] else 0
    return {
        "ratio": ratios[entry["clock"]],
        "cpu_ratio": ratios["cpu_seconds"],
        "training_ratio": ratios["train_seconds"],
        "ratios": [other[entry["clock"]] / mine[entry["clock"]] for mine, other in zip(mine, other, strict=True)],
        "difference": difference,
        "margin": margin,
        "equal": equal,
        "fallen": equal and ratios[entry["clock"]] < least,
    }


def median(measurements: list[dict], name: str) -> float:
    """Return the median of one number over `measurements`."""
    return float(np.median([measurement[name] for measurement in measurements]))


def run_scores(measurements: list[dict], score: str) -> np.ndarray:
    """Return the score of each run, the mean over repeats."""
    return np.mean([[run["scores"][score] for run in found["runs"].values()] for found in measurements], axis=0)
