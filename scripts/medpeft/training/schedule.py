"""How the learning rate changes over a training."""

import math
from collections.abc import Callable


def warmup_cosine(steps: int, warmup: float) -> Callable[[int], float]:
    """Return the factor on the learning rate at each of `steps`: linear over the share `warmup`, then cosine to 0."""
    rising = round(warmup * steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2

    return factor
