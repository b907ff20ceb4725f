"""Predictions of made-up networks for one test set, and the rows of `runs.csv` that belong to them."""

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from medpeft.statistics.compare import Question, Results, compare
from medpeft.statistics.metrics import shown_in

QUESTION = Question("f1_micro", margin=0.02)
CLASSES = np.array(["benign", "malignant", "normal"])


def prediction(skill, seed, images=40, clusters=15):
    truth = np.random.default_rng(7).integers(0, 3, images)
    groups = np.random.default_rng(8).integers(0, clusters, images)
    logits = np.random.default_rng(seed).normal(size=(images, 3)) + skill * np.eye(3)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in CLASSES])
    return table.assign(image_id=[f"i{row:03d}" for row in range(images)], cluster=groups, label=CLASSES[truth])


def three_methods():
    """Return predictions by method and seed: `ssf` is better than `full`, `bias` about as good."""
    skill = {"full": 0.5, "ssf": 3.0, "bias": 0.6}
    return {(method, seed): prediction(skill[method], 10 * seed + len(method)) for method in skill for seed in (0, 1)}


def guesses(table):
    return CLASSES[table.filter(like="probability_").to_numpy().argmax(axis=1)]


def runs_of(tables, fraction=1.0):
    rows = []
    for (method, seed), table in tables.items():
        row = {
            "task": "classification",
            "dataset": "busi",
            "backbone": "resnet50",
            "method": method,
            "family": "additive",
        }
        row |= {
            "fraction": fraction,
            "n_train": 10,
            "n_test": len(table),
            "seed": seed,
            "status": "ok" if len(table) else "failed: nan",
        }
        for name in shown_in("scores"):
            average = name.removeprefix("f1_") if name.startswith("f1_") else "weighted"
            row[name] = f1_score(table["label"], guesses(table), average=average) if len(table) else None
        rows.append(row)
    return pd.DataFrame(rows)


def results(tables) -> Results:
    """Return what `compare` finds on one dataset and backbone, from predictions by method and seed."""
    return compare(runs_of(tables), lambda run: tables[run.method, int(run.seed)], QUESTION)


def scores_of(**blocks):
    """Return the scores of blocks given as `dataset={method: micro-F1}`, on one CNN with all data."""
    rows = [(name, "resnet50", method, 1.0, mean) for name, block in blocks.items() for method, mean in block.items()]
    return pd.DataFrame(rows, columns=["dataset", "backbone", "method", "fraction", "mean"]).assign(metric="f1_micro")
