"""What a pre-training is worth: how well a linear probe on its frozen features tells the classes of a dataset apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from medpeft.data.augmentation import evaluation_batch
from medpeft.data.images import Split
from medpeft.networks.models import architecture, load_backbone

TEACHER = "efficientnet_lite0"  # of the small transformer
STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1]  # of the inverse penalty of the probe


def features(network: nn.Module, images: Tensor) -> Tensor:
    """Return what a timm `network` hands to its head, float32 (N, channels)."""
    return network.forward_head(network.forward_features(images), pre_logits=True)


def pretrained(backbone: str, weights: Path) -> nn.Module:
    """Return `backbone` with `weights` and no head."""
    network = architecture(backbone, num_classes=0)
    load_backbone(network, load_file(weights), weights)
    return network


def appraise(networks: dict[str, nn.Module], parts: dict[str, Split], size: int) -> pd.DataFrame:
    """Return how well a linear probe on the frozen features of `networks`, at `size` pixels, tells classes apart.

    A logistic regression on standardised features, cross-validated in five folds over all images, those of a patient
    in one fold; its penalty is chosen within the other folds. One row a network, with the column auroc: the mean
    one-versus-rest area under the curve.
    """
    images, labels = (torch.cat([getattr(part, name) for part in parts.values()]) for name in ("images", "labels"))
    patients = pd.concat([part.rows["cluster"] for part in parts.values()])
    rows = []
    for name, network in networks.items():
        with torch.inference_mode():
            batches = [features(network.eval(), evaluation_batch(batch, size)) for batch in images.split(256)]
        rows.append({"network": name, "auroc": _probe(torch.cat(batches).numpy(), labels.numpy(), patients)})
    return pd.DataFrame(rows)


def _probe(table: np.ndarray, labels: np.ndarray, patients: pd.Series) -> float:
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    chosen = GridSearchCV(probe, {"logisticregression__C": STRENGTHS}, scoring="neg_log_loss", cv=3)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    found = cross_val_predict(chosen, table, labels, groups=patients, cv=folds, method="predict_proba")
    return roc_auc_score(labels, found, multi_class="ovr")
