"""The packages on which numbers depend."""

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "timm", "peft", "diffusers", "numpy", "pandas", "scikit-learn", "optuna", "safetensors")


def versions() -> dict[str, str]:
    """Return the versions of those that are installed here: environments of conda have what their rules need."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
