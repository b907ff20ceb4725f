"""The networks in whose features generated and real images are compared, as torch-fidelity knows them.

Importing this module adds EfficientNet-Lite0 to torch-fidelity's extractors: its weights come as a package, so that it
works without any download.
"""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional
from torch_fidelity import register_feature_extractor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from medpeft.augmentation import normalise
from medpeft.models import architecture, load_backbone

SIZE = 128  # pixels to which images are resized for EfficientNet-Lite0
# torch-fidelity's names of the extractors that a study may ask for.
NAMES = {"efficientnet_lite0": "efficientnet_lite0", "inception": "inception-v3-compat"}


class EfficientNetLite0(FeatureExtractorBase):
    """The 1,280 pooled features of EfficientNet-Lite0 with the weights in the file `feature_extractor_weights_path`."""

    def __init__(self, name: str, features_list: list[str], feature_extractor_weights_path=None, **options):
        super().__init__(name, features_list)
        path = Path(feature_extractor_weights_path)
        self.network = architecture("efficientnet_lite0", num_classes=0)
        load_backbone(self.network, load_file(path), path)

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
        """Return the features, float32 (N, 1280), of uint8 images (N, 3, H, W)."""
        batch = normalise(images.permute(0, 2, 3, 1))
        return (self.network(functional.interpolate(batch, SIZE, mode="bilinear", antialias=True)),)


register_feature_extractor("efficientnet_lite0", EfficientNetLite0)
