"""The real images that generated ones are compared with: their statistics, and the scores that they have themselves."""

from pathlib import Path

from medpeft.generation.fidelity import Pixels, scores
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.extractor import count_features


def reference(real: Pixels, extractor: str, weights: Path, cache: Path, threads: int, device: str) -> dict:
    """Write the features and statistics of the `real` images to the folder `cache` and return the floor.

    The floor has the scores of two halves of them, `floor_fid` and so on, and `floor_images`, how many a half has: no
    generated images can be expected to score better with as few. It has the number of `features` too.
    """
    fix_arithmetic(threads, device)
    first, second = real.halves()
    floor = scores(first, second, extractor, weights, device)
    scores(real, real, extractor, weights, device, cache, input1_cache_name=real.name)
    facts = {"floor_images": len(first), "features": count_features(extractor)}
    return {f"floor_{name}": score for name, score in floor.items()} | facts
