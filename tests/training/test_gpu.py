"""Training on a GPU: the same run twice leaves the same bytes, at every precision and with micro-batches."""

from dataclasses import replace

import pytest
import torch

from medpeft.methods.registry import load
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.memory import peak_memory
from medpeft.networks.models import create
from medpeft.training.classification import fit, predict

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", ["full", "bitfit", "lora", "ssf"])
def test_a_training_repeats_itself_to_the_last_bit(vit, splits, recipe, method, precision):
    recipe = replace(recipe, device="cuda", precision=precision, gradient_checkpointing=method == "full")
    fix_arithmetic(recipe.threads, "cuda")
    fits, logits = [], []
    for _ in range(2):
        model = create("vit_mini_patch8_64.distilled", 3, vit, load(method), 0, recipe.image_size)
        fits.append(fit(model, splits, recipe, 1e-3, seed=0))
        logits.append(predict(model, splits["test"], recipe))
    assert fits[0].history == fits[1].history
    assert all(torch.equal(tensor, fits[1].best[name]) for name, tensor in fits[0].best.items())
    assert torch.equal(*logits)
    assert peak_memory("cuda") > 0
