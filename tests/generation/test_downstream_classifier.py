"""Training on generated images and testing on real ones: good images help, noise does not, gaps stay gaps."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from medpeft.generation.downstream_classifier import (
    DOWNSTREAM_COLUMNS,
    INVERSE_PENALTY,
    Labelled,
    classify,
    generated_set,
    real_sets,
)
from medpeft.generation.features import Extractor, features

NAMES = np.array(["benign", "malignant", "normal"])


def drawn(count: int, seed: int, shift: float = 1.0) -> Labelled:
    """Three classes whose features differ by `shift` standard deviations in one channel each."""
    random = np.random.default_rng(seed)
    classes = np.arange(count) % 3
    return Labelled(random.normal(size=(count, 12)) + shift * np.eye(12)[classes] * 3, NAMES[classes])


def test_scores_are_those_of_a_logistic_regression():
    real, generated, test = drawn(60, 0), drawn(90, 1), drawn(300, 2)
    table = classify(real, generated, test).set_index("trained_on")
    assert list(table["n_train"]) == [60, 90, 150]
    mean, spread = generated.features.mean(0), generated.features.std(0)
    reference = LogisticRegression(C=INVERSE_PENALTY, max_iter=2000).fit(
        (generated.features - mean) / spread, generated.labels
    )
    answers = reference.predict((test.features - mean) / spread)
    for average in ("micro", "macro"):
        expected = f1_score(test.labels, answers, average=average)
        assert table.at["generated", f"f1_{average}"] == pytest.approx(expected)


def test_images_that_show_their_class_are_worth_more_than_others():
    real, test = drawn(30, 0), drawn(300, 2)
    good = classify(real, drawn(300, 1), test).set_index("trained_on")
    bad = classify(real, drawn(300, 1, shift=0), test).set_index("trained_on")
    assert good.at["generated", "auroc"] > 0.95 > bad.at["generated", "auroc"] + 0.1
    assert good.at["both", "f1_micro"] > good.at["real", "f1_micro"] > bad.at["both", "f1_micro"]
    assert good.loc["real"].equals(bad.loc["real"])


def test_a_class_that_was_not_generated_is_never_predicted():
    lacking = drawn(90, 1)
    lacking = Labelled(*(part[lacking.labels != "normal"] for part in lacking))
    table = classify(drawn(60, 0), lacking, drawn(300, 2)).set_index("trained_on")
    assert table.at["generated", "f1_micro"] <= 2 / 3
    assert np.isfinite(table.at["generated", "auroc"])


def test_images_of_a_single_class_teach_nothing_but_it():
    """As a few generated images are, or all of a small fraction; the other rows are scored all the same."""
    real, test = drawn(60, 0), drawn(300, 2)
    one = Labelled(real.features[:1], real.labels[:1])
    table = classify(real, one, test).set_index("trained_on")
    assert table.at["generated", "f1_micro"] == pytest.approx(1 / 3)
    assert table.at["generated", "auroc"] == 0.5
    assert list(table["n_train"]) == [60, 1, 61]
    assert table.at["real", "f1_micro"] > 0.5


def test_a_failed_run_has_gaps_and_the_score_of_real_images():
    table = classify(drawn(60, 0), None, drawn(60, 2)).set_index("trained_on")
    assert table.loc[["generated", "both"], ["f1_micro", "f1_macro", "auroc"]].isna().all().all()
    assert list(table["n_train"]) == [60, 0, 0]
    assert table.at["real", "f1_micro"] > 0.5


def test_a_single_class_has_no_rows():
    one = Labelled(np.zeros((9, 2)), np.array(["scan"] * 9))
    table = classify(one, one, one)
    assert table.empty
    assert list(table.columns) == DOWNSTREAM_COLUMNS


def test_real_sets_are_the_splits_of_the_run():
    rows = pd.DataFrame({"row": [5, 0, 3, 2], "split": ["train", "test", "train", "validation"], "label": list("abca")})
    train, test = real_sets(rows, np.arange(12).reshape(6, 2))
    assert train.features.tolist() == [[10, 11], [6, 7]]
    assert list(train.labels) == ["a", "c"]
    assert test.features.tolist() == [[0, 1]]
    assert list(test.labels) == ["b"]


def test_the_generated_set_has_the_classes_of_its_prompts(lite0, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 40, 40, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    extractor = Extractor("efficientnet_lite0", lite0, 1, "cpu")
    found = generated_set(tmp_path, pd.DataFrame({"file": ["1.png", "0.png"], "label": ["a", "b"]}), extractor)
    np.testing.assert_array_equal(found.features, features([pixels[[1, 0]]], extractor))
    assert list(found.labels) == ["a", "b"]
