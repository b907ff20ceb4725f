"""The bootstrap: vectorised, it is scikit-learn on explicit resamples, and its variance is right."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from toy_runs import guesses, prediction, three_methods

from medpeft.data.labels import Labels
from medpeft.statistics.bootstrap import Bootstrap, SeedScores, cluster_weights


@pytest.fixture(scope="module")
def tables():
    return three_methods()


def test_the_bootstrap_is_scikit_learn_on_resampled_clusters(tables):
    bootstrap = Bootstrap("busi", ["f1_micro", "f1_macro"])
    one, other = tables["full", 0], tables["full", 1]
    draws = [bootstrap.scores(table) for table in (one, other)]
    names = pd.factorize(one["cluster"])[0]
    for index in (0, 1, 2, 500):
        times = bootstrap.weights[index].astype(int)[names]
        rows = np.repeat(np.arange(len(one)), times)
        for metric in ("f1_micro", "f1_macro"):
            expected = [
                f1_score(table["label"].iloc[rows], guesses(table)[rows], average=metric.removeprefix("f1_"))
                for table in (one, other)
            ]
            assert [each[metric][index] for each in draws] == pytest.approx(expected, abs=1e-12)


def test_images_with_several_labels_are_resampled_without_what_nobody_knows():
    table = prediction(1.0, 3).assign(unknown=["benign", "", "malignant|normal", ""] * 10)
    table.loc[5, "label"] = "benign|normal"
    bootstrap = Bootstrap("nih", ["f1_micro"], Labels("multi-label", ()))
    draws = bootstrap.scores(table)["f1_micro"]
    classes = ["benign", "malignant", "normal"]
    truth, unknown = (
        np.array([[name in cell.split("|") for name in classes] for cell in table[column]])
        for column in ("label", "unknown")
    )
    flagged, known = table.filter(like="probability_").to_numpy() >= 0.5, ~unknown
    assert draws[0] == pytest.approx(f1_score(truth[known], flagged[known]))
    times = np.repeat(bootstrap.weights[7].astype(int)[bootstrap.clusters][:, None], 3, axis=1)
    assert draws[7] == pytest.approx(f1_score(truth[known], flagged[known], sample_weight=times[known]))


def test_resampling_clusters_is_wider_than_resampling_images():
    copies = pd.concat([prediction(1.0, 3)] * 4, ignore_index=True)
    copies["image_id"] = [f"i{row:03d}" for row in range(160)]
    clustered = Bootstrap("busi", ["f1_micro", "f1_macro"]).scores(copies.assign(cluster=np.tile(np.arange(40), 4)))
    alone = Bootstrap("busi", ["f1_micro", "f1_macro"]).scores(copies.assign(cluster=np.arange(160)))
    assert clustered["f1_micro"].std() > 1.5 * alone["f1_micro"].std()  # sqrt(4) in expectation


def test_the_variance_over_images_is_that_of_a_share(tables):
    bootstrap = Bootstrap("busi", ["f1_micro", "f1_macro"])
    table = tables["full", 0].assign(cluster=range(40))
    draws = bootstrap.scores(table)["f1_micro"]
    found = SeedScores(pd.DataFrame([draws]), bootstrap.size).estimate()
    score = found.value
    assert found.image_variance == pytest.approx(score * (1 - score) / 39, rel=0.1)


def test_another_dataset_is_resampled_by_itself():
    first, second = (cluster_weights(name, 40) for name in ("busi", "ham10000"))
    assert (first[0] == 1).all()
    assert not (first[1:] == second[1:]).all()
