"""What a study found, and how its sentences look it up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pandas as pd

from medpeft.artefacts.palette import in_order, style
from medpeft.artefacts.selection import NOT_PEFT
from medpeft.artefacts.words import percent, plain
from medpeft.base.frames import each_group, each_row
from medpeft.data.dataset import Dataset
from medpeft.statistics.columns import CONFUSION_COLUMNS
from medpeft.statistics.generated.compare_generated import COMPARISON_COLUMNS
from medpeft.statistics.metrics import METRICS, Metric
from medpeft.statistics.populations.compare_subgroups import GAP_COLUMNS, SUBGROUP_COLUMNS
from medpeft.statistics.populations.external_validation import DIFFERENCE_COLUMNS, EXTERNAL_COLUMNS

# Dataset, backbone and fraction, and the differences of methods from full fine-tuning.
Case = tuple[str, str, float, pd.DataFrame]


@dataclass(frozen=True)
class Evidence:
    """The study's settings and result tables; `differences` has one row a method, `friedman` one a test.

    `lengths` is what text encoders took of captions, by dataset and diffusion pipeline. The tables after it are empty
    where the study has none.
    """

    settings: dict
    runs: pd.DataFrame
    scores: pd.DataFrame
    differences: pd.DataFrame
    crossovers: pd.DataFrame
    friedman: pd.DataFrame
    recommendations: pd.DataFrame
    learning_rates: pd.DataFrame
    datasets: dict[str, Dataset]
    protocols: dict[str, str]
    audits: dict[str, pd.DataFrame]
    claims: pd.DataFrame
    lengths: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    generation_comparisons: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COMPARISON_COLUMNS))
    subgroups: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SUBGROUP_COLUMNS))
    gaps: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=GAP_COLUMNS))
    external: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=EXTERNAL_COLUMNS))
    external_differences: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=DIFFERENCE_COLUMNS))
    confusions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CONFUSION_COLUMNS))

    @property
    def metric(self) -> Metric:
        """The primary metric."""
        return METRICS[self.settings["primary_metric"]]


def cases(evidence: Evidence) -> Iterator[Case]:
    """Yield dataset, backbone, fraction and the primary metric's differences of each case, the best method first."""
    primary = evidence.differences[evidence.differences["primary"].astype(bool)]
    for (dataset, backbone), group in each_group(primary, ["dataset", "backbone"]):
        for fraction, case in each_group(group.sort_values("fraction", kind="stable"), "fraction"):
            yield (
                dataset,
                backbone,
                fraction,
                case.sort_values("difference", ascending=not evidence.metric.higher_is_better, kind="stable"),
            )


def at_full_data(evidence: Evidence) -> list[Case]:
    """Return the cases with the largest fraction of their dataset and backbone."""
    return list({case[:2]: case for case in cases(evidence)}.values())


def most_data(evidence: Evidence) -> str:
    """Return what the largest fraction of every case is called."""
    return "all training images" if all(case[2] == 1 for case in at_full_data(evidence)) else "the most training images"


def only_peft(case: pd.DataFrame) -> pd.DataFrame:
    return case[~case["method"].isin(NOT_PEFT)]


def training_images(evidence: Evidence, dataset: str, fraction: float) -> int:
    """Return how many images a fraction of the training set of a dataset is."""
    rows = evidence.scores[(evidence.scores["dataset"] == dataset) & (evidence.scores["fraction"] == fraction)]
    return int(rows["n_train"].max())


def labels(methods: Iterable[str]) -> str:
    return ", ".join(style(method).label for method in in_order(methods)) or "none"


def failed_runs(runs: pd.DataFrame) -> list[str]:
    return [
        f"{style(run.method).label}, {plain(run.dataset)}, {run.backbone}, {percent(run.fraction)}, "
        f"seed {run.seed}: {run.status.removeprefix('failed: ')}"
        for run in each_row(runs[runs["status"] != "ok"])
    ]


def facts_of(runs: pd.DataFrame, cells: pd.DataFrame) -> dict:
    """Return how many `runs` there were, what failed, and what their `cells` vary."""
    return {
        "runs": len(runs),
        "failed": failed_runs(runs),
        "methods": [style(method).label for method in in_order(cells["method"])],
        "fractions": [percent(fraction) for fraction in sorted(set(cells["fraction"]))],
        "seeds": int(runs["seed"].nunique()),
        "devices": sorted(set(runs["device"])),
    }
