"""`make` finds a Python that fits, and installs exactly what the lock lists.

Interpreters and uv are scripts in a folder that is the whole PATH: nothing is installed.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
INSTALL = (ROOT / "envs" / "install").read_text()
# Says that it is another version; notes its other calls, of which `-m venv` makes a folder with a pip that does so too.
INTERPRETER = """#!/bin/sh
if [ "$1" = -c ]; then exec {real} -c "import sys; sys.version_info = ({version}, 0, 'final', 0){missing}
$2"; fi
echo "{name} $*" >> calls
/bin/mkdir -p "$3/bin"
echo '#!/bin/sh\necho "pip $*" >> calls' > "$3/bin/pip"
/bin/chmod +x "$3/bin/pip"
"""
UV = '#!/bin/sh\necho "uv $*" >> calls\n'


@pytest.fixture
def install(tmp_path):
    """Return a function that calls envs/install where these interpreters (name to version) are all there is."""
    commands = tmp_path / "bin"
    commands.mkdir()

    def write(name, text):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)

    def install(interpreters, uv=False, missing="", **environment):
        for name, version in interpreters.items():
            parts = version.replace(".", ", ")
            write(name, INTERPRETER.format(real=sys.executable, version=parts, name=name, missing=missing))
        if uv:
            write("uv", UV)
        result = subprocess.run(
            ["/bin/sh", ROOT / "envs" / "install", "some.lock"],
            cwd=tmp_path,
            env={"PATH": str(commands)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        calls = tmp_path / "calls"
        return result, calls.read_text().splitlines() if calls.exists() else []

    return install


@pytest.mark.parametrize(
    ("interpreters", "chosen"),
    [
        ({"python3": "3.12"}, "python3"),
        ({"python3": "3.13", "python3.11": "3.11"}, "python3.11"),
        ({"python3": "3.13", "python3.12": "3.12", "python3.13": "3.13"}, "python3.12"),
        ({"python3": "3.8", "python3.13": "3.13"}, "python3.13"),
        # A name that lies, as those of version managers do.
        ({"python3.11": "2.7", "python3": "3.13"}, "python3"),
    ],
)
def test_the_first_python_that_fits_is_taken(install, interpreters, chosen):
    result, calls = install(interpreters)
    assert result.returncode == 0, result.stderr
    assert calls[0] == f"{chosen} -m venv .venv"
    assert "--no-deps --require-hashes --requirement some.lock" in calls[1]
    assert calls[2].endswith("--no-deps --no-build-isolation --editable .")


@pytest.mark.parametrize(
    ("interpreters", "missing"),
    [
        ({}, ""),
        ({"python3": "3.10"}, ""),
        ({"python3": "3.14", "python3.11": "3.9"}, ""),
        ({"python3": "4.11"}, ""),
        ({"python3": "3.12"}, "; sys.modules['ensurepip'] = None"),  # Debian without python3-venv
    ],
)
def test_where_none_fits_one_sentence_says_which_to_install(install, interpreters, missing):
    result, calls = install(interpreters, missing=missing)
    assert result.returncode == 1
    assert calls == []
    assert result.stderr.count("\n") == 1
    assert "install Python 3.11" in result.stderr
    assert "python3-venv" in result.stderr


@pytest.mark.parametrize(
    ("interpreters", "python"), [({}, "3.11"), ({"python3": "3.10"}, "3.11"), ({"python3": "3.13"}, "python3")]
)
def test_uv_installs_and_fetches_a_python_where_none_fits(install, interpreters, python):
    result, calls = install(interpreters, uv=True, missing="; sys.modules['ensurepip'] = None")
    assert result.returncode == 0, result.stderr
    assert calls[0] == f"uv venv --quiet --seed --python {python} .venv"
    assert calls[1].startswith("uv pip install") and "--require-hashes --requirement some.lock" in calls[1]


def test_another_python_can_be_named(install):
    _, calls = install({"python3.11": "3.11", "mine": "3.12"}, PYTHON="mine")
    assert calls[0] == "mine -m venv .venv"


@pytest.mark.parametrize("name", ["old", "absent"])
def test_a_python_that_is_named_must_fit(install, name):
    result, calls = install({"python3.11": "3.11", "old": "3.9"}, PYTHON=name)
    assert result.returncode == 1
    assert calls == []
    assert result.stderr.startswith(f"make: PYTHON={name} ")


def test_an_environment_that_is_there_is_kept(install, tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "pip"):
        (tmp_path / ".venv" / "bin" / name).write_text(UV.replace("uv", name))
        (tmp_path / ".venv" / "bin" / name).chmod(0o755)
    result, calls = install({})
    assert result.returncode == 0, result.stderr
    assert [call.split()[0] for call in calls] == ["pip", "pip"]


def test_make_passes_the_name_on(tmp_path):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "install").write_text('#!/bin/sh\necho "$PYTHON $1" > asked\nexit 1\n')
    (tmp_path / "envs" / "install").chmod(0o755)
    subprocess.run(["make", "demo", "PYTHON=mine"], cwd=tmp_path, capture_output=True, check=False, env=os.environ)
    assert (tmp_path / "asked").read_text() == "mine requirements.lock\n"


def test_the_versions_are_those_that_the_project_admits():
    admitted = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    low, high = re.search(r"not \((3, \d+)\) <= sys.version_info\[:2\] <= \((3, \d+)\)", INSTALL).groups()
    bounds = [int(bound.split(", ")[1]) for bound in (low, high)]
    assert [minor for minor in range(20) if f"3.{minor}" in admitted] == list(range(bounds[0], bounds[1] + 1))
    for environment in (ROOT / "envs").glob("*.yaml"):
        assert "python =3.11" in yaml.safe_load(environment.read_text())["dependencies"]
