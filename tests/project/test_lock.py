"""The locks hold every package that the project asks for, and all that those ask for, each with its hashes."""

import importlib.metadata
import itertools
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = {"requirements.txt": "requirements.lock", "requirements-dev.txt": "requirements-dev.lock"}
# Where it is to install: torch 2.14 has no wheels for Macs with a processor of Intel.
MACHINES = [("linux", "x86_64", "Linux"), ("linux", "aarch64", "Linux"), ("darwin", "arm64", "Darwin")]
PLATFORMS = [
    {"python_version": python, "python_full_version": f"{python}.1"}
    | {"sys_platform": system, "platform_machine": machine, "platform_system": name}
    for python, (system, machine, name) in itertools.product(("3.11", "3.12", "3.13"), MACHINES)
]


def _entries(text):
    """Return what a lock lists, and the number of hashes of each."""
    blocks = re.split(r"^(?=[a-zA-Z])", text, flags=re.MULTILINE)
    return [(Requirement(block.split(" \\\n")[0]), block.count("--hash=sha256:")) for block in blocks if block.strip()]


def _asked(name):
    lines = (ROOT / name).read_text().splitlines()
    included = [found for line in lines if line.startswith("-r ") for found in _asked(line[3:])]
    return included + [Requirement(line) for line in lines if line and line[0] not in "#-"]


def _versions(entries, platform):
    """Return the versions of what a lock installs on a platform, by name."""
    return {
        canonicalize_name(entry.name): next(iter(entry.specifier)).version
        for entry, _ in entries
        if not entry.marker or entry.marker.evaluate(platform)
    }


def _unmet(requirements, versions):
    """Return those requirements that versions do not meet."""
    return [
        str(wanted)
        for wanted in requirements
        if not wanted.specifier.contains(versions.get(canonicalize_name(wanted.name), "0"), prereleases=True)
        or canonicalize_name(wanted.name) not in versions
    ]


def _demands(requirement, seen):
    """Yield what a requirement and those of its package ask for on this machine, as installed packages say."""
    wanted = (canonicalize_name(requirement.name), frozenset(requirement.extras))
    if wanted in seen:
        return
    seen.add(wanted)
    try:
        lines = importlib.metadata.requires(requirement.name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for line in lines:
        further = Requirement(line)
        extras = requirement.extras or {""}
        if not further.marker or any(further.marker.evaluate({"extra": extra}) for extra in extras):
            yield further
            yield from _demands(further, seen)


@pytest.fixture(params=LOCKS.items(), ids=LOCKS)
def pair(request):
    """What is asked for, and the lock of it."""
    asked, lock = request.param
    return _asked(asked), (ROOT / lock).read_text()


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda found: "-".join(found.values()))
def test_a_lock_has_every_pin_on_every_platform(pair, platform):
    asked, lock = pair
    assert _unmet(asked, _versions(_entries(lock), platform)) == []


def test_a_lock_has_what_its_packages_ask_for(pair):
    asked, lock = pair
    seen = set()
    demands = [found for requirement in asked for found in _demands(requirement, seen)]
    assert len(demands) > 200
    assert _unmet(demands, _versions(_entries(lock), {})) == []


@pytest.mark.parametrize(
    "damage", [("numpy==2.4.6", "numpy==2.4.5"), ("numpy==", "numpi=="), ("alembic==", "alembik==")]
)
def test_a_lock_without_one_of_them_is_found_out(damage):
    asked = _asked("requirements.txt")
    text = (ROOT / "requirements.lock").read_text()
    assert damage[0] in text
    versions = _versions(_entries(text.replace(*damage)), {})
    demands = [found for requirement in asked for found in _demands(requirement, set())]
    assert _unmet(asked + demands, versions)


def test_every_package_has_hashes(pair):
    counts = {str(entry): hashes for entry, hashes in _entries(pair[1])}
    assert [name for name, hashes in counts.items() if not hashes] == []


def test_users_and_developers_have_the_same_versions():
    users, developers = (_versions(_entries((ROOT / lock).read_text()), {}) for lock in LOCKS.values())
    assert users.items() <= developers.items()


def test_a_lock_names_no_server(pair):
    assert re.findall(r"://|--index-url|--extra-index-url|--find-links|--trusted-host", pair[1]) == []


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_a_lock_has_the_environments_of_conda(path):
    pins = [Requirement(line) for line in yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]]
    assert _unmet(pins, _versions(_entries((ROOT / "requirements.lock").read_text()), {})) == []


def test_environments_of_conda_get_the_versions_of_the_lock(tmp_path):
    for name in ("Makefile", "requirements.lock"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    subprocess.run(["make", ".snakemake/versions.txt"], cwd=tmp_path, check=True, capture_output=True)
    lines = (tmp_path / ".snakemake" / "versions.txt").read_text().splitlines()
    # pip takes no constraint with hashes for requirements that have none.
    assert [Requirement(line) for line in lines] == [
        entry for entry, _ in _entries((ROOT / "requirements.lock").read_text())
    ]
