"""What captions say of an experiment: the networks that ran, their pretraining, and whether it is a published one."""

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from medpeft.networks.encoders import encoder, surveyed

KINDS = {"cnn": "convolutional networks", "vit": "vision transformers"}
# What a backbone learned from, as its name and the tag of its weights tell; the first that is found in them holds.
PRETRAINING = {
    "pretraining by distillation": r"\.distilled$",
    "semi-supervised pretraining": r"ssl_|ssld|noisy|[._]ns_|wsl_|swag",
    "pretraining on images with texts": r"clip|openai|laion|datacomp|webli|dfn\d|merged2b|yfcc|cc12m|pali|apple_pt",
    "self-supervised pretraining": r"dino|lvd\d|ijepa|[._]f?cmae|[._]mae|beit|[._]mim|seer|sat493m|m3[08]m",
    "supervised pretraining": r"in\d+k|in22k|inw21k",
}
THEN = " followed by supervised training"  # on labels, after pretraining without them
KEYS = ["dataset", "backbone", "method"]


def pretraining(backbone: str) -> str:
    """Return in words what the weights of `backbone` learned from; empty where its name does not tell."""
    name, _, tag = backbone.partition(".")
    known = surveyed().get(name)
    tags = [tag] if tag or not known else sorted(known.tags)
    told = {_told(f"{name}.{one}") for one in tags}
    return told.pop() if len(told) == 1 else ""


def networks(backbones: Iterable[str]) -> str:
    """Return what kind of networks `backbones` are, their pretraining and their names, as a caption says it."""
    kinds: dict[str, list[str]] = {}
    for backbone in dict.fromkeys(backbones):
        kinds.setdefault(KINDS.get(encoder(backbone), "other networks"), []).append(backbone)
    return " and ".join(f"{kind} {_with_pretraining(found)}" for kind, found in kinds.items())


def of_experiments(runs: pd.DataFrame, published: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, str]]:
    """Return what the captions of each experiment's artefacts say of it.

    Args:
        runs: One row a run, with columns `experiment`, `dataset`, `backbone` and `method`.
        published: The cells of the published tables, by name.

    Returns:
        `networks`, see there, and `published`, which names the published table if one of its cells was run.
    """
    captions = {}
    for name, of_one in runs.groupby("experiment", sort=False):
        same = name in published and not of_one[KEYS].merge(published[str(name)][KEYS]).empty
        captions[str(name)] = {
            "networks": networks(of_one["backbone"]),
            "published": f" (the published table {str(name).removeprefix('table')})" if same else "",
        }
    return captions


def _told(backbone: str) -> str:
    found = next((words for words, sign in PRETRAINING.items() if re.search(sign, backbone)), "")
    labels = re.search(r"ft_in\d+k|ft_in22k|_in1k_ft", backbone) and not found.startswith("supervised")
    return found + (THEN if found and labels else "")


def _with_pretraining(backbones: list[str]) -> str:
    told = {backbone: pretraining(backbone) for backbone in backbones}
    if len(set(told.values())) == 1:
        words = told[backbones[0]]
        return f"with {words} ({', '.join(backbones)})" if words else f"({', '.join(backbones)})"
    return f"({'; '.join(name + (f' with {words}' if words else '') for name, words in told.items())})"
