"""BatchNorm tuning: the affine parameters of every BatchNorm (Frankle et al. 2021, arXiv 2003.00152)."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from medpeft.methods.registry import method

TRAINS = "the affine parameters of every BatchNorm"


@method("batchnorm", "BatchNorm tuning", family="selective", encoders={"cnn"}, source="arXiv 2003.00152", trains=TRAINS)
def batchnorm(model: nn.Module) -> None:
    """Make the BatchNorm weights and biases of a frozen `model` trainable, in place."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.requires_grad_(True)
