"""How much every method differs from full fine-tuning over all datasets of a study, the dataset being the unit."""

import pandas as pd

from medpeft.networks.encoders import encoder
from medpeft.statistics.blocks import GROUP
from medpeft.statistics.bootstrap import Scores, SeedScores, averaged
from medpeft.statistics.inference import Estimate
from medpeft.statistics.metrics import METRICS
from medpeft.statistics.significance import ASSESSED, BASELINE, DECIDED, NEEDED, assess, decide, needs

OVERALL_COLUMNS = [*GROUP, "method", "unit", "units", "datasets", "backbones", "score", *ASSESSED, *DECIDED, *NEEDED]
OVERALL_COLUMNS += ["least_without_one", "most_without_one", "depends_on"]
LEAST_TO_LEAVE_ONE_OUT = 3  # datasets

# Of one kind of encoder and fraction: the scores of a method by dataset and backbone.
Blocks = dict[tuple[str, str], SeedScores]


def overall(scores: Scores, margin: float) -> pd.DataFrame:
    """Return for each kind of encoder and fraction how much each method differs from full fine-tuning.

    The backbones of a dataset share its images, so they are averaged first. Of several datasets the mean difference
    is tested over them, whatever its cause: images, seeds and datasets are all in its spread. Of a single dataset it is
    tested over its seeds and test images, and says nothing of another dataset.

    Args:
        scores: Those of the primary metric.
        margin: The difference that does not matter.

    Returns:
        One row a method: unit (`dataset` or `seed`) and how many, datasets and backbones, score (the mean), what
        `significance` tests, decides and needs, the family being the methods of one kind of encoder at one fraction;
        with three datasets or more the least and the most of the difference where one of them is left out, and
        depends_on, the datasets without which another outcome is decided.
    """
    groups: dict[tuple[str, float], dict[str, Blocks]] = {}
    for cell, found in scores.items():
        by_method = groups.setdefault((encoder(cell.backbone), cell.fraction), {})
        by_method.setdefault(cell.method, {})[cell.dataset, cell.backbone] = found
    better = all(METRICS[cell.metric].higher_is_better for cell in scores)
    tables = [_group(group, by_method, margin, better) for group, by_method in groups.items() if BASELINE in by_method]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return table.reindex(columns=OVERALL_COLUMNS)


def _group(group: tuple[str, float], by_method: dict[str, Blocks], margin: float, better: bool) -> pd.DataFrame:
    gains = {
        method: _by_dataset(blocks, by_method[BASELINE]) for method, blocks in by_method.items() if method != BASELINE
    }
    gains = {method: of_method for method, of_method in gains.items() if of_method}
    table = _outcomes(gains, margin, better)
    if table.empty:
        return table
    table[GROUP] = group
    table["backbones"] = [len({backbone for _, backbone in by_method[method]}) for method in gains]
    table["score"] = [_mean_score(by_method[method]) for method in gains]
    return table.join(_leaving_one_out(gains, table["outcome"], margin, better))


def _by_dataset(blocks: Blocks, baseline: Blocks) -> dict[str, SeedScores]:
    """Return the differences from the baseline by dataset, averaged over the backbones that both have there."""
    gains: dict[str, list[SeedScores]] = {}
    for block in blocks.keys() & baseline.keys():
        gain = blocks[block].less(baseline[block])
        if len(gain.draws):
            gains.setdefault(block[0], []).append(gain)
    means = {dataset: averaged(gains[dataset]) for dataset in sorted(gains)}
    return {dataset: mean for dataset, mean in means.items() if len(mean.draws)}


def _mean_score(blocks: Blocks) -> float:
    """Return the mean over datasets of the mean over their backbones."""
    means = pd.Series({block: found.draws[0].mean() for block, found in blocks.items()})
    return float(means.groupby(level=0).mean().mean())


def _outcomes(gains: dict[str, dict[str, SeedScores]], margin: float, better: bool) -> pd.DataFrame:
    """Return one row a method: its differences by dataset, as one estimate, and what is decided of it."""
    rows = []
    for method, by_dataset in gains.items():
        estimate = _estimate(by_dataset)
        unit = "dataset" if len(by_dataset) > 1 else "seed"
        rows.append(
            {"method": method, "unit": unit, "units": estimate.units, "datasets": len(by_dataset)}
            | assess(estimate, margin, better)
            | needs(estimate, margin, len(gains))
        )
    return decide(pd.DataFrame(rows), better) if rows else pd.DataFrame()


def _estimate(by_dataset: dict[str, SeedScores]) -> Estimate:
    each = [found.estimate() for found in by_dataset.values()]
    if len(each) == 1:
        return each[0]
    return Estimate.of_units(pd.Series([estimate.value for estimate in each]).to_numpy())


def _leaving_one_out(
    gains: dict[str, dict[str, SeedScores]], outcomes: pd.Series, margin: float, better: bool
) -> pd.DataFrame:
    """Return the columns that say how the row of each method changes where one dataset is left out."""
    datasets = sorted({dataset for by_dataset in gains.values() for dataset in by_dataset})
    if len(datasets) < LEAST_TO_LEAVE_ONE_OUT:
        return pd.DataFrame(index=outcomes.index)
    without = {}
    for left_out in datasets:
        others = {method: {d: g for d, g in of.items() if d != left_out} for method, of in gains.items()}
        without[left_out] = _outcomes(others, margin, better)
    differences = pd.DataFrame({name: table["difference"] for name, table in without.items()})
    changed = pd.DataFrame({name: table["outcome"] != outcomes for name, table in without.items()})
    names = [" ".join(changed.columns[row]) for row in changed.to_numpy()]
    return pd.DataFrame(
        {
            "least_without_one": differences.min(axis=1),
            "most_without_one": differences.max(axis=1),
            "depends_on": names,
        }
    )
