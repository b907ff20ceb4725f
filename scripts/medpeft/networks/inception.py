"""The weights of the Inception network in whose features FID is defined, as torch-fidelity publishes them."""

from pathlib import Path

from medpeft.data.dataset import Archive
from medpeft.data.fetching.download import fetch

INCEPTION = Archive(
    "weights-inception-2015-12-05-6726825d.pth",
    urls=(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    ),
    checksum="sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)


def fetch_inception(path: Path, mirror: str | None) -> None:
    """Put the weights of the Inception network that FID is defined by to `path`, from the mirror or torch-fidelity."""
    fetch(INCEPTION, "weights", path, mirror)
