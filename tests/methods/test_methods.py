"""What every method promises, over the registry: a new module is tested by being there."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from peft import PeftModel
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from timm.layers import LayerNorm2d, LayerNorm2dFp32
from timm.models.vision_transformer import ParallelScalingBlock

from medpeft.base.errors import UserError
from medpeft.methods import peft_tuners, registry
from medpeft.methods.additive.tsa import AdaptedConv2d, adapter_beside
from medpeft.methods.layers import split_projections
from medpeft.networks.count import count
from medpeft.networks.delta import delta, load_delta
from medpeft.networks.encoders import encoder
from medpeft.networks.models import adapt, count_parameters, create, encoder_kind
from medpeft.training.classification import fit, predict

NAMES = registry.names()
VITS = {
    "vit_small_patch16_224": 384,
    "vit_base_patch16_224": 768,
    "vit_large_patch16_224": 1024,
    "vit_huge_patch14_224": 1280,
}
# One network of each kind that methods are defined on.
NETWORKS = {"cnn": "efficientnet_lite0", "vit": "test_vit"}
PAIRS = [(name, kind) for name in NAMES for kind in sorted(registry.load(name).encoders & NETWORKS.keys())]
EXPORTED = [
    name for name in NAMES if "vit" in registry.load(name).encoders and registry.load(name).definitions["vit"].export
]

# Trainable parameters of the backbone, the head left out (Dutt et al. 2024, table 6; the papers of the methods).
RESNET50 = {
    "full": 23_508_032,
    "linear_probe": 0,
    "tsa": 10_616_832,
    "batchnorm": 53_120,
    "bias": 26_560,
    "ssf": 53_120,
}
# For ViT-S/16, ViT-B/16, ViT-L/16 and ViT-H/14.
VIT = {
    "full": (21_665_664, 85_798_656, 303_301_632, 630_764_800),
    "linear_probe": (0, 0, 0, 0),
    "attention": (7_171_968, 28_499_712, 100_963_328, 210_208_000),
    "layernorm": (19_200, 38_400, 100_352, 166_400),
    "bitfit": (51_456, 102_912, 272_384, 453_120),
    "lora": (294_912, 589_824, 1_572_864, 2_621_440),
    "ssf": (102_912, 205_824, 544_768, 906_240),
    "adaptformer": (595_200, 1_189_632, 3_171_840, 5_285_888),
}
# What is not the identity at the start: SSF is noise of 2 % by its paper, the others by peft's defaults.
NOISY = {"ssf", "tsa", "c3a", "vblora", "unilora"}


@pytest.fixture(scope="session")
def weights(lite0, tmp_path_factory):
    """Pretrained weights of each of `NETWORKS`; those of the transformer are random."""
    path = tmp_path_factory.mktemp("vit") / "model.safetensors"
    torch.manual_seed(0)
    network = timm.create_model(NETWORKS["vit"])
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):  # zero in a network that was never trained
            torch.nn.init.normal_(parameter, std=0.02)
    save_file(network.state_dict(), path)
    return {"cnn": lite0, "vit": path}


@pytest.fixture
def build(weights):
    """Return a function that makes the network of one kind under one method."""

    def make(name, kind, seed=0):
        return create(NETWORKS[kind], 3, weights[kind], registry.load(name), seed, image_size=32)

    return make


def backbone_parameters(network, name):
    """Return the trainable parameters of a timm network under a method, those of the head left out."""
    with torch.device("meta"):
        model = adapt(timm.create_model(network, num_classes=3), registry.load(name))
    counts = count_parameters(model)
    return counts["trainable_parameters"] - counts["head_parameters"]


def test_registry_holds_the_published_methods():
    assert RESNET50.keys() | VIT.keys() <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_module_registers_the_method_of_its_name(name):
    method = registry.load(name)
    assert method.name == name
    assert method.family in {"baseline", "selective", "additive"}
    assert method.encoders
    assert method.encoders == registry.encoders(name)


@pytest.mark.parametrize("name", RESNET50)
def test_resnet50_counts(name):
    assert backbone_parameters("resnet50", name) == RESNET50[name]


@pytest.mark.parametrize("name", VIT)
def test_vit_counts(name):
    assert tuple(backbone_parameters(network, name) for network in VITS) == VIT[name]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_methods_start_at_the_pretrained_network(name, kind, build):
    """All but the noisy ones, which start near it."""
    images = torch.rand(4, 3, 64, 64) if kind == "cnn" else torch.rand(4, 3, 32, 32)
    before, after = (build(method, kind).eval().forward_features(images) for method in ("linear_probe", name))
    tolerance = 0.8 if name in NOISY else 1e-5
    assert (before - after).norm() <= tolerance * before.norm()


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_training_moves_what_is_trainable_and_nothing_else(name, kind, build, splits, recipe):
    model = build(name, kind)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    result = fit(model, splits, replace(recipe, warmup=0), 1e-2, seed=0)
    after = model.state_dict()
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert result.best.keys() == trained
    assert [key for key in trained if torch.equal(before[key], after[key])] == []
    shared = {parameter.data_ptr() for parameter in model.parameters() if parameter.requires_grad}
    frozen = {key for key, tensor in after.items() if tensor.data_ptr() not in shared}
    assert [key for key in frozen if not torch.equal(before[key], after[key])] == []


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_frozen_weights_are_the_pretrained_ones(name, kind, build, weights):
    """Each pretrained tensor is somewhere in the frozen part of the network, bit for bit, unless it is trained."""
    model = build(name, kind)
    held = {tensor.numpy().tobytes() for tensor in model.state_dict().values()}
    head = f"{model.pretrained_cfg['classifier']}."
    for key, tensor in load_file(weights[kind]).items():
        pieces = tensor.chunk(3) if ".qkv." in key else [tensor]
        resampled = key == "pos_embed"
        if not key.startswith(head) and not resampled and name != "osf":
            assert tensor.numpy().tobytes() in held or all(piece.numpy().tobytes() in held for piece in pieces), key


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_delta_reloads_to_identical_predictions(name, kind, build, splits, recipe):
    model = build(name, kind)
    fit(model, splits, recipe, 1e-3, seed=0)
    reloaded = build(name, kind, seed=1)
    load_delta(reloaded, delta(model))
    assert torch.equal(predict(model, splits["test"], recipe), predict(reloaded, splits["test"], recipe))


def test_delta_of_another_method_is_refused(lite0):
    bias, ssf = (create("efficientnet_lite0", 3, lite0, registry.load(name), seed=0) for name in ("bias", "ssf"))
    with pytest.raises(UserError, match="does not belong to this model"):
        load_delta(ssf, delta(bias))


@pytest.mark.parametrize("name", EXPORTED)
def test_peft_loads_what_is_exported(name, build, weights, splits, recipe, tmp_path):
    model = build(name, "vit")
    fit(model, splits, recipe, 1e-2, seed=0)
    registry.load(name).definitions["vit"].export(model, tmp_path)
    plain = create(NETWORKS["vit"], 3, weights["vit"], registry.load("linear_probe"), 1, image_size=32)
    split_projections(plain)
    loaded = PeftModel.from_pretrained(plain, str(tmp_path)).eval()
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(loaded(images), model.eval()(images), rtol=1e-4, atol=1e-5)


def test_split_projections_are_the_fused_ones():
    torch.manual_seed(0)
    model = timm.create_model("test_vit").eval()
    images = torch.rand(2, 3, 160, 160)
    before = model(images)
    split_projections(model)
    assert torch.equal(model(images), before)


def test_lora_leaves_the_keys_alone(build, splits, recipe):
    model = build("lora", "vit")
    pretrained = {name: tensor.clone() for name, tensor in model.state_dict().items() if ".qkv.k." in name}
    fit(model, splits, recipe, 1e-2, seed=0)
    assert pretrained
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in pretrained.items())
    adapted = {name.split(".lora_")[0].rpartition(".")[2] for name in delta(model) if ".lora_" in name}
    assert adapted == {"q", "v"}


@pytest.mark.parametrize("name", ["lora", "dora", "ia3", "loha", "lokr", "vera"])
def test_merging_changes_nothing(name, build, splits, recipe):
    model = build(name, "vit")
    fit(model, splits, recipe, 1e-2, seed=0)
    images = torch.rand(4, 3, 32, 32)
    before = model.eval()(images)
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    assert ((before - model(images)).abs() / before.abs().clamp(min=1)).max() < 2e-6


def test_convolutions_padded_by_the_size_of_the_image_are_refused():
    network = timm.create_model("tf_efficientnetv2_b0", num_classes=3)
    with pytest.raises(UserError, match=r"cannot adapt blocks.*EfficientNet, which pads each image"):
        adapt(network, registry.load("lokr"))


def test_ssf_merges_into_the_layer_before_it(build):
    model = build("ssf", "vit").eval()
    images = torch.rand(4, 3, 32, 32)
    before = model(images)
    for module in [module for module in model.modules() if hasattr(module, "ssf")]:
        scale, shift = module.ssf.scale.detach(), module.ssf.shift.detach()
        module.weight.data *= scale.reshape(-1, *[1] * (module.weight.ndim - 1))
        module.bias.data = module.bias.data * scale.flatten() + shift.flatten()
        module.ssf.scale.data.fill_(1)
        module.ssf.shift.data.fill_(0)
    torch.testing.assert_close(model(images), before, rtol=1e-6, atol=1e-6)


def test_adaptformer_is_the_published_formula():
    torch.manual_seed(0)
    block = adapt(timm.create_model("test_vit"), registry.load("adaptformer")).eval().blocks[0]
    adapter = block.adaptformer
    for parameter in adapter.parameters():
        parameter.data.normal_(0, 0.1)
    x = torch.randn(2, 5, block.norm2.normalized_shape[0])
    middle = x + block.attn(block.norm1(x))
    hidden = torch.relu(middle @ adapter.down.weight.T + adapter.down.bias)
    expected = middle + block.mlp(block.norm2(middle)) + 0.1 * (hidden @ adapter.up.weight.T + adapter.up.bias)
    torch.testing.assert_close(block(x), expected)


def test_adaptformer_drops_a_tenth_of_its_bottleneck_in_training_alone():
    torch.manual_seed(0)
    adapter = adapt(timm.create_model("test_vit"), registry.load("adaptformer")).blocks[0].adaptformer
    torch.nn.init.normal_(adapter.up.weight)
    x = torch.randn(500, 8, adapter.down.in_features)
    kept: list[torch.Tensor] = []
    adapter.up.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    adapter.train()(x)
    adapter.eval()(x)
    hidden = adapter.down(x).relu()
    torch.testing.assert_close(kept[1], hidden)
    dropped = (kept[0] == 0) & (hidden > 0)
    assert (dropped.sum() / (hidden > 0).sum()).item() == pytest.approx(0.1, abs=0.005)
    torch.testing.assert_close(kept[0][~dropped], hidden[~dropped] / 0.9)


def test_adaptformer_keeps_nothing_of_a_forward_that_broke_off(build, monkeypatch):
    """Memory that runs out within a block, behind its norm, is free for the next, smaller try."""
    model = build("adaptformer", "vit")
    seen = []
    model.blocks[0].norm2.register_forward_pre_hook(lambda _, inputs: seen.append(weakref.ref(inputs[0])))
    with monkeypatch.context() as patch:
        patch.setattr(model.blocks[0].mlp, "forward", lambda _: torch.ones(2, 3) @ torch.ones(2, 3))
        with pytest.raises(RuntimeError, match="shapes"):
            model(torch.rand(4, 3, 32, 32))
    model.blocks[0].register_forward_pre_hook(lambda *_: seen.append(seen[0]()))
    model(torch.rand(2, 3, 32, 32))
    assert seen[1] is None


@pytest.mark.parametrize(
    ("network", "options"),
    [("vit_base_patch16_rpn_224", {}), ("vit_tiny_patch16_224", {"block_fn": ParallelScalingBlock})],
)
def test_adaptformer_refuses_blocks_of_another_build(network, options):
    with torch.device("meta"), pytest.raises(UserError, match="defined beside an MLP behind a norm"):
        adapt(timm.create_model(network, **options), registry.load("adaptformer"))


@pytest.mark.parametrize("name", sorted(peft_tuners.REFUSED))
def test_tuners_that_do_not_work_are_refused_with_a_reason(name):
    with pytest.raises(UserError, match="does not work here, because"):
        registry.load(name)


def test_every_tuner_of_peft_is_a_method_or_refused():
    kinds = {kind.value.lower() for kind in PEFT_TYPE_TO_CONFIG_MAPPING}
    assert kinds <= {*peft_tuners.names(), *peft_tuners.REFUSED, "lora"}


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


@pytest.mark.parametrize(
    ("inputs", "outputs", "groups", "stride"), [(6, 6, 1, 1), (6, 6, 1, 2), (6, 6, 3, 1), (4, 8, 2, 1)]
)
def test_tsa_of_a_1x1_convolution_is_their_sum(inputs, outputs, groups, stride):
    torch.manual_seed(0)
    options = {"stride": stride, "groups": groups, "bias": False}
    model = timm.create_model("resnet18")
    model.layer1[0].conv1 = convolution = torch.nn.Conv2d(inputs, outputs, 1, **options)
    adapt(model, registry.load("tsa"))
    assert type(convolution) is AdaptedConv2d
    convolution.tsa.weight.data.normal_()
    images = torch.randn(2, inputs, 9, 9)
    apart = torch.nn.functional.conv2d(images, convolution.weight, stride=stride, groups=groups)
    losses = [maps.square().sum() for maps in (convolution(images), apart + convolution.tsa(images))]
    torch.testing.assert_close(*losses)
    gradients = (torch.autograd.grad(loss, convolution.tsa.weight)[0] for loss in losses)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-3)


def test_tsa_beside_a_depthwise_1x1_convolution_scales_its_channels():
    model = timm.create_model("resnet18")
    model.layer1[0].conv1 = convolution = torch.nn.Conv2d(6, 6, 1, groups=6, bias=False)
    adapt(model, registry.load("tsa"))
    images = torch.randn(2, 6, 9, 9)
    expected = images * (convolution.weight[:, 0] + convolution.tsa.weight)
    torch.testing.assert_close(convolution(images), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_tsa_beside_a_depthwise_convolution_is_a_depthwise_kernel(stride):
    convolution = torch.nn.Conv2d(6, 6, 5, stride=stride, padding=2, groups=6)
    adapter = adapter_beside(convolution)
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


@pytest.mark.parametrize("kind", [LayerNorm2d, LayerNorm2dFp32])
def test_ssf_scales_the_channels_of_a_norm_of_maps(kind):
    model = timm.create_model("resnet18")
    model.layer1[0].bn1 = norm = kind(8)
    adapt(model, registry.load("ssf"))
    maps = torch.randn(2, 8, 8, 8)
    plain = kind.forward(norm, maps)
    torch.testing.assert_close(norm(maps), plain * norm.ssf.scale + norm.ssf.shift)
    assert norm.ssf.scale.shape == (8, 1, 1)


@pytest.mark.parametrize("name", [name for name, kind in PAIRS if kind == "cnn"])
def test_batchnorm_statistics_never_move(name, lite0, splits, recipe):
    model = create("efficientnet_lite0", 3, lite0, registry.load(name), seed=0)
    before = {key: buffer.clone() for key, buffer in model.named_buffers()}
    result = fit(model, splits, recipe, 1e-3, seed=0)
    assert all(torch.equal(before[key], buffer) for key, buffer in model.named_buffers())
    assert not before.keys() & result.best.keys()


def test_first_predictions_are_nearly_uniform(lite0, splits, recipe):
    """A head that starts far from uniform would make short trainings undo it first."""
    model = create("efficientnet_lite0", 3, lite0, registry.load("linear_probe"), seed=0)
    loss = torch.nn.functional.cross_entropy(predict(model, splits["test"], recipe), splits["test"].labels)
    assert abs(float(loss) - np.log(3)) < 0.2


def test_vit_is_refused_by_cnn_methods():
    with pytest.raises(UserError, match=r"tsa.*is defined on cnn"):
        adapt(timm.create_model("vit_tiny_patch16_224"), registry.load("tsa"))


@pytest.mark.parametrize(
    "name",
    [
        "deit3_small_patch16_224",
        "deit_tiny_patch16_224",
        "efficientnet_lite0",
        "flexivit_small",
        "maxvit_tiny_tf_224",
        "mobilevit_s",
        "resnet18",
        "test_vit",
        "vit_tiny_patch16_224",
    ],
)
def test_the_name_of_a_backbone_tells_its_kind(name):
    """Tables go by the name, methods by the network."""
    with torch.device("meta"):
        assert encoder(name) == encoder_kind(timm.create_model(name))


def test_unknown_backbone_is_named():
    with pytest.raises(UserError, match="no backbone 'resnet5O'"):
        count([("resnet5O", "full")], 3)


def test_positions_are_counted_at_the_size_of_the_images(build):
    model = build("attention", "vit")
    (row,) = count([(NETWORKS["vit"], "attention")], 3, image_size=32).to_dict("records")
    assert {key: row[key] for key in count_parameters(model)} == count_parameters(model)
    (native,) = count([(NETWORKS["vit"], "attention")], 3).to_dict("records")
    assert native["trainable_parameters"] > row["trainable_parameters"]


def test_a_method_that_is_not_defined_on_a_backbone_is_named():
    with pytest.raises(UserError, match="'lora' is defined on unet, vit"):
        count([("resnet18", "full"), ("resnet18", "lora")], 3)


def test_unknown_method_is_named():
    with pytest.raises(UserError, match="no method 'lroa'"):
        registry.load("lroa")
