"""Metrics of generated images are those of torch-fidelity, means over the repeats, against the test images."""

import numpy as np
import pandas as pd
import pytest
from torch_scores import torch_scores, write_folder

from medpeft.base.errors import UserError
from medpeft.generation.features import Extractor, features
from medpeft.generation.fidelity import fidelity
from medpeft.generation.likeness import LIKENESS, Likeness
from medpeft.statistics.generated.jackknife import JACKKNIFE_COLUMNS

RECORD = {"status": "ok", "n_train": 7}
COUNT = 20
COMPARED = pd.DataFrame({"image_id": [f"i{number:02d}" for number in range(COUNT)], "group": np.arange(COUNT) % 5 + 1})
REAL = np.random.default_rng(0).integers(0, 255, (COUNT, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def extractor(lite0) -> Extractor:
    """EfficientNet-Lite0, as the default study has it."""
    return Extractor("efficientnet_lite0", lite0, 1, "cpu")


def _files(repeats: int) -> pd.DataFrame:
    rows = [(f"{repeat}/{number:05d}.png", f"i{number:02d}") for repeat in range(repeats) for number in range(COUNT)]
    return pd.DataFrame(rows, columns=["file", "image_id"])


def test_metrics_are_those_of_torch_fidelity_means_over_the_repeats(extractor, tmp_path):
    random, generated = np.random.default_rng(1), tmp_path / "generated"
    repeats = [random.integers(0, 150 + 50 * repeat, REAL.shape, dtype=np.uint8) for repeat in range(2)]
    folders = [write_folder(generated / str(number), pixels) for number, pixels in enumerate(repeats)]
    (generated / ".snakemake_timestamp").touch()  # as Snakemake leaves in every folder that a rule writes
    real = features([REAL], extractor)
    found, jackknife = fidelity(generated, _files(2), real, COMPARED, RECORD, extractor)
    single = np.ones(COUNT, int)
    each = [Likeness(features([pixels], extractor), real).scores(single)[0] for pixels in repeats]
    assert each[1] == pytest.approx(
        torch_scores(folders[1], write_folder(tmp_path / "real", REAL), extractor), rel=1e-3
    )
    assert [found[name] for name in LIKENESS] == pytest.approx(np.mean(each, axis=0), rel=1e-3)
    assert found["fid_sd"] == pytest.approx(np.std([one[0] for one in each], ddof=1), rel=1e-2)
    assert (found["status"], found["n_train"], found["n_test"]) == ("ok", 7, COUNT)
    assert found["feature_extractor"] == "efficientnet_lite0"
    # The jackknife begins with the score, and leaves a prompt out on both sides and of every repeat.
    assert jackknife.columns.to_list() == JACKKNIFE_COLUMNS
    assert jackknife["left_out"].to_list() == [0] + [4] * 5
    assert jackknife.loc[0, list(LIKENESS)].to_list() == [found[name] for name in LIKENESS]
    kept = (COMPARED["group"] != 3).to_numpy()
    without = [
        Likeness(features([pixels[kept]], extractor), real[kept]).scores(np.ones(16, int))[0] for pixels in repeats
    ]
    assert jackknife.loc[3, list(LIKENESS)].to_list() == pytest.approx(np.mean(without, axis=0), rel=1e-3)


def test_a_failed_run_has_no_metrics_and_an_empty_jackknife(extractor, tmp_path):
    real, failed = np.zeros((COUNT, 4), np.float32), RECORD | {"status": "failed"}
    found, jackknife = fidelity(tmp_path / "nothing", pd.DataFrame(), real, COMPARED, failed, extractor)
    assert (found["status"], found["n_train"], found["n_test"]) == ("failed", 7, COUNT)
    assert all(found[name] is None for name in LIKENESS)
    assert jackknife.columns.to_list() == JACKKNIFE_COLUMNS
    assert jackknife.empty


@pytest.mark.parametrize("channels", [7, 300])
def test_images_are_as_good_as_themselves(channels):
    features = np.random.default_rng(0).normal(size=(40, channels))
    fid, _, precision, recall = Likeness(features, features.copy()).scores(np.ones(40, int))[0]
    assert abs(fid) < 1e-6
    assert precision == recall == 1


def test_images_of_other_prompts_are_refused(extractor, tmp_path):
    real = np.zeros((COUNT, 4), np.float32)
    for files in (_files(1)[:9], _files(1)[::-1]):
        with pytest.raises(UserError, match="that are not those for the 20 real ones: delete it and run again"):
            fidelity(tmp_path, files, real, COMPARED, RECORD, extractor)
