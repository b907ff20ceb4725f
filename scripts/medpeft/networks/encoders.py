"""What a backbone is, told by its name: a study is read without torch.

`timm_backbones.csv` beside this module tells it of timm's backbones; `medpeft.networks.survey` writes that table.
"""

import csv
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("timm_backbones.csv")
COLUMNS = ("backbone", "encoder", "tags", "refused")


class Surveyed(NamedTuple):
    """What is known of a backbone of timm's.

    Attributes:
        encoder: `cnn`, `vit` or `other`, as `medpeft.networks.models.encoder_kind` tells it from the network.
        tags: Of its pretrained weights, which follow its name behind a dot.
        refused: The methods that are defined on its kind, and cannot adapt it all the same.
    """

    encoder: str
    tags: frozenset[str]
    refused: frozenset[str]


def encoder(backbone: str) -> str:
    """Return `vit`, `cnn` or `other` from the name of a backbone; `other` has no method that adapts it.

    Of a backbone that the table lacks, one of the project's own, the name tells whether it is a VisionTransformer.
    """
    if found := surveyed().get(_architecture(backbone)):
        return found.encoder
    return "vit" if re.match(r"(test_)?(vit|deit|flexivit)", backbone) else "cnn"


def refused(backbone: str) -> frozenset[str]:
    """Return the methods that are defined on the kind of a backbone and cannot adapt it all the same."""
    found = surveyed().get(_architecture(backbone))
    return found.refused if found else frozenset()


def patch_of(backbone: str) -> int:
    """Return the pixels of a patch's side, as the name of a transformer tells it; 1 of other networks."""
    found = re.search(r"patch(\d+)", backbone) if encoder(backbone) == "vit" else None
    return int(found[1]) if found else 1


def _architecture(backbone: str) -> str:
    return backbone.partition(".")[0]


@cache
def surveyed() -> dict[str, Surveyed]:
    """Return what the table knows of timm's backbones, by their names without tags."""
    with open(TABLE, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    return {
        row["backbone"]: Surveyed(row["encoder"], frozenset(row["tags"].split()), frozenset(row["refused"].split()))
        for row in rows
    }


def surveyed_version() -> str:
    """Return the version of timm that the table was made with."""
    with open(TABLE, encoding="utf-8") as stream:
        return stream.readline().removeprefix("# timm").strip()
