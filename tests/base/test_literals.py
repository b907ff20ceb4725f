"""What a module says of itself is read from its syntax: comments and docstrings say nothing."""

import pytest

from medpeft.base.errors import UserError
from medpeft.base.literals import assigned, decorations


def entry(name, *, encoders, on_features=False, export=None):
    """A decorator as a registry has it."""


def test_arguments_are_those_of_the_call_by_position_and_by_name(tmp_path):
    file = tmp_path / "probe.py"
    file.write_text('''"""on_features=True, encoders={"unet"}"""
# @entry("other", encoders={"cnn"})
@entry("probe", encoders={"vit"}, export=lambda model: None)
def probe(model):
    """@entry("third", encoders={"cnn"}, on_features=True)"""
''')
    assert list(decorations(file, entry, but=("export",))) == [{"name": "probe", "encoders": {"vit"}}]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ('@entry(NAME, encoders={"vit"})', "line 1: name is NAME: write it as a literal"),
        ('@entry("probe", encoders={"vit"} | OTHERS)', "encoders is .* write it as a literal"),
        ('@entry("probe", encoder={"vit"})', "line 1: entry .*encoder"),
        ('@entry("probe")', "missing a required (keyword-only )?argument: 'encoders'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, call, sentence):
    file = tmp_path / "probe.py"
    file.write_text(f"{call}\ndef probe(model): ...\n")
    with pytest.raises(UserError, match=sentence):
        list(decorations(file, entry))


def test_an_assigned_call_is_read_and_a_missing_one_named(tmp_path):
    file = tmp_path / "table.py"
    file.write_text('X = other("a")\nTABLE = entry("t", encoders=("a",))\n')
    assert assigned(file, "TABLE", entry) == {"name": "t", "encoders": ("a",)}
    for name in ("X", "FIGURE"):
        with pytest.raises(UserError, match=f"does not say {name} = entry"):
            assigned(file, name, entry)
