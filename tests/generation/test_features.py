"""Features are those of the extractor, whatever the batches."""

import numpy as np
import torch

from medpeft.generation.features import Extractor, features, real_features
from medpeft.networks.extractor import Pooled


def test_features_are_those_of_the_extractor(lite0):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 40, 40, 3), dtype=np.uint8)
    found = features([pixels[:3], pixels[3:]], Extractor("efficientnet_lite0", lite0, 1, "cpu"))
    network = Pooled("efficientnet_lite0", ["pooled"], str(lite0)).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels).permute(0, 3, 1, 2))[0]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_real_images_are_described_by_their_centres(lite0, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 40, 40, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", np.pad(pixels, ((0, 0), (2, 3), (2, 3), (0, 0))))
    extractor = Extractor("efficientnet_lite0", lite0, 1, "cpu")
    np.testing.assert_array_equal(real_features(tmp_path / "images.npy", 40, extractor), features([pixels], extractor))
