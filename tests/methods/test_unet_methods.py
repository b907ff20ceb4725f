"""What every method promises on the U-Net of a diffusion pipeline, over the registry."""

import pytest
import torch
from conftest import tiny_unet
from diffusers import UNet2DConditionModel
from torch.nn import functional

from medpeft.methods import registry
from medpeft.networks.count import count
from medpeft.networks.delta import delta, load_delta
from medpeft.networks.models import adapt, count_parameters
from medpeft.networks.unets import UNETS

NAMES = [name for name in registry.names() if "unet" in registry.load(name).encoders]
TUNED = [name for name in NAMES if name != "untuned"]
# Trainable parameters of the U-Net of Stable Diffusion 1.5 (Dutt et al. 2024 where they print them without a slip).
COUNTS = {
    "full": 859_520_964,
    "attention": 267_239_360,
    "bias": 343_684,
    "norm": 200_320,
    "bias_norm_attention": 267_421_124,
    "lora": 797_184,
    "svdiff": 222_805,
    "difffit": 581_124,
}


def stable_diffusion() -> UNet2DConditionModel:
    """Return the U-Net of Stable Diffusion 1.5 without its memory."""
    with torch.device("meta"):
        return UNet2DConditionModel(
            sample_size=64,
            block_out_channels=(320, 640, 1280, 1280),
            down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
            layers_per_block=2,
            attention_head_dim=8,
            cross_attention_dim=768,
        )


def build(name: str | None, seed: int = 0) -> UNet2DConditionModel:
    """Return the same tiny U-Net each time, under a method whose own random numbers come from `seed`."""
    torch.manual_seed(0)
    unet = tiny_unet(sample_size=4, cross_attention_dim=12)
    for key, parameter in unet.named_parameters():
        if key.endswith("bias"):  # zero, or small, in a network that was never trained
            torch.nn.init.normal_(parameter, std=0.05)
    torch.manual_seed(seed)
    return adapt(unet, registry.load(name)) if name else unet.requires_grad_(False)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(3, 4, 4, 4, generator=generator),
        torch.tensor([1, 500, 999]),
        torch.randn(3, 5, 12, generator=generator),
    )


def train(unet: torch.nn.Module, steps: int) -> None:
    """Take some steps of gradient descent towards a random target."""
    latents, times, text = inputs()
    target = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2))
    optimiser = torch.optim.AdamW([p for p in unet.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        functional.mse_loss(unet(latents, times, text).sample, target).backward()
        optimiser.step()


def test_registry_holds_the_published_methods():
    assert set(NAMES) == COUNTS.keys() | {"untuned"}


def test_untuned_trains_nothing():
    assert count_parameters(build("untuned"))["trainable_parameters"] == 0


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_stable_diffusion(name):
    counts = count_parameters(adapt(stable_diffusion(), registry.load(name)))
    assert counts["trainable_parameters"] == COUNTS[name]
    assert counts["head_parameters"] == 0


def test_counts_need_no_download():
    pairs = [("stable_diffusion_v1_5", name) for name in COUNTS]
    table = count(pairs, classes=3, unets=UNETS).set_index("method")
    assert table["trainable_parameters"].to_dict() == COUNTS
    assert set(table["head_parameters"]) == {0}


def test_total_of_stable_diffusion():
    assert count_parameters(stable_diffusion())["total_parameters"] == COUNTS["full"]


@pytest.mark.parametrize("name", NAMES)
def test_methods_start_at_the_pretrained_network(name):
    with torch.no_grad():
        before, after = (build(method)(*inputs()).sample for method in (None, name))
    assert torch.equal(before, after)


@pytest.mark.parametrize("name", TUNED)
def test_training_moves_what_is_trainable_and_nothing_else(name):
    unet = build(name)
    before = {key: tensor.clone() for key, tensor in unet.state_dict().items()}
    train(unet, 2)
    moved = {key for key, tensor in unet.state_dict().items() if not torch.equal(before[key], tensor)}
    assert moved == delta(unet).keys()


@pytest.mark.parametrize("name", NAMES)
def test_frozen_weights_are_the_pretrained_ones(name):
    """Each pretrained tensor is in the network bit for bit, before it is trained."""
    held = {tensor.numpy().tobytes() for tensor in build(name).state_dict().values()}
    assert all(tensor.numpy().tobytes() in held for tensor in build(None).state_dict().values())


@pytest.mark.parametrize("name", TUNED)
def test_delta_reloads_to_identical_outputs(name):
    unet, reloaded = build(name), build(name, seed=1)
    train(unet, 2)
    load_delta(reloaded, delta(unet))
    with torch.no_grad():
        trained = unet(*inputs()).sample
        assert torch.equal(trained, reloaded(*inputs()).sample)
        assert not torch.equal(trained, build(None)(*inputs()).sample)


def test_lora_and_attention_leave_the_convolutions_alone():
    for name in ("lora", "attention"):
        assert all("attentions" in key for key in delta(build(name)))


def test_singular_values_are_shifted_and_never_negative():
    unet = build("svdiff")
    weight = build(None).conv_in.weight.flatten(1)
    shift = torch.full((8,), -0.05)
    shift[0] = 0.5
    shift[-1] = -100
    unet.conv_in.parametrizations.weight[0].delta.data = shift
    expected = (torch.linalg.svdvals(weight) + shift).clamp(min=0)
    found = torch.linalg.svdvals(unet.conv_in.weight.detach().flatten(1))
    torch.testing.assert_close(found, expected.sort(descending=True).values, rtol=1e-4, atol=1e-5)


def test_svdiff_scales_the_weights_of_norms_at_their_own_rate():
    unet = build("svdiff")
    shift = unet.conv_norm_out.parametrizations.weight[0].delta
    before = unet.conv_norm_out.weight.detach().clone()
    shift.data += before.norm()
    torch.testing.assert_close(unet.conv_norm_out.weight.detach(), 2 * before)
    slow = {key for key, parameter in unet.named_parameters() if hasattr(parameter, "learning_rate")}
    assert slow == {key for key in delta(unet) if "norm" in key}


def test_difffit_scales_attention_and_feed_forward():
    """A scale of 0 behind an operation takes it out of its transformer."""
    block = build("difffit").mid_block.attentions[0].transformer_blocks[0]
    tokens, text = torch.randn(2, 6, 16), torch.randn(2, 5, 12)
    for module in (block.attn1, block.attn2, block.ff.net[2]):
        assert torch.equal(module.gamma.detach(), torch.ones(16))
        module.gamma.data.zero_()
    assert block.ff.net[0].proj.gamma.shape == (128,)
    assert torch.equal(block(tokens, encoder_hidden_states=text), tokens)
