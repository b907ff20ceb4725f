"""What a backbone is, is known from its name: a study with one that cannot be is refused before anything runs."""

import re
import subprocess
import sys

import pytest
import timm

from medpeft.base.errors import UserError
from medpeft.networks import available, encoders
from medpeft.networks.models import encoder_kind
from medpeft.networks.survey import survey
from medpeft.pipeline.study import Study

GRID = {"datasets": ["busi"], "methods": ["full"], "fractions": [1], "seeds": [0]}
# Of each kind, and each kind of refusal.
SMALL = (
    "resnet18",
    "tf_efficientnetv2_b0",
    "fastvit_t8",
    "test_convnext",
    "test_vit",
    "levit_128",
    "mixer_s16_224",
    "test_efficientnet",
)


def _refusal(backbone, methods=("full",), **changes) -> str:
    grid = GRID | {"backbones": [backbone], "methods": list(methods)}
    with pytest.raises(UserError) as caught:
        Study({"study": "s", "experiments": {"x": grid}} | changes)
    return str(caught.value)


def test_the_table_is_that_of_the_timm_that_is_installed():
    assert encoders.surveyed_version() == timm.__version__
    architectures = {name for name in timm.list_models() if not name.startswith("vit_mini")}
    assert set(encoders.surveyed()) == architectures
    tagged = {f"{name}.{tag}" for name, known in encoders.surveyed().items() for tag in known.tags}
    assert tagged == {name for name in timm.list_models(include_tags=True) if "." in name and "vit_mini" not in name}


@pytest.mark.parametrize("backbone", SMALL)
def test_the_table_tells_what_building_the_network_tells(backbone):
    assert encoders.surveyed()[backbone] == survey(backbone)


@pytest.mark.exhaustive
def test_the_table_tells_what_building_all_networks_tells():
    assert encoders.surveyed() == {backbone: survey(backbone) for backbone in encoders.surveyed()}


@pytest.mark.parametrize(
    "backbone", ["vit_mini_patch8_64", "vit_mini_patch8_64.mae", "vit_base_patch16_224.augreg_in21k"]
)
def test_a_known_backbone_is_told_from_its_name(backbone):
    assert available.unknown(backbone, weights_given=False) is None
    assert encoders.encoder(backbone) == encoder_kind(timm.create_model(backbone)) == "vit"


@pytest.mark.parametrize(
    ("backbone", "sentence"),
    [
        ("resnet_50", "timm has no backbone 'resnet_50': did you mean .*'resnet50'"),
        ("rasnet50.a1_in1k", "timm has no backbone 'rasnet50': did you mean"),
        ("my_own_network", "timm has no backbone 'my_own_network'"),
        ("resnet50.a1_in2k", "'resnet50.a1_in2k' has no weights.* did you mean .*'resnet50.a1_in1k'"),
        ("test_vit.nobody", "the study names no mirror that may have them"),
        ("vit_minni", "did you mean 'vit_mini_patch8_64'"),
        ("vit_mini", "did you mean 'vit_mini_patch8_64'"),
        ("vit_mini_patch8_64.mae2", "did you mean 'vit_mini_patch8_64.mae'"),
        ("vit_mini_patch8_64.", "has no weights"),
    ],
)
def test_an_unknown_backbone_is_refused_with_those_that_may_be_meant(backbone, sentence):
    refusal = _refusal(backbone)
    assert f"{backbone!r} at experiments.x.backbones" in refusal
    assert re.search(sentence, refusal)


@pytest.mark.parametrize(
    ("backbone", "size", "near"),
    [
        ("vit_mini_patch8_64.mae", 60, "56 or 64"),
        ("vit_small_patch14_dinov2.lvd142m", 64, "56 or 70"),
        ("vit_base_patch32_224", 40, "32 or 64"),
    ],
)
def test_images_that_no_patches_fill_are_refused(backbone, size, near):
    """The network would not see their last rows and columns."""
    assert f"image_size {size} is no multiple of that: write {near}" in _refusal(backbone, image_size=size)


def test_a_mirror_may_have_weights_of_its_own_but_no_network():
    study = {"study": "s", "mirror": "folder", "experiments": {"x": GRID | {"backbones": ["resnet50.radiographs"]}}}
    assert Study(study).runs()
    assert "timm has no backbone" in _refusal("rasnet50.radiographs", mirror="folder")


def test_an_unknown_extractor_is_refused():
    sentence = _refusal("resnet50", generation={"extractor": "resnet_50"})
    assert "'resnet_50' at generation.extractor" in sentence


@pytest.mark.parametrize(
    ("backbone", "method", "sentence"),
    [
        ("convnext_tiny", "full", "which is none of these, at experiments.x: no method here adapts it; take it out"),
        (
            "swin_tiny_patch4_window7_224",
            "lora",
            "which is none of these, at experiments.x: no method here adapts it; take it out",
        ),
        (
            "deit_tiny_distilled_patch16_224",
            "full",
            "which is none of these, at experiments.x: no method here adapts it; take it out",
        ),
        ("tf_efficientnetv2_b0", "dora", "whose layers it cannot adapt"),
        ("hrnet_w18", "tsa", "whose layers it cannot adapt"),
        ("vit_base_patch16_rpn_224", "adaptformer", "whose layers it cannot adapt"),
        ("resnet50", "lora", "a cnn"),
        ("test_vit", "batchnorm", "a vit"),
    ],
)
def test_a_method_that_a_backbone_cannot_have_is_refused(backbone, method, sentence):
    refusal = _refusal(backbone, [method])
    assert f"{method!r}" in refusal
    assert sentence in refusal
    assert "experiments.x" in refusal


def test_a_network_of_another_timm_is_asked_for_there(monkeypatch):
    monkeypatch.setattr(available, "surveyed_version", lambda: "another")
    monkeypatch.setattr(available, "surveyed", lambda: {})
    assert available.unknown("resnet50.a1_in1k", weights_given=False) is None
    assert "timm has no backbone" in str(available.unknown("resnet_50", weights_given=False))


def test_a_study_is_checked_without_importing_torch():
    code = (
        "import sys, time, yaml; from medpeft.pipeline.study import Study; "
        "study = yaml.safe_load(open('studies/paper.yaml')); start = time.process_time(); Study(study); "
        "print(time.process_time() - start, 'torch' in sys.modules or 'timm' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, imported = result.stdout.split()
    assert imported == "False"
    assert float(seconds) < 5
