"""SV-Diff: shifts of the singular values of every weight (Han et al. 2023, arXiv 2303.11305).

A weight W = U diag(s) V^T, a kernel as a matrix of outputs by all else, becomes U diag(relu(s + delta)) V^T. The weight
of a norm is a matrix of a single row, so that it has a single singular value. It is written as W + U diag(relu(s +
delta) - s) V^T, so that the network starts unchanged to the last bit.

The authors' page (svdiff.github.io) links no code of theirs. That the shifts of norms have a learning rate of 1e-6 is
the recipe of a reimplementation, github.com/mkshing/svdiff-pytorch: 1e-3 for other shifts, a batch of one image, 500
steps, the text encoder tuned as well. Here all else is the study's; in `studies/paper.yaml` the other shifts have 1e-4.
At 1e-6 the norms hardly move: by .015 at most in 15,000 steps of AdamW, beside singular values of about 20.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medpeft.methods.registry import method

NORM_RATE = 1e-6  # learning rate of the shifts of norms

TRAINS = "shifts of the singular values of every weight"


class SpectralShift(nn.Module):
    """A weight whose singular values are shifted; the decomposition is made once and kept, the weight stays frozen."""

    left: Tensor
    values: Tensor
    right: Tensor

    def __init__(self, weight: Tensor):
        super().__init__()
        left, values, right = torch.linalg.svd(_matrix(weight.detach()), full_matrices=False)
        for name, tensor in (("left", left), ("values", values), ("right", right)):
            self.register_buffer(name, tensor, persistent=False)
        self.delta = nn.Parameter(torch.zeros_like(values))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the frozen `weight` with its singular values shifted."""
        change = (self.values + self.delta).relu() - self.values
        return weight + ((self.left * change) @ self.right).reshape(weight.shape)


def _matrix(weight: Tensor) -> Tensor:
    return weight[None] if weight.ndim == 1 else weight.flatten(1)


@method("svdiff", "SV-Diff", family="additive", encoders={"unet"}, source="arXiv 2303.11305", trains=TRAINS)
def svdiff(model: nn.Module) -> None:
    """Add a shift to each singular value of the weights of a frozen diffusers U-Net, in place."""
    for module in list(model.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear | nn.GroupNorm | nn.LayerNorm):
            shift = SpectralShift(module.weight)
            if module.weight.ndim == 1:
                shift.delta.learning_rate = NORM_RATE  # type: ignore[attr-defined]  # read as `Definition` says
            parametrize.register_parametrization(module, "weight", shift, unsafe=True)
