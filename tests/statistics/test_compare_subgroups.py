"""Subgroups of test images are scored apart; the gap between them is judged by what chance would give."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from toy_runs import guesses, prediction, runs_of

from medpeft.base.errors import UserError
from medpeft.base.files import read_table, write_json, write_table
from medpeft.base.runs import Run
from medpeft.data.attributes import UNKNOWN
from medpeft.data.labels import Labels
from medpeft.statistics.evaluate import evaluate
from medpeft.statistics.populations.compare_subgroups import (
    OUTSIDE,
    Subgroup,
    compare_subgroups,
    difference,
    gap,
    grouped_by,
)
from medpeft.statistics.populations.resampling import Predicted, drawn, predicting, score_draws

IMAGES = 240


def predictions(seeds=(0, 1, 2)):
    return {("full", seed): prediction(1.2, seed, IMAGES, clusters=120) for seed in seeds}


def told(**columns) -> dict[str, pd.DataFrame]:
    ids = [f"i{row:03d}" for row in range(IMAGES)]
    return {"busi": pd.DataFrame({"image_id": ids} | columns).sample(frac=1, random_state=0)}


def scored(tables, attributes, asked, metrics=("f1_micro", "auroc")):
    return compare_subgroups(
        runs_of(tables), lambda run: Predicted(tables[run.method, int(run.seed)]), attributes, {"busi": asked}, metrics
    )


def test_a_score_of_a_group_is_the_score_of_its_images():
    tables = predictions()
    sex = np.where(np.arange(IMAGES) % 3 == 0, "f", "m")
    found = scored(tables, told(sex=sex), {"sex": None}).subgroups.set_index(["metric", "subgroup"])
    for name in ("f", "m"):
        rows = [table[sex == name] for table in tables.values()]
        accuracy = np.mean([(guesses(table) == table["label"]).mean() for table in rows])
        ranks = [
            roc_auc_score(t["label"], t.filter(like="probability_"), multi_class="ovr", average="macro") for t in rows
        ]
        assert found.loc[("f1_micro", name), "score"] == pytest.approx(accuracy)
        assert found.loc[("auroc", name), "score"] == pytest.approx(np.mean(ranks))
        row = found.loc[("f1_micro", name)]
        assert row["low"] < accuracy < row["high"]
        assert (row["n_images"], row["n_runs"], row["status"]) == ((sex == name).sum(), 3, "ok")
        assert row["n_clusters"] == rows[0]["cluster"].nunique()


def test_bands_hold_their_lower_edge_and_not_their_upper_one():
    values = pd.Series(["0", "39.9", "40", "59", "60", "-1", "unknown", "?"])
    found = {name: members.nonzero()[0].tolist() for name, members in grouped_by(values, [0, 40, 60], "age").items()}
    assert found == {"[0, 40)": [0, 1], "[40, 60)": [2, 3], OUTSIDE: [4, 5], UNKNOWN: [6, 7]}


def test_values_are_groups_in_the_order_of_their_numbers():
    assert list(grouped_by(pd.Series(["10", "9", "x", "unknown"]), None, "type")) == ["9", "10", "x", UNKNOWN]
    with pytest.raises(UserError, match="age has 30 values, such as '0', which are too many subgroups: write"):
        grouped_by(pd.Series(map(str, range(30))), None, "age")
    with pytest.raises(UserError, match="sex holds no number, such as 'f'"):
        grouped_by(pd.Series(["f", "m"]), [0, 1], "sex")


def test_groups_that_are_too_small_or_unknown_take_no_part_in_the_gap():
    place = np.array(["a"] * 19 + ["b"] * 100 + ["c"] * 90 + [""] * 31)
    found = scored(predictions(), told(place=np.where(place == "", UNKNOWN, place)), {"place": None}, ["f1_micro"])
    groups = found.subgroups.set_index("subgroup")
    assert groups.loc["a", "status"] == "fewer than 20 images"
    assert groups.loc["a", ["score", "low", "high"]].isna().all()
    assert groups.loc[UNKNOWN, "status"] == "ok"
    assert found.gaps["subgroups"].tolist() == [2]
    assert {found.gaps["best"][0], found.gaps["worst"][0]} == {"b", "c"}


def test_a_metric_over_classes_needs_some_images_of_each():
    tables = predictions()
    label = tables["full", 0]["label"].to_numpy()
    rest = np.flatnonzero(label != "normal")
    group = np.full(IMAGES, "many")
    group[[*rest[:60], *np.flatnonzero(label == "normal")[:4]]] = "few"
    found = scored(tables, told(group=group), {"group": None}).subgroups.set_index(["metric", "subgroup"])
    assert found.loc[("f1_micro", "few"), "status"] == "ok"
    assert found.loc[("auroc", "few"), "status"] == "fewer than 5 images of normal"


def test_failed_runs_and_single_seeds_give_no_p_value():
    tables = predictions(seeds=(0,)) | {("ssf", 0): pd.DataFrame()}
    found = scored(tables, told(sex=np.where(np.arange(IMAGES) % 2, "f", "m")), {"sex": None})
    assert set(found.subgroups["method"]) == {"full"}
    assert found.gaps["p_value"].isna().all()
    assert found.gaps["p_adjusted"].isna().all()
    assert (found.gaps["low"] <= found.gaps["gap"]).all()


def test_a_gap_of_two_groups_is_that_of_their_difference():
    pair = simulated(np.random.default_rng(1), (0.9, 0.7))
    found, estimate = gap(pair, True, (0, 1)), difference(*pair)
    low, high = sorted(np.abs(estimate.interval()))
    assert (found["best"], found["worst"]) == ("0", "1")
    assert [found["gap"], found["low"], found["high"]] == pytest.approx([estimate.value, low, high])
    assert found["p_value"] == estimate.p_value()
    assert gap(pair, False, (0, 1))["worst"] == "0"


def test_a_group_without_an_error_is_not_taken_for_certain():
    """20 of 20 right beside 93 of 100: Fisher's exact test gives a p-value of .6, a variance of 0 would give .006."""
    perfect = Subgroup("a", np.ones((3, 301)), 20, 20)
    other = simulated(np.random.default_rng(0), (0.93,), clusters=100)[0]
    assert gap([perfect, other], True, (0, 1))["p_value"] > 0.1


def simulated(random, accuracies, clusters=60, seeds=3, resamples=300) -> list[Subgroup]:
    """Return groups whose networks are right about images of these probabilities; images and seeds both decide."""
    groups = []
    for name, accuracy in enumerate(accuracies):
        hard = random.normal(size=clusters) + random.normal(size=(seeds, 1)) * 0.1
        z = (hard + random.normal(size=(seeds, clusters))) / np.sqrt(2.01)
        right = z < np.quantile(np.random.default_rng(0).normal(size=100_000), accuracy)
        weights = np.vstack(
            [np.ones(clusters), random.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)]
        )
        groups.append(Subgroup(str(name), right @ weights.T / clusters, clusters, clusters))
    return groups


MANY = pytest.param((0.9,) * 5, 300, marks=pytest.mark.exhaustive, id="five groups")


@pytest.mark.parametrize(("accuracies", "times"), [pytest.param((0.8,) * 3, 60, id="three groups"), MANY])
def test_where_there_is_no_gap_one_is_seldom_found(accuracies, times):
    """At 5 % more would be found once in a hundred times. The gaps that are seen are those that chance gives."""
    random = np.random.default_rng(5)
    found = [gap(simulated(random, accuracies), True, (0, 1)) for _ in range(times)]
    most = stats.binom.isf(0.01, times, 0.05)
    assert sum(one["p_value"] < 0.05 for one in found) <= most
    assert sum(one["low"] > 0 for one in found) <= most
    seen, chance = (np.mean([one[name] for one in found]) for name in ("gap", "chance_gap"))
    assert chance == pytest.approx(seen, rel=0.15)
    assert seen > 0.05  # which a reader would take for a gap


def test_a_gap_that_is_there_is_found_and_lies_in_its_interval():
    random = np.random.default_rng(6)
    found = [gap(simulated(random, (0.9, 0.85, 0.45)), True, (0, 1)) for _ in range(40)]
    assert np.mean([one["p_value"] < 0.05 for one in found]) > 0.9
    assert np.mean([one["low"] <= 0.45 <= one["high"] for one in found]) >= 0.95
    assert np.mean([one["worst"] == "2" for one in found]) > 0.95
    assert np.mean([one["worst_share"] for one in found]) > 0.9


def test_clusters_are_drawn_together_and_predictions_are_matched_by_name():
    table = prediction(1, 0, images=40, clusters=6)
    resampled = drawn(table, "busi", 50)
    for cluster in range(6):
        weights = resampled.weights[:, table.sort_values("image_id")["cluster"].to_numpy() == cluster]
        assert (weights == weights[:, :1]).all()
    assert (resampled.weights[0] == 1).all()
    shuffled = score_draws("auroc", [Predicted(table.sample(frac=1, random_state=1))], resampled)
    np.testing.assert_array_equal(shuffled, score_draws("auroc", [Predicted(table)], resampled))
    row = np.repeat(np.arange(40), resampled.weights[3].astype(int))
    again = table.sort_values("image_id").iloc[row]
    probabilities = again.filter(like="probability_").to_numpy()
    expected = [
        roc_auc_score(again["label"] == name, probabilities[:, n]) for n, name in enumerate(sorted(set(table["label"])))
    ]
    assert shuffled[0, 3] == pytest.approx(np.mean(expected))


def findings(seed, images=60) -> pd.DataFrame:
    """Return predictions of two findings that an image may have, or not; of some nobody knows."""
    random = np.random.default_rng(seed)
    truth = random.random((images, 2)) < 0.4
    probabilities = 1 / (1 + np.exp(-random.normal(size=(images, 2)) - 1.5 * truth - 1))
    table = pd.DataFrame(probabilities, columns=["probability_mass", "probability_nodule"])
    labels = ["|".join(np.array(["mass", "nodule"])[row]) for row in truth]
    ids = [f"i{row:03d}" for row in range(images)]
    return table.assign(image_id=ids, cluster=range(images), label=labels, unknown=["", "mass", ""] * (images // 3))


def test_thresholds_are_those_that_validation_chose(tmp_path):
    """The score without resampling is the one in `metrics.json`."""
    record = {"status": "ok", "n_train": 1, "labels": {"task": "multi-label", "classes": [], "positive": None}}
    folder = tmp_path / "busi" / "resnet50" / "full" / "1" / "0"
    write_json(folder / "record.json", record)
    write_table(folder / "validation_predictions.csv", findings(1))
    run, test = Run.of(folder / "x.csv"), findings(2)
    predicted = predicting([folder / "validation_predictions.csv"], [folder / "record.json"])(run, test)
    expected = evaluate(test, record, read_table(folder / "validation_predictions.csv"))
    for metric in ("f1_micro", "auroc"):
        assert score_draws(metric, [predicted], drawn(test, "busi", 3))[0, 0] == pytest.approx(expected[metric])
    without = Predicted(test, Labels("multi-label", ()))
    assert score_draws("f1_micro", [without], drawn(test, "busi", 3))[0, 0] != pytest.approx(expected["f1_micro"])


def test_a_finding_that_nearly_all_images_have_gives_no_score_over_classes():
    test = findings(2)
    test["label"], test["unknown"] = ["mass", "mass|nodule"] * 29 + ["nodule", ""], ""
    predicted = Predicted(test, Labels("multi-label", ()))
    runs, sex = runs_of({("full", 0): prediction(1, 0)}), pd.DataFrame({"image_id": test["image_id"], "sex": "f"})
    found = compare_subgroups(runs, lambda run: predicted, {"busi": sex}, {"busi": {"sex": None}}, ["auroc"])
    assert found.subgroups["status"].tolist() == ["fewer than 5 images without mass"]
