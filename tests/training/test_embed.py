"""Linear probing on features computed once is linear probing of the whole network."""

from dataclasses import replace

import pytest
import torch

from medpeft.data.images import Split
from medpeft.methods import registry
from medpeft.networks.delta import load_delta
from medpeft.networks.models import create, take_features
from medpeft.training.classification import fit, predict
from medpeft.training.embed import embed


@pytest.fixture(params=["efficientnet_lite0", "vit_mini_patch8_64.distilled"])
def backbone(request, lite0, vit):
    return request.param, lite0 if request.param == "efficientnet_lite0" else vit


def test_the_head_sees_what_it_would_see_behind_the_backbone(backbone, splits, recipe):
    name, weights = backbone
    features = _features(splits, name, weights, recipe)["test"]
    network = create(name, 3, weights, registry.load("linear_probe"), 0, recipe.image_size)
    expected = predict(network, splits["test"], recipe)
    torch.testing.assert_close(predict(take_features(network), features, recipe), expected, rtol=1e-4, atol=1e-5)


def test_a_probe_trained_on_features_serves_the_whole_network(backbone, splits, recipe):
    name, weights = backbone
    features = _features(splits, name, weights, recipe)
    probe = take_features(create(name, 3, weights, registry.load("linear_probe"), 0, recipe.image_size))
    found = fit(probe, features, replace(recipe, epochs=20), 1e-2, 0)
    network = create(name, 3, weights, registry.load("linear_probe"), 1, recipe.image_size)
    load_delta(network, found.best)
    logits = predict(network, splits["validation"], recipe)
    share = (logits.argmax(1) == splits["validation"].labels).double().mean()
    assert share == pytest.approx(found.best_row["validation_f1_micro"])
    assert share > 0.5


def test_only_linear_probing_trains_on_features():
    assert [name for name in registry.names() if registry.on_features(name)] == ["linear_probe"]
    for name in ("linear_probe", "full", "lora"):
        assert registry.load(name).on_features == registry.on_features(name)


def _features(splits, name, weights, recipe):
    found = {
        key: embed(split.images.numpy(), name, weights, recipe.image_size, 1, "cpu") for key, split in splits.items()
    }
    return {key: Split(torch.from_numpy(found[key]), split.labels, split.rows) for key, split in splits.items()}
