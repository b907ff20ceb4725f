"""A table of what timm's backbones are, found by building each of them; `encoders` reads it.

`python -m medpeft.networks.survey` makes the table again after a change of timm, peft or the methods, in some ten
minutes on one core.
"""

import csv
import logging
from typing import Any

import timm
import torch
from torch import nn

from medpeft.base.files import replacing
from medpeft.methods import peft_tuners
from medpeft.methods.layers import head
from medpeft.methods.registry import load, names
from medpeft.networks.encoders import COLUMNS, TABLE, Surveyed
from medpeft.networks.models import adapt, architecture, encoder_kind

ALIKE = peft_tuners.ON_CONVOLUTIONS  # tuners of peft that adapt the same convolutions, all or none of them
ONE_BLOCK: dict[str, Any] = {"depth": 1}  # of a transformer, whose blocks are alike
MOST_WEIGHTS = 10_000_000  # that are drawn, so that a tuner can read them
_by_looks: dict[str, frozenset[str]] = {}


def survey(backbone: str) -> Surveyed:
    """Return what timm's `backbone`, named without a tag, is.

    A network that cannot be built, or whose head is not one linear layer, is of no kind that methods adapt.
    """
    tagged = timm.list_models(f"{backbone}.*", include_tags=True)
    tags = frozenset(name.partition(".")[2] for name in tagged)
    try:
        network = _built(backbone)
        kind = encoder_kind(network) if isinstance(head(network), nn.Linear) else "other"
    except Exception:  # timm's networks fail in many ways, for want of another package as well
        logging.exception("%s cannot be built", backbone)
        kind = "other"
    if kind != "vit":
        return Surveyed(kind, tags, _refused(backbone, kind))
    looks = _looks(_built(backbone, **ONE_BLOCK))
    if looks not in _by_looks:
        _by_looks[looks] = _refused(backbone, kind, **ONE_BLOCK)
    return Surveyed(kind, tags, _by_looks[looks])


def write_table() -> None:
    """Survey all backbones of timm's, and write the table that `encoders` reads."""
    found = {backbone: survey(backbone) for backbone in timm.list_models()}
    with replacing(TABLE) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        stream.write(f"# timm {timm.__version__}\n")
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        for backbone, (kind, tags, refused) in found.items():
            rows.writerow((backbone, kind, " ".join(sorted(tags)), " ".join(sorted(refused))))


def _built(backbone: str, **options: Any) -> nn.Module:
    """Return the network, of any size, without its memory."""
    with torch.device("meta"):
        return architecture(backbone, num_classes=3, **options)


def _looks(network: nn.Module) -> str:
    """Return what tells a method whether it can adapt a transformer: its modules, and what 64 leaves of its width."""
    modules = [(name, type(module).__name__) for name, module in network.named_modules()]
    return repr((modules, network.embed_dim % 64))  # type: ignore[operator]


def _refused(backbone: str, kind: str, **options: Any) -> frozenset[str]:
    """Return the methods that are defined on this `kind` of network and fail to adapt `backbone`.

    Of a cnn only those are tried that look for convolutions to adapt.
    """
    defined = {name for name in names() if kind in load(name).encoders}
    tried = {"tsa", min(ALIKE)} & defined if kind == "cnn" else defined
    failed = {name for name in tried if not _adapts(name, backbone, **options)}
    return frozenset(failed | (ALIKE & defined if failed & ALIKE and kind == "cnn" else set()))


def _adapts(method: str, backbone: str, **options: Any) -> bool:
    """Tell whether `method` can adapt `backbone`; one that reads the weights is taken to, where there are many."""
    try:
        with torch.device("meta"):
            network = architecture(backbone, num_classes=3, **options)
            size = sum(parameter.numel() for parameter in network.parameters())
            adapt(network, load(method))
    except (NotImplementedError, RuntimeError):  # on the meta device there are no weights to read
        return size > MOST_WEIGHTS or _adapts_weights(method, backbone, **options)
    except Exception:
        logging.info("%s cannot adapt %s", method, backbone, exc_info=True)
        return False
    return True


def _adapts_weights(method: str, backbone: str, **options: Any) -> bool:
    try:
        adapt(architecture(backbone, num_classes=3, **options), load(method))
    except Exception:
        logging.info("%s cannot adapt %s", method, backbone, exc_info=True)
        return False
    return True


if __name__ == "__main__":
    write_table()
