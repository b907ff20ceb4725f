"""Comparisons with full fine-tuning as the stage `compare` writes them, from differences that a test names."""

import pandas as pd

from medpeft.statistics.compare import COMPARISON_COLUMNS
from medpeft.statistics.inference import Estimate
from medpeft.statistics.overall import OVERALL_COLUMNS
from medpeft.statistics.rank import RANK_COLUMNS, TEST_COLUMNS
from medpeft.statistics.recommend import RECOMMENDATION_COLUMNS, recommend
from medpeft.statistics.significance import assess, decide, needs

MARGIN = 0.02


def judged_rows(differences: dict, deviation=0.001, seeds=3, images=1000) -> pd.DataFrame:
    """Return what is decided of a family of `differences` by method, each with this standard error over seeds."""
    rows = []
    for method, difference in differences.items():
        estimate = Estimate(difference, deviation**2 if seeds > 1 else float("nan"), 1e-8, seeds, images)
        row = {"method": method} | assess(estimate, MARGIN) | needs(estimate, MARGIN, len(differences))
        rows.append(row | {"seeds_won": seeds if difference > 0 else 0, "seeds_compared": seeds})
    return decide(pd.DataFrame(rows)) if rows else pd.DataFrame()


def comparisons(cases: dict, **how) -> pd.DataFrame:
    """Return the comparisons of each case (dataset, backbone, fraction), given as differences by method."""
    tables = [
        judged_rows(differences, **how).assign(dataset=dataset, backbone=backbone, fraction=fraction)
        for (dataset, backbone, fraction), differences in cases.items()
        if differences
    ]
    table = pd.concat(tables) if tables else pd.DataFrame()
    table = table.assign(metric="f1_micro", primary=True, margin=MARGIN)
    return table.reindex(columns=COMPARISON_COLUMNS)


def overall_rows(differences: dict, datasets=5, fraction=1.0, **how) -> pd.DataFrame:
    """Return the differences over datasets of one kind of encoder."""
    table = judged_rows(differences, seeds=datasets, **how).assign(encoder="cnn", fraction=fraction, unit="dataset")
    table = table.assign(units=datasets, datasets=datasets, backbones=1, score=0.8, depends_on="")
    return table.reindex(columns=OVERALL_COLUMNS)


def recommended(overall: pd.DataFrame, parameters: dict) -> pd.DataFrame:
    """Return what is recommended where a method trains so many `parameters`."""
    costs = {"peak_memory_bytes": 2**31, "train_seconds": 9.5, "adapter_bytes": 2**20, "status": "ok", "seed": 0}
    rows = [{"method": method, "trainable_parameters": count} | costs for method, count in parameters.items()]
    runs = pd.DataFrame(rows).assign(dataset="busi", backbone="resnet50", fraction=1.0, task="classification")
    return recommend(overall, runs).reindex(columns=RECOMMENDATION_COLUMNS)


def ranks(mean_ranks: dict, fraction=1.0) -> pd.DataFrame:
    """Return the ranks of methods of one kind of encoder over two datasets."""
    rows = [
        {"encoder": "cnn", "fraction": fraction, "method": method, "datasets": 2, "mean_rank": rank, "low": rank - 0.1}
        | {"high": rank + 0.1, "least_without_one": rank, "most_without_one": rank, "score": 0.8}
        for method, rank in mean_ranks.items()
    ]
    return pd.DataFrame(rows).reindex(columns=RANK_COLUMNS)


def rank_tests(*tests: dict) -> pd.DataFrame:
    """Return rows of `friedman.csv`: a test of four methods on five datasets, with what each of `tests` changes."""
    test = {"encoder": "cnn", "fraction": 1.0, "metric": "f1_micro", "methods": 4, "datasets": 5, "left_out": 1}
    test |= {"p_value": 0.04, "permutation_p_value": 0.03, "critical_difference": 2.1, "status": "ok"}
    return pd.DataFrame([test | changed for changed in tests]).reindex(columns=TEST_COLUMNS)
