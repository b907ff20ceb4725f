"""Where a result comes from: study, commit, package versions, device, hashes of what went in and came out."""

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from medpeft.base.files import sha256
from medpeft.base.places import PROJECT
from medpeft.base.redaction import without_secrets
from medpeft.pipeline.packages import versions


def provenance(study: dict[str, Any], inputs: Sequence[str | Path], outputs: Sequence[str | Path]) -> dict[str, Any]:
    """Return where a result comes from.

    Args:
        study: The settings as given; their hash leaves out where archives are fetched from, and secrets of addresses.
        inputs: Files, whose hashes are given by path.
        outputs: Files, whose hashes are given by name, for they lie beside the record.

    Returns:
        What `record.json` holds under `provenance`. The commit is None where neither a checkout nor a packed release
        names it, and `dirty` tells whether files of a checkout differ from it.
    """
    packed = _packed()
    settings = without_secrets({key: value for key, value in study.items() if key != "mirror"})
    return {
        "study": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        "commit": packed or _git("rev-parse", "HEAD"),
        "dirty": not packed and bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "packages": versions(),
        "hardware": _hardware(),
        "inputs": {str(path): sha256(path) for path in inputs},
        "outputs": {Path(path).name: sha256(path) for path in outputs},
    }


def unfinished(output: str | Path, settings: dict[str, Any], files: Sequence[str | Path]) -> Path:
    """Return the path beside `output` under which unfinished work on it is kept, to be continued after a kill.

    Its name is a hash of `settings`, of the content of `files` and of package versions. Work that began under others is
    not continued, and deleted here.
    """
    digest = hashlib.sha256(json.dumps([settings, versions()], sort_keys=True).encode())
    for file in sorted(map(str, files)):
        digest.update(f"{file} {sha256(file)}".encode())
    work = Path(output).with_name(f".{digest.hexdigest()[:16]}.unfinished")
    for other in set(work.parent.glob(".*.unfinished*")) - {work}:
        other.unlink()
    return work


def _hardware() -> str:
    """Return what this process computes on: the GPU if it has used one, else the processor."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return torch.cuda.get_device_name()
    names = re.findall(r"^model name\s*: (.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return names[0] if names else platform.processor() or platform.machine()


def _text(path: str | Path) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""


def _packed() -> str | None:
    """Return the commit that git wrote into `.commit` when it packed the project, or None in a checkout.

    A packed project may lie in the checkout of another one, whose commit git would give.
    """
    text = _text(PROJECT / ".commit").strip()
    return text if re.fullmatch("[0-9a-f]{40}", text) else None


def _git(*arguments: str) -> str | None:
    """Return what git prints in the project's folder, or None where there is no git or no checkout."""
    command = ["git", "-C", str(PROJECT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
