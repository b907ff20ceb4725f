"""Diffusion pipelines in diffusers' folder layout: fetched once, and checked.

Each is the folder `data/weights/<name>` with model_index.json and one folder for each of unet, vae, text_encoder,
tokenizer and scheduler; its weights are safetensors.
"""

import logging
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import diffusers
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError

from medpeft.base.errors import UserError, cause
from medpeft.base.files import read_json, set_modes, sha256, write_json
from medpeft.base.places import PROJECT
from medpeft.base.redaction import redacted
from medpeft.data.fetching.download import below, mirrored, retrieve
from medpeft.data.fetching.web import Unfit
from medpeft.networks.minilm import add_text_encoder

INDEX = "model_index.json"
NETWORKS = ("unet", "vae", "text_encoder")
REQUIRED = (
    INDEX,
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer_config.json",
    "scheduler/scheduler_config.json",
)
PREDICTIONS = ("epsilon", "v_prediction")  # what a U-Net may be trained to predict from noisy latents
# Which of these a tokenizer has depends on its kind.
OPTIONAL = (
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer.json",
    "tokenizer/vocab.json",
    "tokenizer/vocab.txt",
)


def fetch_diffusion_pipeline(name: str, repository: str | None, folder: Path, mirror: str | None) -> None:
    """Make `folder` the diffusion pipeline `name`, complete and checked; `source.json` in it says where it came from.

    Tried in order: `weights/<name>/` and `<name>/` in the mirror (folder or base URL), the project's own folder
    `pretrained`, then the `repository` of the Hugging Face hub. Only safetensors are taken.

    Raises:
        UserError: No place has all files, or a network lacks some of its weights, which would be left random.
    """
    failures = []
    for place, read in _places(name, repository, mirror):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            read(folder)
            _check(folder)
        except (Unfit, HfHubHTTPError, LocalEntryNotFoundError, SafetensorError, OSError, ValueError) as error:
            failures.append(f"{place} ({cause(error)})")
            logging.warning(failures[-1])
            shutil.rmtree(folder, ignore_errors=True)
        else:
            set_modes(folder)
            hashes = {file: sha256(folder / file) for file in (*REQUIRED, *OPTIONAL) if (folder / file).exists()}
            write_json(folder / "source.json", {"origin": redacted(place), "sha256": hashes})
            return
    reasons = "; ".join(failures) or "the study names no place for it"
    raise UserError(
        f"the diffusion pipeline {name!r} was not found ({reasons}): put a folder in diffusers' layout "
        f"with safetensors at weights/{name} in the study's mirror, or name its repository under generation.pipelines"
    )


def kept(name: str) -> Path:
    """Return the folder in which the project itself keeps the diffusion pipeline `name`, if it does."""
    return PROJECT / "pretrained" / name


def _assemble(name: str, folder: Path) -> None:
    shutil.copytree(kept(name), folder)
    add_text_encoder(folder)


def _places(name: str, repository: str | None, mirror: str | None) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield each place that may have the diffusion pipeline, with a function that brings its files into a folder."""
    # The top of the mirror, which `mirrored` names first, holds none.
    for index in mirrored(INDEX, f"weights/{name}", mirror)[1:] + mirrored(INDEX, name, mirror)[1:]:
        base = index.replace(f"/{INDEX}", "", 1) if isinstance(index, str) else index.parent
        yield str(base), partial(_copy, base)
    if kept(name).exists():
        yield "the project's folder pretrained", partial(_assemble, name)
    if repository:
        yield f"the hub's {repository}", partial(_of_hub, repository)


def _copy(base: str | Path, folder: Path) -> None:
    """Bring the files of the diffusion pipeline at `base`, a folder or an address, into `folder`."""
    for file in (*REQUIRED, *OPTIONAL):
        place = below(base, file) if isinstance(base, str) else base / file
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        try:
            retrieve(place, folder / file)
        except Unfit as reason:
            if file in REQUIRED:
                raise Unfit(f"{file}: {reason}") from reason


def _of_hub(repository: str, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        snapshot_download(repository, local_dir=temporary, allow_patterns=[*REQUIRED, *OPTIONAL])
        _copy(Path(temporary), folder)


def _check(folder: Path) -> None:
    """Raise `Unfit` unless every network of the diffusion pipeline finds all of its weights in `folder`."""
    prediction = read_json(folder / "scheduler" / "scheduler_config.json").get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise Unfit(f"its U-Net predicts the {prediction}, where {' or '.join(PREDICTIONS)} can be trained")
    index = read_json(folder / INDEX)
    for part in NETWORKS:
        library, kind = index.get(part) or ("", "")
        network = getattr({"diffusers": diffusers, "transformers": transformers}.get(library), str(kind), None)
        if network is None:
            raise Unfit(f"{INDEX} names no known network for {part}")
        _, found = network.from_pretrained(
            folder / part, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
        wrong = [name for key in ("missing_keys", "mismatched_keys") for name in found[key]]
        if wrong:
            raise Unfit(f"{part} lacks {len(wrong)} of its tensors, such as {wrong[0]}")
