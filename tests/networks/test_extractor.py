"""Networks in whose features images are compared."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional
from torch_fidelity.utils import create_feature_extractor

from medpeft.data.augmentation import normalise
from medpeft.networks.extractor import count_features, registered
from medpeft.networks.models import architecture


@pytest.mark.parametrize("backbone", ["resnet18", "vit_tiny_patch16_224", "vit_mini_patch8_64"])
def test_any_network_of_timm_serves_as_extractor(backbone, tmp_path):
    """Its features are those of the same network called by hand."""
    torch.manual_seed(0)
    network = architecture(backbone, num_classes=0).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8))
    size = {"resnet18": 128, "vit_tiny_patch16_224": 224, "vit_mini_patch8_64": 64}[backbone]
    with torch.no_grad():
        found = create_feature_extractor(
            registered(backbone),
            ["pooled"],
            cuda=False,
            feature_extractor_weights_path=str(tmp_path / "model.safetensors"),
            feature_extractor_compile=False,
            verbose=False,
        )(pixels.permute(0, 3, 1, 2))[0]
        expected = network(functional.interpolate(normalise(pixels), size, mode="bilinear", antialias=True))
    assert found.shape == (3, count_features(backbone))
    torch.testing.assert_close(found, expected)
