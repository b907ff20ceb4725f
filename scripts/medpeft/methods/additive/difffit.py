"""DiffFit: biases, norms, and a scale behind each operation of the transformers (Xie et al. 2023, arXiv 2304.06648).

DiffFit was written for a transformer, where a scale stands behind attention and behind the feed-forward layer. In a
block of a U-Net's transformers, width c, they stand here behind both attentions (c each) and both projections of the
feed-forward layer (8c and c): 11c, which gives the published count. The paper also trains the embedding of classes,
which a text-to-image U-Net lacks.
"""

import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import nn

from medpeft.methods.registry import method
from medpeft.methods.selective.bias import bias
from medpeft.methods.selective.norm import norm

TRAINS = "biases, norms, and a scale behind each operation of the transformers"


@method("difffit", "DiffFit", family="additive", encoders={"unet"}, source="arXiv 2304.06648", trains=TRAINS)
def difffit(model: nn.Module) -> None:
    """Tune biases and norms of a frozen diffusers U-Net and add scales, in place; the network starts unchanged."""
    bias(model)
    norm(model)
    for block in model.modules():
        if isinstance(block, BasicTransformerBlock):
            expansion, contraction = block.ff.net[0].proj, block.ff.net[2]
            _scale(block.attn1, block.attn1.to_out[0].out_features)
            _scale(block.attn2, block.attn2.to_out[0].out_features)
            _scale(expansion, expansion.out_features)
            _scale(contraction, contraction.out_features)


def _scale(module: nn.Module, channels: int) -> None:
    """Multiply what `module` gives, float (..., channels), by a trainable scale that starts at 1."""
    module.gamma = nn.Parameter(torch.ones(channels))
    module.register_forward_hook(lambda module, _, output: output * module.gamma)
