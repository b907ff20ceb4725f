"""Blocks, over which methods are compared: each is a dataset with a backbone, of one kind of encoder."""

import re

LEAST_BLOCKS, LEAST_METHODS = 2, 3  # that a test over blocks needs


def encoder(backbone: str) -> str:
    """Return `vit` or `cnn` from the timm name of a backbone: `vit` for the families of timm's VisionTransformer."""
    return "vit" if re.match(r"(test_)?(vit|deit|flexivit)", backbone) else "cnn"
