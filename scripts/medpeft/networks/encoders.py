"""The kind of encoder that a backbone is, told by its name: a study is read without torch."""

import re


def encoder(backbone: str) -> str:
    """Return `vit` or `cnn` from the timm name of a backbone: `vit` for the families of timm's VisionTransformer.

    `medpeft.networks.models.encoder_kind` tells it from the network itself.
    """
    return "vit" if re.match(r"(test_)?(vit|deit|flexivit)", backbone) else "cnn"
