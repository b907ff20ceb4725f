"""The networks in whose features generated and real images are compared, as torch-fidelity knows them.

FID is defined by the Inception network. Every backbone of timm serves as well: EfficientNet-Lite0, whose weights come
as a package; DINOv2, of which Stein et al. (2023, arXiv 2306.04675) find that it judges as people do; or one trained on
medical images, with its weights in the study's mirror.
"""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from timm.models import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional
from torch_fidelity import register_feature_extractor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from medpeft.data.augmentation import normalise
from medpeft.networks.models import architecture, load_backbone, resize

INCEPTION, INCEPTION_FEATURES = "inception", 2048
SIZE = 128  # pixels to which images are resized for a CNN
LARGEST = 224  # for a transformer, if it was not trained on smaller ones


class Pooled(FeatureExtractorBase):  # type: ignore[misc]  # torch-fidelity has no types
    """The pooled features of the timm network `name` with the weights in the file `feature_extractor_weights_path`."""

    def __init__(self, name: str, features_list: list[str], feature_extractor_weights_path: str, **options: Any):
        super().__init__(name, features_list)
        path = Path(feature_extractor_weights_path)
        self.network, self.size = _headless(name)
        load_backbone(self.network, load_file(path), path)
        resize(self.network, self.size)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("pooled",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "pooled"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return the features, float32 (N, channels), of uint8 images (N, 3, H, W)."""
        batch = normalise(images.permute(0, 2, 3, 1))
        return (self.network(functional.interpolate(batch, self.size, mode="bilinear", antialias=True)),)


def registered(extractor: str) -> str:
    """Return torch-fidelity's name of `extractor`: `inception`, or a backbone of timm, which is made known to it."""
    if extractor == INCEPTION:
        return "inception-v3-compat"
    if extractor not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(extractor, Pooled)
    return extractor


def count_features(extractor: str) -> int:
    """Return how many features `extractor` gives of an image."""
    if extractor == INCEPTION:
        return INCEPTION_FEATURES
    return _headless(extractor)[0].num_features  # type: ignore[return-value]  # torch takes it for a tensor or module


def _headless(name: str) -> tuple[nn.Module, int]:
    """Return timm's network `name` without weights and head, and the size of its input in pixels."""
    network = architecture(name, num_classes=0)
    size = SIZE
    if isinstance(network, VisionTransformer):
        size = min(LARGEST, network.patch_embed.img_size[0])
    return network, size
