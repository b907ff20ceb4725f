"""Networks: a pretrained backbone of timm, a new head, and one method.

What concerns methods serves the U-Net of a diffusion pipeline as well.
"""

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from timm.models import VisionTransformer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from medpeft.base.errors import UserError
from medpeft.methods.layers import head, head_name
from medpeft.methods.registry import Method
from medpeft.networks import backbones  # noqa: F401, for timm to know them
from medpeft.networks.delta import is_updated, mark_as_updated


def create(
    backbone: str, classes: int, weights: Path, method: Method, seed: int, image_size: int | None = None
) -> nn.Module:
    """Return timm's `backbone` with the pretrained `weights`, a head for `classes` drawn from `seed`, and `method`.

    Everything is frozen but what the method trains and the head. Kernels lie channels last, which convolutions run
    fastest on.

    Args:
        backbone: A name of timm's.
        classes: How many outputs the head has.
        weights: A file of safetensors; a head in it is left out.
        method: How the network is adapted.
        seed: Draws the head and what the method adds.
        image_size: In pixels. The position embedding of a transformer that was pretrained at another size is resampled.

    Raises:
        UserError: The method is not defined on this kind of network, or the weights do not fit.
    """
    torch.manual_seed(seed)
    model = architecture(backbone, num_classes=classes)
    load_backbone(model, load_file(weights), weights)
    resize(model, image_size)
    _initialise(head(model))
    return adapt(model, method).to(memory_format=torch.channels_last)


def architecture(backbone: str, **options: Any) -> nn.Module:
    """Return timm's `backbone` without pretrained weights; an unknown one is a `UserError`."""
    try:
        model: nn.Module = timm.create_model(backbone, **options)
    except RuntimeError as error:
        raise UserError(f"timm has no backbone {backbone!r}: timm.list_models() names those there are") from error
    return model


def resize(model: nn.Module, image_size: int | None) -> None:
    """Resample the position embedding of a transformer to `image_size` pixels, in place; None leaves it as it is."""
    if image_size and isinstance(model, VisionTransformer):
        model.set_input_size(img_size=image_size)
        if stride := next((side for side in model.patch_embed.patch_size if image_size % side), None):
            raise UserError(
                f"images of {image_size} pixels cannot be divided into patches of {stride}: change the study's key "
                "image_size to a multiple"
            )


def adapt(model: nn.Module, method: Method) -> nn.Module:
    """Freeze `model`, apply `method` to it in place, make its head, if it has one, trainable, and return it."""
    kind = encoder_kind(model)
    if kind not in method.encoders:
        raise UserError(
            f"the method {method.name!r} is defined on {', '.join(sorted(method.encoders))}, "
            f"and {type(model).__name__} is of another kind: take the pair out of the study's experiments"
        )
    model.requires_grad_(False)
    method.definitions[kind].adapt(model)
    if kind != "unet":
        head(model).requires_grad_(True)
    return model


def take_features(model: nn.Module) -> nn.Module:
    """Let `model` take pooled features, float32 (N, width), instead of images, in place, and return it.

    Only its head computes then; its state keeps its names.
    """
    model.forward = head(model).forward
    return model


def _initialise(classifier: nn.Linear) -> None:
    """Draw a head whose first predictions are nearly uniform.

    timm scales that of an EfficientNet by its number of outputs: with 3 classes the first loss is 4 to 6, where that of
    guessing is 1.1, and a short training is spent on undoing that.
    """
    nn.init.trunc_normal_(classifier.weight, std=0.01)
    nn.init.zeros_(classifier.bias)


def encoder_kind(model: nn.Module) -> str:
    """Return what kind of encoder a network is: `vit`, `unet`, `cnn` or `other`.

    A `vit` is timm's VisionTransformer, a `unet` diffusers' UNet2DConditionModel, a `cnn` has BatchNorm layers.
    """
    if isinstance(model, VisionTransformer):
        return "vit"
    if type(model).__name__ == "UNet2DConditionModel":  # by name, for importing diffusers takes seconds
        return "unet"
    return "cnn" if any(isinstance(module, _BatchNorm) for module in model.modules()) else "other"


def load_backbone(model: nn.Module, state: dict[str, Tensor], origin: Path) -> None:
    """Load `state`, which comes from the file `origin`, into a timm `model`, all but its head.

    Raises:
        UserError: Anything else is missing, left over, or of another shape.
    """
    classifier = f"{head_name(model)}."
    state = {name: tensor for name, tensor in state.items() if not name.startswith(classifier)}
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise UserError(f"{origin} does not fit {type(model).__name__}: {error}") from error
    wrong = [name for name in missing if not name.startswith(classifier)] + unexpected
    if wrong:
        raise UserError(
            f"{origin} does not fit {type(model).__name__}: {len(wrong)} tensors differ, such as {wrong[0]}"
        )


def update_batchnorm(model: nn.Module) -> None:
    """Let training update the running statistics of every BatchNorm in `model`, in place; its delta then holds them."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            mark_as_updated(module)


def set_training_mode(model: nn.Module) -> None:
    """Put `model` into training mode, its BatchNorms into evaluation mode but for those of `update_batchnorm`.

    One policy for all methods, the study's key `recipe.batchnorm`. With `pretrained`, the default, the running
    statistics are used and never change, whether or not the affine part is trained: frozen means frozen, and a delta
    holds parameters alone. With `updated` a batch is normalised by its own statistics, which move the running ones. The
    published study does not say what it did. Both were measured on validation (EfficientNet-Lite0, 64 px, batches of
    16, 6 epochs, best of three learning rates). With `updated` micro-F1 fell on simulated breasts from .86 to .63 for
    BatchNorm tuning and from .88 to .78 for full fine-tuning, on BUSI from .73 to .70 and from .75 to .69.
    """
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train(is_updated(module))


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Return the numbers of trainable parameters (head included), of the head's, and of all; a U-Net has no head."""
    of_head = [] if encoder_kind(model) == "unet" else head(model).parameters()
    return {
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "head_parameters": sum(p.numel() for p in of_head),
        "total_parameters": sum(p.numel() for p in model.parameters()),
    }
