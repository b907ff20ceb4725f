"""Print the notes of a release, cut from CHANGELOG.md, if all files agree on its version: .ci/release.py v0.2.0"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Where the version and the date of the last release stand; `medpeft.__version__` is the one that is edited first.
VERSIONS = {
    "scripts/medpeft/__init__.py": r'^__version__ = "(.+)"$',
    "CITATION.cff": r"^version: (.+)$",
    "codemeta.json": r'^  "version": "(.+)",$',
}
DATES = {"CITATION.cff": r"^date-released: (.+)$", "codemeta.json": r'^  "dateModified": "(.+)",$'}
SECTION = re.compile(
    r"^## \[(?P<version>[^]\n]+)\] - (?P<date>\S+)\n(?P<notes>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL
)


def stated(root: Path, places: dict[str, str]) -> dict[str, str | None]:
    """Return what each file of `places` says, by file; None where it says nothing."""
    found = {}
    for name, pattern in places.items():
        match = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        found[name] = match[1] if match else None
    return found


def doubts(root: Path, version: str) -> list[str]:
    """Return what speaks against a release of `version`, in sentences."""
    sections = {
        found["version"]: found for found in SECTION.finditer((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    }
    if version not in sections:
        return [f"CHANGELOG.md has no section `## [{version}] - DATE`: name what is under Unreleased so"]
    date = sections[version]["date"]
    wanted = [(VERSIONS, version, "version"), (DATES, date, "date")]
    return [
        f"{name} has the {what} {found} and not {right}: change it"
        for places, right, what in wanted
        for name, found in stated(root, places).items()
        if found != right
    ] + ([] if sections[version]["notes"].strip() else [f"CHANGELOG.md says nothing of {version}: add what is new"])


def notes(root: Path, version: str) -> str:
    """Return the section of `version` in CHANGELOG.md, without its heading."""
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    return next(found["notes"].strip() for found in SECTION.finditer(changelog) if found["version"] == version)


def main(root: Path, tag: str) -> None:
    """Print the notes of the release that `tag` names, or end with what speaks against it."""
    version = tag.removeprefix("v")
    if found := doubts(root, version):
        sys.exit("\n".join(f"release: {sentence}" for sentence in found))
    print(notes(root, version))


if __name__ == "__main__":
    main(ROOT, sys.argv[1])
