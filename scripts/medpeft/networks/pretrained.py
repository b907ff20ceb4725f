"""A pretrained backbone without a head, and the features that it hands on."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from medpeft.networks.models import architecture, load_backbone


def pretrained(backbone: str, weights: Path) -> nn.Module:
    """Return timm's `backbone` with the file `weights` and no head."""
    network = architecture(backbone, num_classes=0)
    load_backbone(network, load_file(weights), weights)
    return network


def pooled_features(network: nn.Module, images: Tensor) -> Tensor:
    """Return what a timm `network` hands to its head, float32 (N, channels), of normalised images (N, 3, H, W)."""
    return network.forward_head(network.forward_features(images), pre_logits=True)  # type: ignore[operator]
