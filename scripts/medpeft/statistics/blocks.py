"""Blocks, over which methods are ranked: each is a dataset with a backbone, of one kind of encoder."""

from collections.abc import Iterable

from medpeft.base.runs import Run
from medpeft.networks.encoders import encoder

GROUP = ["encoder", "fraction"]  # what the blocks that methods are ranked over have in common
LEAST_BLOCKS, LEAST_METHODS = 2, 3  # that a test over blocks needs


def shortage(blocks: int, methods: int) -> str | None:
    """Return why ranks of so many methods over so many blocks cannot be tested, or None where they can."""
    if blocks < LEAST_BLOCKS:
        return f"too few blocks for a test: {blocks}"
    if methods < LEAST_METHODS:
        return f"too few methods for a test: {methods}"
    return None


def ranks_can_be_tested(runs: Iterable[Run]) -> bool:
    """Tell whether some kind of encoder has, at one fraction, enough blocks and methods to test ranks over.

    A block counts where it has all methods of its group.

    Args:
        runs: Runs of classification.
    """
    groups: dict[tuple[str, str], dict[tuple[str, str], set[str]]] = {}
    for run in runs:
        blocks = groups.setdefault((encoder(run.backbone), run.fraction), {})
        blocks.setdefault((run.dataset, run.backbone), set()).add(run.method)
    for blocks in groups.values():
        methods = set.union(*blocks.values())
        complete = sum(found == methods for found in blocks.values())
        if not shortage(complete, len(methods)):
            return True
    return False
