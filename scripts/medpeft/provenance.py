"""Where a result comes from: commit, package versions, hashes of its inputs."""

import hashlib
import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from medpeft.files import sha256

PACKAGES = ("torch", "timm", "numpy", "pandas", "scikit-learn", "optuna", "safetensors")


def provenance(inputs: dict[str, str | Path]) -> dict:
    """Return the commit (None outside a checkout), whether files differ from it, versions, and hashes of `inputs`."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "sha256": {name: sha256(path) for name, path in inputs.items()},
    }


def fingerprint(settings: dict, files: list[str | Path]) -> str:
    """Return a hash of settings and of the content of files: equal only where unfinished work may be continued."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(map(str, files)):
        digest.update(f"{path} {sha256(path)}".encode())
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str | None:
    """Return what git prints here, or None where there is no git or no checkout."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
