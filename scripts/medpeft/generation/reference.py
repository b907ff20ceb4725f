"""The real images that generated ones are compared with: their statistics, and how well they match each other."""

from pathlib import Path

from medpeft.base.files import set_modes
from medpeft.generation.features import Extractor
from medpeft.generation.fidelity import Pixels, metrics_of
from medpeft.networks.device import fix_arithmetic
from medpeft.networks.extractor import count_features


def reference(real: Pixels, extractor: Extractor, cache: Path) -> dict[str, float]:
    """Write what `medpeft.generation.fidelity` needs of the real images to `cache`, and return the floor.

    Args:
        real: the images that generated ones are compared with.
        extractor: the network in whose features they are compared.
        cache: folder for the features and statistics of `real`.

    Returns:
        The metrics of two halves of the real images, `floor_fid` and so on: no generated images can be expected to do
        better with as few. Also `floor_images`, the number of images in a half, and `features`, the number of
        features of an image.
    """
    fix_arithmetic(extractor.threads, extractor.device)
    first, second = real.halves()
    floor = metrics_of(first, second, extractor)
    metrics_of(real, real, extractor, cache)
    set_modes(cache)
    facts = {"floor_images": len(first), "features": count_features(extractor.name)}
    return {f"floor_{name}": value for name, value in floor.items()} | facts
