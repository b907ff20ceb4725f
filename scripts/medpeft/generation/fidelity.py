"""How close the images of one run are to real ones: FID, KID, precision and recall, and how they vary over images.

FID of few images is mostly bias, so both sides have the same number of images, and so has the floor that it is read
against (`medpeft.generation.reference`).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from medpeft.base.errors import UserError
from medpeft.generation.features import Extractor, generated_features
from medpeft.generation.likeness import LIKENESS, Likeness
from medpeft.statistics.generated.jackknife import JACKKNIFE_COLUMNS, jackknife_table


def fidelity(
    generated: Path, files: pd.DataFrame, real: np.ndarray, compared: pd.DataFrame, record: dict, extractor: Extractor
) -> tuple[dict, pd.DataFrame]:
    """Return the metrics of one run by name, with its `status`, `n_train` and `n_test`, and its jackknife.

    Args:
        generated: folder of the generated images.
        files: their `file` in it, `<repeat>/<number>.png`, and the `image_id` of the test image that lent the caption.
        real: the features of the test images, float32 (N, channels).
        compared: their `image_id`, in the same order, and their `group`.
        record: the content of the run's `record.json`.
        extractor: the network that gave the test images their features.

    Returns:
        fid, kid, precision and recall, means over the repeats, and the name of the `feature_extractor`. Where there are
        several repeats, `fid_sd` is the standard deviation of fid. A failed run has None for every metric. The
        jackknife has a row for all images, then one without each group; of a failed run it is empty.

    Raises:
        UserError: the generated images of a repeat are not those for the test images.
    """
    facts = {"status": record["status"], "n_train": record["n_train"], "n_test": len(real)}
    facts["feature_extractor"] = extractor.name
    if record["status"] != "ok":
        return facts | dict.fromkeys(LIKENESS), pd.DataFrame(columns=JACKKNIFE_COLUMNS)
    groups = compared["group"].to_numpy()
    repeats = files.groupby(files["file"].str.partition("/")[0], sort=True)
    scores = []
    for repeat, shown in repeats:
        if list(shown["image_id"]) != list(compared["image_id"]):
            raise UserError(
                f"{generated / str(repeat)} has {len(shown)} images that are not those for the {len(real)} real ones: "
                "delete it and run again"
            )
        found = generated_features(generated, list(shown["file"]), extractor)
        scores.append(Likeness(found, real).scores(groups))
    table = jackknife_table(np.mean(scores, axis=0), groups, LIKENESS)
    means = {name: float(table[name].iloc[0]) for name in LIKENESS}
    spread = {"fid_sd": float(np.std([repeat[0, 0] for repeat in scores], ddof=1))} if len(scores) > 1 else {}
    return facts | means | spread, table
