"""What a pre-training is worth: how well a linear probe on its frozen features separates the classes of a dataset."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from medpeft.data.augmentation import evaluation_batch
from medpeft.data.images import Split
from medpeft.networks.models import architecture
from medpeft.networks.pretrained import pooled_features, pretrained
from medpeft.training.pretrain import TEACHER

STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1]  # of the inverse penalty of the probe
APPRAISAL_BATCH = 256  # images at once


def candidates(teacher: Path, weights: list[Path]) -> dict[str, nn.Module]:
    """Return the networks to appraise by name: the teacher, those of `weights`, and one that is not pretrained.

    The name of a file of `weights` is that of its backbone.
    """
    networks = {TEACHER: pretrained(TEACHER, teacher)}
    networks |= {path.stem: pretrained(path.stem, path) for path in weights}
    torch.manual_seed(0)
    return networks | {"vit_mini_patch8_64, random": architecture("vit_mini_patch8_64")}


def appraise(networks: dict[str, nn.Module], splits: dict[str, Split], size: int) -> pd.DataFrame:
    """Return how well a linear probe on the frozen features of `networks`, at `size` pixels, separates the classes.

    A logistic regression on standardised features, cross-validated in five folds over all images, those of a patient
    in one fold; its penalty is chosen within the other folds.

    Returns:
        One row a network, with the columns network and auroc, the mean one-versus-rest area under the curve.
    """
    images, labels = (torch.cat([getattr(split, name) for split in splits.values()]) for name in ("images", "labels"))
    patients = pd.concat([split.rows["cluster"] for split in splits.values()])
    rows = []
    for name, network in networks.items():
        network.eval()
        with torch.inference_mode():
            batches = torch.split(images, APPRAISAL_BATCH)
            found = torch.cat([pooled_features(network, evaluation_batch(batch, size)) for batch in batches])
        rows.append({"network": name, "auroc": _probe(found.numpy(), labels.numpy(), patients)})
    return pd.DataFrame(rows)


def _probe(table: np.ndarray, labels: np.ndarray, patients: pd.Series) -> float:
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    chosen = GridSearchCV(probe, {"logisticregression__C": STRENGTHS}, scoring="neg_log_loss", cv=3)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    found = cross_val_predict(chosen, table, labels, groups=patients, cv=folds, method="predict_proba")
    return roc_auc_score(labels, found, multi_class="ovr")
