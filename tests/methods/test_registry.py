"""What is read of a method without importing it is what its module registers when it is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

import medpeft.methods
from medpeft.base.errors import UserError
from medpeft.base.imports import dependencies
from medpeft.methods import registry

LIBRARY = Path(__file__).parents[2] / "scripts"

PROBE = '''"""Probe: a method to be read."""

from medpeft.methods.registry import also, method


@method(
    "{name}",
    title="Probe",
    family="prompts",
    encoders={{"cnn"}},
    source="ours",
    trains="nothing",
)
def probe(model):
    """{docstring}"""
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of methods in place of the project's; what it holds can be imported as well."""
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    monkeypatch.setattr(medpeft.methods, "__path__", [*medpeft.methods.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_loaded", {})
    _forget()
    yield tmp_path
    _forget()


def _forget():
    for cached in (registry.declared, registry._modules):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.startswith("medpeft.methods.prompts")]:
        del sys.modules[name]


def _write(folder, name="probe", family="prompts", docstring="", more=""):
    (folder / family).mkdir(exist_ok=True)
    (folder / family / "probe.py").write_text(PROBE.format(name=name, docstring=docstring) + more, encoding="utf-8")


@pytest.mark.parametrize("name", registry.names())
def test_what_is_read_is_what_loading_gives(name):
    method = registry.load(name)
    assert registry.declared(name) == method.entry()
    assert registry.encoders(name) == method.encoders
    assert registry.on_features(name) == method.on_features
    assert method.family in {"baseline", "selective", "additive"}


def test_no_method_hides_another_of_its_name():
    files = [file for file in registry.FOLDER.glob("*/*.py") if file.stem != "__init__"]
    assert sorted(file.stem for file in files) == sorted({file.stem for file in files})


def test_reading_every_method_imports_neither_torch_nor_peft():
    code = (
        "import sys; from medpeft.methods import registry; "
        "found = [(registry.encoders(name), registry.on_features(name)) for name in registry.names()]; "
        "assert len(found) > 10; print(sorted({'torch', 'timm', 'peft', 'diffusers'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(LIBRARY)}, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_a_method_names_the_code_that_it_consists_of():
    def code(name):
        return [file.relative_to(LIBRARY / "medpeft").as_posix() for file in dependencies(registry.file_of(name))]

    assert code("bitfit") == ["methods/selective/bias.py", "methods/selective/bitfit.py"]
    assert code("lora") == ["base/files.py", "methods/additive/lora.py", "methods/layers.py", "methods/peft_tuners.py"]
    assert code("dora") == ["base/files.py", "methods/layers.py", "methods/peft_tuners.py"]


def test_what_a_docstring_mentions_is_not_declared(folder):
    _write(folder, docstring='Unlike a method with on_features=True and encoders={"vit"}; @also("probe", "unet")')
    assert (registry.on_features("probe"), registry.encoders("probe")) == (False, {"cnn"})
    assert registry.declared("probe") == registry.load("probe").entry()


@pytest.mark.parametrize("call", ['@also("probe", encoder="vit")', '@also(encoder="vit", name="probe")'])
def test_another_kind_of_network_may_be_declared_by_keyword(folder, call):
    _write(folder, more=f"\n\n{call}\ndef probe_of_vit(model):\n    pass\n")
    assert registry.encoders("probe") == {"cnn", "vit"}
    assert registry.declared("probe") == registry.load("probe").entry()


def test_a_folder_of_another_family_is_refused(folder):
    _write(folder, family="additive")
    with pytest.raises(UserError, match=r"additive/probe\.py is of the family 'prompts': move it"):
        registry.encoders("probe")


@pytest.mark.parametrize(
    ("name", "more"),
    [("prob", ""), ("probe", '\n\n@also("bias", "vit")\ndef other(model):\n    pass\n')],
)
def test_a_module_registers_the_method_of_its_own_name_alone(folder, name, more):
    _write(folder, name=name, more=more)
    with pytest.raises(UserError, match=r"probe\.py has to register one method by @method, under its own name 'probe'"):
        registry.encoders("probe")


@pytest.mark.parametrize("encoders", ['"cnn"', '{"vti"}'])
def test_kinds_of_network_that_there_are_not_are_refused(folder, encoders):
    _write(folder)
    file = folder / "prompts/probe.py"
    file.write_text(file.read_text().replace('{"cnn"}', encoders))
    with pytest.raises(UserError, match="encoders is a set of cnn, unet, vit, not"):
        registry.declared("probe")


def test_a_helper_beside_methods_is_no_method(folder):
    _write(folder)
    (folder / "prompts/_shared.py").write_text("")
    assert "_shared" not in registry.names()
