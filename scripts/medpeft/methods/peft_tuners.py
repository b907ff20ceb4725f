"""The tuners of the library peft as methods, by peft's own names, with peft's own defaults."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from medpeft.base.errors import UserError
from medpeft.base.files import replacing

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from torch import nn

# A setting of a tuner that has a name of its own in the literature.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {"dora": ("lora", {"use_dora": True})}

# Where peft's defaults name no layer, do not divide the widths of common transformers, or start far from the network.
SETTINGS: dict[str, dict[str, Any]] = {
    "c3a": {"block_size": 64},
    "fourierft": {"init_weights": True},
    "ia3": {"target_modules": r".*\.(k|v|fc2)", "feedforward_modules": r".*\.fc2"},
    "vblora": {"vector_length": 64},
}
PROJECTIONS = r".*\.qkv\.(q|v)"  # as in Hu et al. 2022, arXiv 2106.09685

# Tuners that also adapt convolutions. Of the others, OFT is not the identity at the start on a kernel larger than 1.
ON_CONVOLUTIONS = {"dora", "hira", "loha", "lokr"}

# Tuners whose layers share tensors that peft keeps outside the network: they are not exported.
SHARING = {"frod", "lily", "pvera", "randlora", "tinylora", "unilora", "vblora", "vera"}

TOKENS = "it adapts the tokens of a language model, which an image encoder lacks"
REFUSED = {
    "adalora": "its ranks follow a schedule that has to be driven from within the training loop",
    "ln_tuning": "it wraps norms that the methods layernorm and batchnorm tune in place",
    "poly": "it mixes adapters of several tasks",
    "xlora": "it mixes adapters that were trained before",
    "shadow": "it needs the configuration of a transformers model",
} | dict.fromkeys(
    (
        "adaption_prompt",
        "cartridge",
        "cpt",
        "multitask_prompt_tuning",
        "p_tuning",
        "prefix_tuning",
        "prompt_tuning",
        "trainable_tokens",
    ),
    TOKENS,
)


def names() -> list[str]:
    """Return the names of all tuners that the installed peft has and that work here, without importing it."""
    package = find_spec("peft")
    if not package or not package.submodule_search_locations:
        return []
    folder = Path(package.submodule_search_locations[0]) / "tuners"
    found = {module.name for module in pkgutil.iter_modules([str(folder)]) if module.ispkg} - {"mixed"}
    return sorted((found | VARIANTS.keys()) - REFUSED.keys())


def encoders(name: str) -> frozenset[str]:
    """Return the kinds of network that the tuner `name` adapts."""
    return frozenset({"vit", "cnn"} if name in ON_CONVOLUTIONS else {"vit"})


def adapt(name: str, **settings: Any) -> Callable[[nn.Module], None]:
    """Return a function that adds the tuner `name` to a frozen timm network in place, with `settings` of the tuner."""

    def with_tuner(model: nn.Module) -> None:
        insert(model, name, **settings)

    return with_tuner


def insert(model: nn.Module, name: str, **settings: Any) -> PeftModel:
    """Add the tuner `name` to a frozen timm `model` in place and return peft's view of it.

    On a transformer the query and value projections of each block are adapted, on a convolutional network the
    convolutions of each block that are not depthwise, unless `settings` or `SETTINGS` name other `target_modules`.
    """
    from peft import get_peft_model
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    tuner, variant = VARIANTS.get(name, (name, {}))
    kinds = {kind.value.lower(): config for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    chosen = {"target_modules": _targets(model)} | SETTINGS.get(tuner, {}) | variant | settings
    return get_peft_model(model, kinds[tuner](**chosen))


def export(model: nn.Module, folder: Path) -> None:
    """Write the tuner and the head of a trained timm `model` to `folder` as peft does.

    `peft.PeftModel.from_pretrained` reads them onto the pretrained timm network with a head for as many classes, a
    transformer after `medpeft.methods.layers.split_projections`.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    from medpeft.methods.layers import head_name

    classifier = head_name(model)
    (config,) = cast("dict[str, PeftConfig]", model.peft_config).values()
    config = replace(config, modules_to_save=[classifier], inference_mode=True)
    tensors = get_peft_model_state_dict(model) | {
        name: tensor for name, tensor in model.state_dict().items() if name.startswith(f"{classifier}.")
    }
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    with replacing(folder / "adapter_model.safetensors") as temporary:
        save_file({f"base_model.model.{name}": tensor.contiguous() for name, tensor in tensors.items()}, temporary)


def _targets(model: nn.Module) -> str | list[str]:
    from timm.layers import Conv2dSame

    from medpeft.methods.layers import adaptable_convolutions, split_projections

    blocks = getattr(model, "blocks", None)
    if blocks is not None and hasattr(blocks[0], "attn"):
        split_projections(model)
        return PROJECTIONS
    found = {name: module for name, module in adaptable_convolutions(model).items() if module.groups == 1}
    if padded := [name for name, module in found.items() if isinstance(module, Conv2dSame)]:
        raise UserError(
            f"peft cannot adapt {padded[0]} of this {type(model).__name__}, which pads each image by its size as "
            "TensorFlow does: choose a network whose name does not begin with tf_, or another method"
        )
    return list(found)
