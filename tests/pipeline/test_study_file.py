"""A key that is there twice is named: YAML and JSON keep the last one without a word."""

import pytest

from medpeft.base.errors import UserError
from medpeft.pipeline.study_file import refuse_repeated_keys


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("study: a\nmirror: x\nstudy: b\n", "gives the key 'study' twice, in lines 1 and 3"),
        ("split:\n  seed: 0\n  protocol: paper\n  seed: 1\n", "gives the key 'seed' twice, in lines 2 and 4"),
        ("a:\n- {x: [{b: 1, b: 2}]}\n", "gives the key 'b' twice, in line 2"),
        ("'a': 1\na: 2\n", "gives the key 'a' twice"),
        ('{"a": {"b": 1, "b": 2}}', "gives the key 'b' twice, in one object"),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_its_lines(tmp_path, text, sentence):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"study\.yaml {sentence}.*: delete one of them"):
        refuse_repeated_keys([path])


@pytest.mark.parametrize(
    "text", ["", "a: {k: 1}\nb: {k: 1}\n", "a: &x {k: 1}\nb: {<<: *x, k: 2}\n", "1: a\n'1': b\n", '{"a": {"a": 1}}']
)
def test_other_files_pass(tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)
    refuse_repeated_keys([tmp_path / "study.yaml"])


def test_the_studies_of_the_project_pass(root):
    refuse_repeated_keys([root / "config.yaml", *sorted((root / "studies").glob("*.yaml"))])
