"""Blocks, over which strategies are compared: each is a dataset with a backbone, of one kind of encoder."""

LEAST_BLOCKS, LEAST_STRATEGIES = 2, 3  # that a test over blocks needs


def encoder(backbone: str) -> str:
    """Return `vit` or `cnn` from the timm name of a backbone."""
    return "vit" if "vit" in backbone else "cnn"
