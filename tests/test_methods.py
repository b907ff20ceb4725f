"""What every strategy promises, over the registry: a new module is tested by being there."""

import numpy as np
import pytest
import timm
import torch

from medpeft.errors import UserError
from medpeft.methods import registry
from medpeft.methods.tsa import _adapter
from medpeft.models import adapt, count_parameters, create, delta, load_delta
from medpeft.training import fit, predict

NAMES = registry.names()

# Trainable parameters of the backbone of ResNet-50, the head left out (Dutt et al. 2024, table 6 and text).
RESNET50 = {
    "full": 23_508_032,
    "linear_probe": 0,
    "tsa": 10_616_832,
    "batchnorm": 53_120,
    "bias": 26_560,
    "ssf": 53_120,
}


def test_registry_holds_the_published_cnn_strategies():
    assert set(RESNET50) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_module_registers_the_strategy_of_its_name(name):
    strategy = registry.load(name)
    assert strategy.name == name
    assert strategy.family in {"baseline", "selective", "additive"}
    assert strategy.encoders


@pytest.mark.parametrize("name", RESNET50)
def test_resnet50_counts(name):
    with torch.device("meta"):
        model = adapt(timm.create_model("resnet50", num_classes=3), registry.load(name))
    counts = count_parameters(model)
    assert counts["head_parameters"] == 2048 * 3 + 3
    assert counts["trainable_parameters"] - counts["head_parameters"] == RESNET50[name]


@pytest.mark.parametrize("name", NAMES)
def test_methods_start_near_the_pretrained_network(name, lite0):
    """Selective methods start at it, additive ones within their published noise (SSF: 2 % on each of 49 layers)."""
    strategy = registry.load(name)
    plain = create("efficientnet_lite0", 3, lite0, registry.load("linear_probe"), seed=0).eval()
    adapted = create("efficientnet_lite0", 3, lite0, strategy, seed=0).eval()
    images = torch.rand(4, 3, 64, 64)
    before, after = plain.forward_features(images), adapted.forward_features(images)
    tolerance = 0.8 if strategy.family == "additive" else 0
    assert (before - after).norm() <= tolerance * before.norm()


@pytest.mark.parametrize("name", NAMES)
def test_training_moves_what_is_trainable_and_nothing_else(name, lite0, parts, recipe):
    pretrained = create("efficientnet_lite0", 3, lite0, registry.load("linear_probe"), seed=0).state_dict()
    model = create("efficientnet_lite0", 3, lite0, registry.load(name), seed=0)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    result = fit(model, parts["train"], parts["validation"], recipe, 1e-2, seed=0)
    after = model.state_dict()
    still = [key for key in result.best if torch.equal(before[key], after[key])]
    assert still == []
    frozen = set(after) - set(result.best)
    assert all(torch.equal(pretrained[key], after[key]) for key in frozen)


@pytest.mark.parametrize("name", NAMES)
def test_delta_reloads_to_identical_predictions(name, lite0, parts, recipe):
    model = create("efficientnet_lite0", 3, lite0, registry.load(name), seed=0)
    fit(model, parts["train"], parts["validation"], recipe, 1e-3, seed=0)
    reloaded = create("efficientnet_lite0", 3, lite0, registry.load(name), seed=1)
    load_delta(reloaded, delta(model))
    assert torch.equal(predict(model, parts["test"], recipe), predict(reloaded, parts["test"], recipe))


def test_delta_of_another_method_is_refused(lite0):
    bias, ssf = (create("efficientnet_lite0", 3, lite0, registry.load(name), seed=0) for name in ("bias", "ssf"))
    with pytest.raises(UserError, match="does not belong to this model"):
        load_delta(ssf, delta(bias))


def test_tsa_leaves_stem_head_and_shortcuts_alone():
    model = adapt(timm.create_model("resnet18"), registry.load("tsa"))
    adapted = {name.removesuffix(".tsa") for name, _ in model.named_modules() if name.endswith(".tsa")}
    expected = {f"layer{layer}.{block}.conv{conv}" for layer in (1, 2, 3, 4) for block in (0, 1) for conv in (1, 2)}
    assert adapted == expected


def test_tsa_is_a_kernel_with_the_adapter_in_its_centre():
    torch.manual_seed(0)
    model = adapt(timm.create_model("resnet18"), registry.load("tsa"))
    convolution = model.layer2[0].conv1
    convolution.tsa.weight.data.normal_()
    images = torch.randn(2, convolution.in_channels, 9, 9)
    merged = convolution.weight.detach().clone()
    merged[:, :, 1, 1] += convolution.tsa.weight.detach()[:, :, 0, 0]
    expected = torch.nn.functional.conv2d(images, merged, stride=convolution.stride, padding=convolution.padding)
    torch.testing.assert_close(convolution(images).detach(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_tsa_beside_a_depthwise_convolution_is_a_depthwise_kernel(stride):
    convolution = torch.nn.Conv2d(6, 6, 5, stride=stride, padding=2, groups=6)
    adapter = _adapter(convolution)
    adapter.weight.data.normal_()
    images = torch.randn(2, 6, 9, 9)
    expected = torch.nn.functional.conv2d(images, adapter.weight[:, None], stride=stride, groups=6)
    torch.testing.assert_close(adapter(images), expected)
    assert adapter(images).shape == convolution(images).shape


def test_ssf_scales_and_shifts_each_channel():
    model = adapt(timm.create_model("resnet18"), registry.load("ssf"))
    convolution = model.layer1[0].conv1
    images = torch.randn(2, 64, 8, 8)
    plain = torch.nn.functional.conv2d(images, convolution.weight, padding=1)
    scale, shift = convolution.ssf.scale, convolution.ssf.shift
    torch.testing.assert_close(convolution(images), plain * scale[None] + shift[None])


@pytest.mark.parametrize("name", NAMES)
def test_batchnorm_statistics_never_move(name, lite0, parts, recipe):
    model = create("efficientnet_lite0", 3, lite0, registry.load(name), seed=0)
    before = {key: buffer.clone() for key, buffer in model.named_buffers()}
    result = fit(model, parts["train"], parts["validation"], recipe, 1e-3, seed=0)
    assert all(torch.equal(before[key], buffer) for key, buffer in model.named_buffers())
    assert not before.keys() & result.best.keys()


def test_first_predictions_are_nearly_uniform(lite0, parts, recipe):
    """A head that starts far from uniform would make short trainings undo it first."""
    model = create("efficientnet_lite0", 3, lite0, registry.load("linear_probe"), seed=0)
    loss = torch.nn.functional.cross_entropy(predict(model, parts["test"], recipe), parts["test"].labels)
    assert abs(float(loss) - np.log(3)) < 0.2


def test_vit_is_refused_by_cnn_methods():
    with pytest.raises(UserError, match=r"tsa.*is defined on cnn"):
        adapt(timm.create_model("vit_tiny_patch16_224"), registry.load("tsa"))


def test_unknown_method_is_named():
    with pytest.raises(UserError, match="no method 'lroa'"):
        registry.load("lroa")
