"""A release has one version, which every file gives, and notes cut from the changelog."""

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

import medpeft

ROOT = Path(__file__).parents[2]
RELEASE = runpy.run_path(str(ROOT / ".ci" / "release.py"))
doubts, main = RELEASE["doubts"], RELEASE["main"]


CHANGES = """# Changelog

## [Unreleased]

- To come.

## [0.1.0] - 2026-11-25

- From a public image archive to a paper.
- SLURM, GPUs, conda and containers.
"""


@pytest.fixture
def project(tmp_path):
    """The files in which a version stands, as they were at 0.1.0."""
    today = yaml.safe_load((ROOT / "CITATION.cff").read_text())["date-released"].isoformat()
    for name in RELEASE["VERSIONS"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / name).read_text().replace(medpeft.__version__, "0.1.0").replace(today, "2026-11-25")
        (tmp_path / name).write_text(text)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    return tmp_path


def _edit(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_all_files_give_the_version_of_the_last_release():
    assert doubts(ROOT, medpeft.__version__) == []
    assert re.search(r"^## \[(\d.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == medpeft.__version__
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("CITATION.cff", "version: 0.1.0", "version: 0.1.1", "CITATION.cff has the version 0.1.1"),
        ("codemeta.json", '"version": "0.1.0"', '"version": "0.2.0"', "codemeta.json has the version 0.2.0"),
        ("scripts/medpeft/__init__.py", '"0.1.0"', '"0.1.0.dev1"', "__init__.py has the version 0.1.0.dev1"),
        (
            "CITATION.cff",
            "date-released: 2026-11-25",
            "date-released: 2026-11-26",
            "CITATION.cff has the date 2026-11-26",
        ),
        ("codemeta.json", '  "dateModified": "2026-11-25",\n', "", "codemeta.json has the date None"),
        ("CHANGELOG.md", "## [0.1.0] - 2026-11-25", "## [0.1.0]", "CHANGELOG.md has no section"),
        ("CHANGELOG.md", "## [0.1.0] -", "## [0.1.1] -", "CHANGELOG.md has no section"),
    ],
)
def test_a_file_that_disagrees_is_named(project, name, before, after, said):
    assert doubts(project, "0.1.0") == []
    _edit(project / name, before, after)
    found = doubts(project, "0.1.0")
    assert len(found) == 1
    assert said in found[0]


def test_what_is_unreleased_is_no_release(project):
    assert doubts(project, "Unreleased")


def test_a_release_without_news_is_refused(project):
    text = (project / "CHANGELOG.md").read_text()
    (project / "CHANGELOG.md").write_text(text.split("## [0.1.0]")[0] + "## [0.1.0] - 2026-11-25\n\n")
    assert doubts(project, "0.1.0") == ["CHANGELOG.md says nothing of 0.1.0: add what is new"]


@pytest.mark.parametrize("tag", ["v0.1.0", "0.1.0"])
def test_notes_are_the_section_and_no_more(project, tag, capsys):
    text = (project / "CHANGELOG.md").read_text()
    (project / "CHANGELOG.md").write_text(text + "\n## [0.0.9] - 2026-01-01\n\n- Older.\n")
    main(project, tag)
    printed = capsys.readouterr().out
    assert printed.startswith("- From a public image archive")
    assert "- SLURM, GPUs, conda and containers." in printed
    assert "Older" not in printed and "## [" not in printed and "Unreleased" not in printed


def test_a_wrong_tag_ends_with_one_line_for_each_doubt(project):
    with pytest.raises(SystemExit, match=r"\Arelease: CHANGELOG.md has no section `## \[9.9\] - DATE`[^\n]+\Z"):
        main(project, "v9.9")


def test_what_describes_the_project_says_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    codemeta = json.loads((ROOT / "codemeta.json").read_text())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert codemeta["description"] == project["description"]
    assert codemeta["name"] == project["name"] == citation["title"].split(":")[0]
    assert codemeta["license"].endswith(f"/{project['license']}") and citation["license"] == project["license"]
    assert [author["name"] for author in codemeta["author"]] == [author["name"] for author in citation["authors"]]
    assert codemeta["referencePublication"]["name"] == citation["references"][0]["title"]


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_versions_in_the_documentation_are_the_pinned_ones(path):
    pinned = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
    found = re.findall(r"[\w-]+==\d[\w.]*", path.read_text())
    assert [pin for pin in found if pin not in pinned.splitlines()] == []
