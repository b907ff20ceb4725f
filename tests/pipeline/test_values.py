"""What a value of a study cannot be is said before anything runs, in one sentence with the remedy."""

import copy

import pytest
import yaml

from medpeft.base.errors import UserError
from medpeft.pipeline.study import Study

STUDY = """
study: s
experiments:
  table2: {datasets: [busi], backbones: [resnet50], methods: [full], fractions: [1], seeds: [0]}
"""
OWN = "study: s\ndatasets:\n  %s: {classes: %s}\n" + STUDY.partition("study: s\n")[2]


def _refusal(text: str) -> str:
    with pytest.raises(UserError) as caught:
        Study(yaml.safe_load(text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "place", "remedy"),
    [
        ("recipe: {weight_decay: 1e-4}", "recipe.weight_decay", "write 1.0e-4"),
        ("tuning: {low: 1.5E3}", "tuning.low", "write 1.5e+3"),
        ("generation: {learning_rates: {full: 1e-5}}", "learning_rates.full", "write 1.0e-5"),
        ("recipe: {warmup: '0.1'}", "recipe.warmup", "write 0.1, without quotes"),
        ("recipe: {warmup: '0,1'}", "recipe.warmup", "write a number, such as 0.1"),
        ("image_size: 1e2", "image_size", "write 100"),
        ("recipe: {epochs: 3.0}", "recipe.epochs", "write a whole number, such as 3"),
        ("recipe: {epochs: ten}", "recipe.epochs", "write a whole number, such as 10"),
        ("recipe: {weight_decay: .nan}", "recipe.weight_decay", "write a finite number"),
        ("recipe: {batch_size: .nan}", "recipe.batch_size", "write a finite number"),
        ("tuning: {high: .inf}", "tuning.high", "write a finite number"),
        ("generation: {guidance: -.inf}", "generation.guidance", "write a finite number"),
        ("generation: {steps: 9223372036854775808}", "generation.steps", "write a number up to 9223372036854775807"),
        (f"tuning: {{seed: {2**70}}}", "tuning.seed", "write a number up to 4294967295"),
        ("split: {seed: 4294967296}", "split.seed", "maximum of 4294967295"),
        ("tuning: {seed: 4294967290}", "tuning.seed", "of up to 4294967286"),
        ("recipe: {crop_scale: [1.0, 0.5]}", "crop_scale", "write the smaller share first"),
        ("tuning: {low: 0.1, high: 0.1}", "tuning.low", "is not below"),
        ("recipe: {batchnorm: updated, gradient_checkpointing: true}", "recipe.batchnorm", "take one of both out"),
        ("mirror: 12", "mirror", "put it in quotes, as in '12'"),
        ("mirror: ''", "mirror", "non-empty"),
        ('mirror: "folder\\n"', "mirror", "has no line breaks"),
        ("split: {counterpart: ../other}", "split.counterpart", "letters, digits and underscores only"),
        ("generation: {pipelines: {..: null}}", "generation.pipelines", "not in front, dots only"),
        ("generation: {pipelines: {1.5: null}}", "generation.pipelines", "put it in quotes"),
        ("generation: {extractor: ..}", "generation.extractor", "not in front, dots only"),
        ('checksums: {a.zip: "md5:' + 32 * "0" + '\\n"}', "checksums.a.zip", "does not match"),
        ("1: 2", "the top level", "1 was unexpected"),
        ("generation: {learning_rates: {1.5: 0.1}}", "generation.learning_rates", "put it in quotes, as in '1.5'"),
        ("checksums: {1: 'md5:0'}", "checksums", "put it in quotes, as in '1'"),
        ("accept: {no: {unknown: 1}}", "accept", "put it in quotes, as in 'no'"),
        ("split: {files: {2: x.csv}}", "split.files", "put it in quotes, as in '2'"),
    ],
)
def test_a_value_is_refused_with_its_place_and_remedy(key, place, remedy):
    sentence = _refusal(f"{STUDY}{key}\n")
    assert place in sentence
    assert remedy in sentence


@pytest.mark.parametrize(
    ("axis", "value", "remedy"),
    [
        ("fractions", "[.nan]", "write a finite number"),
        ("fractions", "[.1234567, .1234568]", "write 0.123457"),
        ("fractions", "[0.33333333333]", "write 0.333333"),
        ("fractions", "[1, 1.0]", "non-unique"),
        ("fractions", "[5e-1]", "write 5.0e-1"),
        ("seeds", f"[{2**70}]", "write a number up to 4294967295"),
        ("seeds", "[4294967296]", "maximum of 4294967295"),
        ("seeds", "[1.0]", "write a whole number, such as 1"),
        ("seeds", "[yes]", "is not of type 'integer'"),
        ("datasets", "[001]", "put it in quotes"),
        ("backbones", "[..]", "not in front, dots only"),
    ],
)
def test_an_axis_of_a_grid_is_refused_with_its_place_and_remedy(axis, value, remedy):
    study = STUDY.replace(
        f"{axis}: {({'fractions': '[1]', 'seeds': '[0]', 'datasets': '[busi]'} | {'backbones': '[resnet50]'})[axis]}",
        f"{axis}: {value}",
    )
    assert study != STUDY
    sentence = _refusal(study)
    assert f"experiments.table2.{axis}" in sentence
    assert remedy in sentence


NAMES = {
    "001": "begin the name with a letter",
    "True": "begin the name with a letter",
    "no": "begin the name with a letter",
    "null": "write a name",
    "2024-01-01": "begin the name with a letter",
    "'001'": "choose another, such as 'set_001'",
    "1e5": "choose another, such as 'set_1e5'",
    "'False'": "choose another",
    "'nan'": "choose another",
    "inf": "choose another",
    "1_000e1": "choose another",
    "..": "letters, digits and underscores only",
    "'{x}'": "letters, digits and underscores only",
    "'a b'": "letters, digits and underscores only",
    "a/b": "letters, digits and underscores only",
    '"mine\\n"': "letters, digits and underscores only",
    300 * "x": "300 bytes: choose one of up to 100",
    40 * "皮": "120 bytes: choose one of up to 100",
}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:12])
def test_a_name_that_no_folder_or_table_can_have_is_refused(name):
    own = OWN % (name, "[a, b]")
    assert "wrong at datasets" in _refusal(own)
    assert NAMES[name] in _refusal(own)
    assert NAMES[name] in _refusal(STUDY.replace("table2:", f"{name}:"))
    assert NAMES[name] in _refusal(STUDY.replace("study: s", f"study: {name}"))


@pytest.mark.parametrize("name", ["skin", "2d_scans", "nih_cxr_1", "皮肤", "été", "_", "e5", "none_of_these"])
def test_other_names_are_taken(name):
    assert name in Study(yaml.safe_load(OWN % (name, "[a, b]"))).settings["datasets"]


@pytest.mark.parametrize(
    ("classes", "remedy"),
    [
        ("[no, yes]", "put it in quotes, as in 'yes', for YAML reads yes, on and true as True"),
        ("[a, off]", "put it in quotes, as in 'no', for YAML reads no, off and false as False"),
        ("[0, 1]", "put it in quotes, as in '1'"),
        ("[a, 2024-01-01]", "put it in quotes, as in '2024-01-01'"),
        ("[a, null]", "the word null in quotes"),
        ("[a, ' b']", "neither begins nor ends with a space"),
        ('["a\\n", b]', "no line breaks"),
        ("[a, '']", "cannot be"),
    ],
)
def test_a_class_that_is_no_text_is_refused_with_its_remedy(classes, remedy):
    assert remedy in _refusal(OWN % ("mine", classes))


@pytest.mark.parametrize(
    "classes", [["1. Eczema 1677", "(BCC)"], ["no", "yes"], ["N/A", "mass & calc $5"], ["皮肤", "正常"]]
)
def test_a_class_may_have_any_sign(classes):
    text = OWN % ("mine", yaml.safe_dump(classes, default_flow_style=True, width=1000).strip())
    assert Study(yaml.safe_load(text)).settings["datasets"]["mine"]["classes"] == classes


def test_the_largest_seeds_are_taken():
    study = Study(yaml.safe_load(STUDY.replace("[0]", "[4294967295]") + "tuning: {seed: 4294967286}"))
    assert study.runs()[0].seed == "4294967295"


def test_a_message_about_an_address_tells_no_secret():
    for address in ("https://u:s3c ret@host/", "https://host/x?sig=s3c ret", "https://u:s3cret@host/"):
        study = yaml.safe_load(STUDY) | {"mirror": address, "imagesize": 1, "datasets": {"mine": {"path": address}}}
        with pytest.raises(UserError) as caught:
            Study(copy.deepcopy(study))
        assert "s3c" not in str(caught.value)
