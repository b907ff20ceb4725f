"""What README and the documentation say is so: commands, studies, numbers and links."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import yaml
from PIL import Image
from snakemake.cli import parse_args
from tiny import make_project

from medpeft.artefacts.registry import figures, tables
from medpeft.base.errors import UserError
from medpeft.data import registry as datasets
from medpeft.methods import registry as methods
from medpeft.networks.models import adapt, count_parameters
from medpeft.pipeline.settings import complete
from medpeft.statistics.collect import RUN_COLUMNS
from medpeft.statistics.metrics import METRICS, Metric
from medpeft.statistics.scoring.scored import Scored

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))  # where MkDocs finds its hook
import insertions  # noqa: E402

SHOWN = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs").glob("*/*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *SHOWN]}
CHECKED = PAGES | {"CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
QUICK_START = BLOCK.search(PAGES["README.md"], PAGES["README.md"].index("```yaml"))[2]

# A number, and behind it where it comes from: a file, a column, and the values that its row has in others.
NUMBER = re.compile(r"(?P<text>[−+]?[\d,]*\.?\d+)(?P<percent> %)?\**<!-- (?P<file>\S+\.csv) (?P<rest>.+?) -->")  # noqa: RUF001


def blocks(language: str) -> list[tuple[str, str]]:
    return [(page, match[2]) for page, text in PAGES.items() for match in BLOCK.finditer(text) if match[1] == language]


def commands(program: str) -> list[str]:
    """Return every command of `program` in README and the documentation, in blocks and in running text, once."""
    lines = [line for _, block in blocks("") for line in block.splitlines()]
    lines += [match[1] for text in CHECKED.values() for match in INLINE.finditer(BLOCK.sub("", text))]
    return sorted({line.split(" #")[0].strip() for line in lines if line.startswith(f"{program} ")})


def filled_in(command: str) -> list[str]:
    """Return the words of a command with what a reader puts in place of its capitals and names."""
    for name, value in {
        "STUDY.yaml": "config.yaml",
        "YOUR.yaml": "config.yaml",
        "my_study.yaml": "config.yaml",
    }.items():
        command = command.replace(name, value)
    return shlex.split(command.replace("profiles/site", "profiles/slurm").replace("=...", "=config.yaml"))


def test_all_columns_of_runs_are_described():
    described = set(re.findall(r"`(\w+)`", (ROOT / "docs/reference/outputs.md").read_text()))
    assert set(RUN_COLUMNS) - set(METRICS) <= described


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 8000


def test_nothing_is_left_to_fill_in():
    assert [page for page, text in PAGES.items() if "@@" in text or "TODO" in text] == []


@pytest.mark.parametrize("command", commands("make"))
def test_make_knows_what_is_written(command):
    result = subprocess.run(
        ["make", "--dry-run", *filled_in(command)[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def targets() -> set[str]:
    rules = {
        name for file in (ROOT / "rules").glob("*.smk") for name in re.findall(r"^rule (\w+):", file.read_text(), re.M)
    }
    return rules | {"all", *tables(), *figures()}


@pytest.mark.parametrize("command", commands("snakemake"))
def test_snakemake_understands_what_is_written(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    try:
        _, options = parse_args(filled_in(command)[1:])
    except SystemExit:
        pytest.fail(f"Snakemake does not understand {command}")
    assert [str(path) for path in options.configfile or [] if not Path(path).is_file()] == []
    assert set(options.targets or []) <= targets()
    keys = yaml.safe_load((ROOT / "schemas" / "study.schema.yaml").read_text())["properties"]
    assert {entry.split("=")[0] for entry in options.config or []} <= set(keys)


def test_a_wrong_command_is_noticed(monkeypatch):
    for wrong in (
        "snakemake --coers all",
        "snakemake --cores all --configfile studies/none.yaml",
        "snakemake no_such_table",
    ):
        with pytest.raises((AssertionError, pytest.fail.Exception, FileNotFoundError)):
            test_snakemake_understands_what_is_written(wrong, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "target"),
    [
        ("studies/paper.yaml", ["table6"]),
        ("studies/open.yaml", ["audit", "cards"]),
        ("config.yaml", ["figure1", "costs", "tables", "figures", "paper", "cards"]),
    ],
)
def test_targets_of_the_documentation_are_planned(study, target, tmp_path):
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--configfile", str(ROOT / study)]
    command += ["--directory", str(tmp_path), "--snakefile", str(ROOT / "Snakefile"), "--", *target]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("planned", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_the_quick_start_of_readme_runs_as_it_stands(planned, tmp_path):
    """On images of a user's own, two a patient, in the environment of this test; training is `planned` or done."""
    folder = make_project(tmp_path)
    (folder / "my_study.yaml").write_text(QUICK_START)
    write_images(folder / "my_images")
    lines = next(block for page, block in blocks("") if page == "README.md" and "my_study" in block).splitlines()
    assert lines[0] == ". .venv/bin/activate"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for line in [*lines[1:-1], lines[-1].replace(" #", " --dry-run #" if planned else " #")]:
        result = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
    assert (folder / "results/my_study/paper.pdf").exists() is not planned
    audit = pd.read_csv(folder / "results/my_study/audit/my_images.csv")
    assert audit.set_index(["measure", "scope"])["value"][("groups", "all")].item() == 20


def write_images(folder: Path) -> None:
    """Write two images each of ten patients of either class, the patient in front of the name."""
    random = np.random.default_rng(0)
    for first, label in ((0, "normal"), (100, "pneumonia")):
        (folder / label).mkdir(parents=True)
        for number in range(20):
            pixels = random.normal(60 + first, 30, (80, 80)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{first + number // 2:04}_{number % 2}.png")


def completed(part: dict) -> dict:
    """Return a study that has `part` of one in it, with all defaults."""
    grid = {"backbones": ["resnet50"], "methods": ["full"], "fractions": [1], "seeds": [0]}
    named = [*(part.get("datasets", {}) or ["chest"]), "busi", *part.get("subgroups", {})]
    study = {"study": "s", "datasets": {"chest": {"classes": ["a", "b"]}}}
    return complete(study | {"experiments": {"any": {"datasets": list(dict.fromkeys(named))} | grid}} | part)


STUDIES = blocks("yaml")
KEYS = tuple(yaml.safe_load((ROOT / "schemas" / "study.schema.yaml").read_text())["properties"])
PARTS = [
    (page, match[1])
    for page, text in PAGES.items()
    for match in INLINE.finditer(BLOCK.sub("", text))
    if re.match(rf"({'|'.join(KEYS)}): \S", match[1])
]


@pytest.mark.parametrize(("page", "block"), STUDIES + PARTS)
def test_studies_and_parts_of_them_are_accepted(page, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my_split.csv").touch()
    part = yaml.safe_load(block)
    completed(part)


def test_a_wrong_part_of_a_study_is_noticed():
    for wrong in ({"recipe": {"epoch": 3}}, {"datasets": {"chest": {"class": ["a", "b"]}}}, {"device": "gpu"}):
        with pytest.raises(UserError):
            completed(wrong)


def value_of(file: str, column: str, where: dict[str, str]) -> float:
    """Return the one value of `column` in the rows that have the values `where`.

    `-column` is its negative; `min(column)`, `max(column)` and `count(column)` are of several rows.
    """
    path = ROOT / "docs" / "results" / file
    table = pd.read_csv(path if path.is_file() else ROOT / file, keep_default_na=False, dtype=str)
    for name, value in where.items():
        table = table[table[name].map(lambda cell, value=value: alike(cell, value))]
    if match := re.fullmatch(r"(min|max|count)\((\w+)\)", column):
        values = table[match[2]]
        return len(values) if match[1] == "count" else {"min": min, "max": max}[match[1]](map(float, values))
    assert len(table) == 1, f"{file} has {len(table)} rows with {where}"
    sign = -1 if column.startswith("-") else 1
    return sign * float(table[column.lstrip("-")].item())


def alike(cell: str, value: str) -> bool:
    """Tell whether a cell has a value, as text or as a number; `_` stands for a comma and space too."""
    try:
        return float(cell) == float(value)
    except ValueError:
        return value in (cell, cell.replace(", ", ",_"))


def check(match: re.Match) -> None:
    """Compare the number of a `match` of `NUMBER` with its source, to the digits that are written."""
    column, *where = match["rest"].split()
    value = value_of(match["file"], column, dict(part.split("=", 1) for part in where))
    written = match["text"].replace("−", "-").replace(",", "")  # noqa: RUF001
    digits = len(written.partition(".")[2])
    scale = 100 if match["percent"] else 1
    assert abs(float(written) - scale * value) <= 0.5 * 10**-digits + 1e-9, f"{match[0]}: {scale * value}"


NUMBERS = [(page, match) for page, text in PAGES.items() for match in NUMBER.finditer(text)]


@pytest.mark.parametrize(("page", "match"), NUMBERS, ids=[f"{page}-{match[0]}" for page, match in NUMBERS])
def test_a_number_is_that_of_its_file(page, match):
    check(match)


def test_every_source_stands_behind_a_number():
    for page, text in PAGES.items():
        assert len(re.findall(r"<!-- \S+\.csv ", text)) == len(list(NUMBER.finditer(text))), page


@pytest.mark.parametrize(
    "wrong",
    [
        ".776<!-- pretrained/busi.csv auroc network=vit_mini_patch8_64.distilled -->",
        "−.775<!-- pretrained/busi.csv auroc network=vit_mini_patch8_64.distilled -->",  # noqa: RUF001
        "1 %<!-- busi_images/tables/memorisation.csv max(memorised) -->",
        "41<!-- busi/audit/busi.csv value protocol=paper measure=leaked_images scope=train-test -->",
    ],
)
def test_a_wrong_number_is_noticed(wrong):
    with pytest.raises(AssertionError):
        check(NUMBER.fullmatch(wrong))


# Of runs that no file keeps (batch statistics tried by hand, an earlier split), and sizes of networks in millions.
KEPT_NOWHERE = {".69", ".75", "3.4", "1.2", "23.5"}


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/results/")])
def test_results_have_no_number_without_a_file(page):
    text = NUMBER.sub("", BLOCK.sub("", INLINE.sub("", PAGES[page])))
    assert set(re.findall(r"(?<![\w.])\d*\.\d+(?![\w.])", text)) <= KEPT_NOWHERE


def test_results_of_a_study_are_copied_where_they_are_all_there(tmp_path):
    shown, made = (tmp_path / folder / "s" for folder in ("docs/results", "results"))
    for file in ("scores.csv", "tables/table2.md"):
        for folder, text in ((shown, "old"), (made, "new")):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
    command = ["make", "--file", str(ROOT / "Makefile"), "results-docs", "NAME=s"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    assert {path.read_text() for path in shown.rglob("*.*")} == {"new"}
    (made / "scores.csv").unlink()
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def slug(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    """Those among the pages of the site are checked when it is built."""
    for link in re.findall(r"\]\((?!http)([^)]+)\)", CHECKED[page]):
        path, _, anchor = link.partition("#")
        assert (ROOT / path).exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), link


@pytest.mark.parametrize("page", CHECKED)
def test_files_that_are_named_exist(page):
    named = re.findall(r"`((?:scripts|studies|schemas|docs|pretrained|paper|benchmarks|tests)/[\w./]+)`", CHECKED[page])
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_example_of_a_method_is_one(monkeypatch):
    (code,) = (block for page, block in blocks("python") if page == "docs/how-to/method.md")
    monkeypatch.setattr(methods, "_loaded", {})
    exec(compile(code, "method.md", "exec"), {})
    (method,) = methods._loaded.values()
    counts = count_parameters(adapt(timm.create_model("resnet18", num_classes=3), method))
    assert counts["trainable_parameters"] - counts["head_parameters"] == 4800


def test_the_example_of_a_metric_is_one():
    (code,) = (block for page, block in blocks("python") if page == "docs/how-to/metric.md")
    (metric,) = eval("{" + code + "}", {"Metric": Metric}).values()
    scored = Scored(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([[1.0, 1], [2, 0]]))
    assert metric.function(scored).tolist() == [0.5, 0]


def test_the_reference_has_every_entry():
    made = {name: insertions.insertion(name) for name in insertions.MAKERS}
    assert [name for name in methods.names() if f"`{name}`" not in made["methods"]] == []
    assert [name for name in METRICS if f"`{name}`" not in made["metrics"]] == []
    assert [name for name in [*tables(), *figures()] if f"`{name}`" not in made["artefacts"]] == []
    assert [key for key in KEYS if f"## {key}\n" not in made["study-keys"]] == []
    for key in ("recipe.horizontal_flip", "datasets.NAME.columns.group", "accept.NAME.alike", "experiments.NAME.seeds"):
        assert f"`{key.partition('.')[2]}`" in made["study-keys"]
    for name in datasets.names():
        assert f"\n## {name}\n" in made["datasets"]
        assert all(f"`{one.name}`" in made["datasets"] for one in datasets.load(name).archives if not one.generate)


@pytest.mark.parametrize("name", datasets.names())
def test_how_to_get_every_dataset_is_said(name):
    assert f"`{name}`" in PAGES["docs/how-to/public-datasets.md"]


def test_an_insertion_of_nothing_is_refused():
    for wrong in ("method", "busi/tables/table99.md"):
        with pytest.raises(UserError, match="a page asks to insert"):
            insertions.on_page_markdown(f"# Page\n\n<!-- insert: {wrong} -->\n")


def test_what_is_inserted_is_shown_as_it_is():
    assert insertions.plain("a|b <c> *d* `<e>*`") == r"a\|b &lt;c> \*d\* `<e>*`"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("[x](index.md#nowhere)", "no such anchor"),
        ("[x](nowhere.md)", "not found among documentation files"),
        ("<!-- insert: nothing -->", "a page asks to insert nothing"),
    ],
)
def test_a_fault_in_a_page_ends_the_build(fault, said, tmp_path):
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {"docs_dir": "docs", "nav": ["index.md"], "hooks": [str(ROOT / "docs" / "insertions.py")]}
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Page\n\n{fault}\n")
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert said in result.stderr
