"""What continuous integration, the container and the catalog of workflows name is there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github" / "workflows").glob("*"))}
STEPS = [
    (name, step) for name, found in WORKFLOWS.items() for job in found["jobs"].values() for step in job.get("steps", [])
]
COMMANDS = "\n".join(step.get("run", "") for _, step in STEPS)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_workflows_are_workflows():
    for found in WORKFLOWS.values():
        assert found["name"] and found[True]  # YAML reads the key `on` as true
        assert found["permissions"] == {"contents": "read"}
        for job in found["jobs"].values():
            assert "uses" in job or (job["runs-on"] and job["timeout-minutes"])
            assert all(("run" in step) != ("uses" in step) for step in job.get("steps", []))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z -]+)", COMMANDS))))
def test_every_target_of_make_exists(target):
    for name in target.split():
        assert re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?<![\w/])(\.ci/\S+)", COMMANDS))))
def test_every_script_exists(path):
    assert (ROOT / path).exists()


def test_something_is_called():
    for command in (
        "make lint types docs",
        "make units studies",
        "make conda",
        "docker build",
        "docker run",
        "make demo report",
    ):
        assert command in COMMANDS


@pytest.mark.parametrize("action", sorted({step["uses"] for _, step in STEPS if "uses" in step}))
def test_actions_are_pinned_to_a_commit_and_say_their_version(action):
    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
    for path in (ROOT / ".github" / "workflows").glob("*"):
        lines = [line for line in path.read_text().splitlines() if action in line]
        assert all(re.search(r" # v\d+\.\d+\.\d+$", line) for line in lines)


def test_the_tested_pythons_are_those_that_the_project_admits():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    admitted = [f"3.{minor}" for minor in range(30) if f"3.{minor}" in SpecifierSet(project["requires-python"])]
    assert WORKFLOWS["test.yaml"]["jobs"]["test"]["strategy"]["matrix"]["python"] == admitted
    assert [line.rsplit(" ", 1)[1] for line in project["classifiers"] if "Python :: 3." in line] == admitted


def test_a_release_waits_for_all_tests():
    release = WORKFLOWS["release.yaml"]
    assert release["jobs"]["release"]["needs"] == "test"
    assert release["jobs"]["test"]["uses"] == "./.github/workflows/test.yaml"
    assert "workflow_call" in WORKFLOWS["test.yaml"][True]
    assert release[True] == {"push": {"tags": ["v*"]}}


def test_the_container_is_pinned_and_has_what_it_copies():
    assert re.search(r"^FROM python:3\.11-slim-trixie@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    for path in re.findall(r"^COPY (\S+)", DOCKERFILE, re.MULTILINE):
        assert (ROOT / path).exists()
    assert "--require-hashes --requirement requirements.lock" in DOCKERFILE
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines  # a user's images beside the code stay out
    taken = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert {path.name for path in ROOT.iterdir()} >= taken - {".commit"}
    assert not taken & {"data", "results", ".venv", ".snakemake", "benchmarks", "tests"}


def test_the_catalog_of_workflows_finds_what_it_asks_for():
    assert 'include: "../Snakefile"' in (ROOT / "workflow" / "Snakefile").read_text()
    assert (ROOT / "config" / "README.md").read_text().strip()
    assert (ROOT / "config" / "config.yaml").resolve() == (ROOT / "config.yaml").resolve()
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"] is True
    assert usage["mandatory-flags"]["flags"] == []
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme


def test_the_keys_that_the_configuration_names_are_those_of_a_study():
    schema = yaml.safe_load((ROOT / "schemas" / "study.schema.yaml").read_text())
    named = re.findall(r"^- (.+?):", (ROOT / "config" / "README.md").read_text(), re.MULTILINE)
    keys = re.findall(r"`(\w+)`", " ".join(named))
    assert keys
    assert set(keys) <= set(schema["properties"])
