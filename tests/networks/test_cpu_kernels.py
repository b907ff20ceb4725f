"""The faster ways of a CPU change nothing but rounding, and one switch turns them off."""

import pytest
import timm
import torch

from medpeft.networks import cpu_kernels
from medpeft.networks.cpu_kernels import TrimmedConv2d, hasten
from medpeft.networks.precision import autocast


def _outcome(network: str, precision: str) -> tuple[torch.nn.Module, list[torch.Tensor]]:
    """Return a hastened network of timm, and its logits and gradients.

    At full precision it has 64 bits: a ReLU that rounding switches changes gradients by more than rounding does.
    """
    dtype = torch.float64 if precision == "fp32" else torch.float32
    torch.manual_seed(0)
    model = timm.create_model(network, num_classes=3).eval().to(dtype=dtype, memory_format=torch.channels_last)
    images = torch.randn(5, 3, 64, 64, dtype=dtype).contiguous(memory_format=torch.channels_last)
    if hasattr(model, "set_input_size"):
        model.set_input_size(img_size=64)
    hasten(model, precision)
    with autocast(precision, "cpu"):
        logits = model(images).to(dtype)
    gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, torch.arange(5) % 3), model.parameters())
    return model, [logits.detach(), *gradients]


def _takes_them(model: torch.nn.Module) -> bool:
    modules = list(model.modules())
    trimmed = any(isinstance(module, TrimmedConv2d) or module._forward_pre_hooks for module in modules)
    return trimmed or any(getattr(module, "fused_attn", None) is False for module in modules)


# Numbers in bf16 have 8 binary digits, and the layers add their roundings up.
@pytest.mark.parametrize(
    ("network", "precision", "rounding"),
    [("efficientnet_lite0", "fp32", 1e-10), ("resnet18", "fp32", 1e-10), ("test_vit", "bf16", 5e-2)],
)
def test_without_them_results_are_the_same_but_for_rounding(network, precision, rounding, monkeypatch):
    hastened, fast = _outcome(network, precision)
    monkeypatch.setattr(cpu_kernels, "ENABLED", False)
    plain, slow = _outcome(network, precision)
    assert (_takes_them(hastened), _takes_them(plain)) == (True, False)
    for one, other in zip(fast, slow, strict=True):
        assert (one - other).norm() <= rounding * other.norm()


def test_attention_stays_fused_at_full_precision():
    assert not _takes_them(_outcome("test_vit", "fp32")[0])
