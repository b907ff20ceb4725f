"""Scores of generated images: a mean and a spread a cell over the seeds that did not fail."""

import numpy as np
import pandas as pd
import pytest

from medpeft.statistics.collect import RUN_COLUMNS
from medpeft.statistics.generated.generation_scores import generation_scores, too_few

RUN = {"experiment": "table4", "task": "text-to-image", "dataset": "busi", "backbone": "stable_diffusion_v1_5"}
RUN |= {"method": "lora", "fraction": 1.0, "n_train": 500, "n_test": 80, "status": "ok", "kid": 0.1}
RUN |= {"precision": 0.5, "recall": 0.25, "feature_extractor": "inception", "features": 2048, "floor_fid": 9.0}


def test_failed_seeds_are_counted_and_left_out():
    seeds = [{"seed": 0, "fid": 20.0}, {"seed": 1, "fid": 30.0}]
    seeds.append({"seed": 2, "status": "failed: nan"} | dict.fromkeys(("fid", "kid", "precision", "recall")))
    other = RUN | {"experiment": "table2", "task": "classification"}
    (row,) = generation_scores(pd.DataFrame([RUN | seed for seed in seeds] + [other], columns=RUN_COLUMNS)).itertuples()
    assert (row.dataset, row.method, row.fraction) == ("busi", "lora", 1.0)
    assert (row.n_train, row.n_test, row.n_runs, row.n_failed) == (500, 80, 3, 1)
    assert (row.fid, row.fid_std) == (25.0, pytest.approx(np.sqrt(50)))
    assert (row.kid, row.precision, row.recall) == pytest.approx((0.1, 0.5, 0.25))
    assert (row.feature_extractor, row.features, row.floor_fid) == ("inception", 2048, 9.0)


def test_fewer_images_than_features_are_too_few():
    assert too_few(2047, 2048)
    assert not too_few(2048, 2048)
