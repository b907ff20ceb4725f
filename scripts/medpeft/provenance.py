"""Where a result comes from: commit, package versions, hashes of its inputs."""

import hashlib
import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from medpeft.files import sha256

PACKAGES = ("torch", "timm", "peft", "diffusers", "numpy", "pandas", "scikit-learn", "optuna", "safetensors")


def provenance(inputs: dict[str, str | Path]) -> dict:
    """Return the commit (None outside a checkout), whether files differ from it, versions, and hashes of `inputs`."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "packages": _versions(),
        "sha256": {name: sha256(path) for name, path in inputs.items()},
    }


def unfinished(output: str | Path, settings: dict, files: list[str | Path]) -> Path:
    """Return the path beside `output` under which unfinished work on it is kept, to be continued after a kill.

    Its name is a hash of `settings`, of the content of `files` and of package versions: work that began under others is
    not continued, and deleted here.
    """
    digest = hashlib.sha256(json.dumps([settings, _versions()], sort_keys=True).encode())
    for path in sorted(map(str, files)):
        digest.update(f"{path} {sha256(path)}".encode())
    output = Path(output)
    path = output.with_name(f".{digest.hexdigest()[:16]}.unfinished")
    for other in set(output.parent.glob(".*.unfinished*")) - {path}:
        other.unlink()
    return path


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def _git(*arguments: str) -> str | None:
    """Return what git prints here, or None where there is no git or no checkout."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
