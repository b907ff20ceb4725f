"""A study is complete, checked, and gives each run once."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from medpeft.base.errors import UserError
from medpeft.base.runs import Run
from medpeft.data.formats.picture import LARGEST_IMAGE
from medpeft.pipeline.schema import SCHEMA
from medpeft.pipeline.study import Study

ROOT = Path(__file__).parents[2]
GRID = {
    "datasets": ["busi"],
    "backbones": ["resnet50"],
    "methods": ["full", "ssf"],
    "fractions": [0.1, 1],
    "seeds": [0, 1],
}
PIPELINE = GRID | {"backbones": ["latent_diffusion_mini"], "methods": ["norm"]}


def _study(**changes):
    return {"study": "s", "experiments": {"table2": dict(GRID)}} | changes


def test_an_experiment_may_be_several_grids():
    grids = [GRID | {"fractions": [1]}, GRID | {"backbones": ["test_vit"], "methods": ["lora"], "fractions": [1]}]
    study = Study(_study(experiments={"figure1": grids}))
    assert [(run.backbone, run.method) for run in study.runs("figure1") if run.seed == "0"][-1] == ("test_vit", "lora")
    assert len(study.runs()) == sum(
        len(grid["datasets"]) * len(grid["backbones"]) * len(grid["methods"]) * len(grid["seeds"]) for grid in grids
    )


@pytest.mark.parametrize(
    "path", [ROOT / "config.yaml", *sorted((ROOT / "studies").glob("*.yaml"))], ids=lambda p: p.stem
)
def test_shipped_studies_are_valid(path):
    assert Study(yaml.safe_load(path.read_text())).runs()


def test_defaults_are_those_of_the_schema():
    settings = Study(_study(recipe={"epochs": 3})).settings
    properties = yaml.safe_load(SCHEMA.read_text())["properties"]
    assert settings["recipe"]["epochs"] == 3
    for section in ("recipe", "tuning", "split", "generation"):
        for key, part in properties[section]["properties"].items():
            if (section, key) != ("recipe", "epochs"):
                assert settings[section][key] == part["default"]


def test_the_largest_image_is_that_of_the_schema():
    assert Study(_study()).settings["largest_image"] == LARGEST_IMAGE


def test_images_that_are_fitted_in_different_ways_lie_apart():
    folders = [Study(_study(image_fit=fit, image_size=64)).stored_folder(64) for fit in ("crop", "pad", "squash")]
    assert folders == ["73px", "64px_pad", "64px_squash"]


@pytest.mark.parametrize("change", [{"image_fit": "stretch"}, {"largest_image": 0}, {"recipe": {"horizontal_flip": 2}}])
def test_other_ways_to_show_an_image_are_mistakes(change):
    with pytest.raises(UserError, match=next(iter(change))):
        Study(_study(**change))


def test_the_callers_configuration_is_left_alone():
    given = _study()
    Study(given)
    assert given == _study()


def test_experiments_share_equal_runs():
    study = Study(
        _study(experiments={"table2": GRID | {"fractions": [1]}, "figure1": GRID | {"fractions": [0.5, 1.0]}})
    )
    assert len(study.runs("table2")) == 4
    assert len(study.runs()) == 8
    assert study.runs()[0] == Run("busi", "resnet50", "full", "1", "0")
    assert study.values("fraction") == ["1", "0.5"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"imagesize": 64}, "top level.*'imagesize' was unexpected"),
        ({"recipe": {"epohcs": 1}}, "at recipe: .*'epohcs'.*did you mean 'epochs'.*allowed: epochs"),
        ({"recipe": {"epochs": 0}}, "at recipe.epochs: 0 is less than the minimum"),
        ({"image_size": "big"}, "at image_size: 'big' is not of type 'integer'"),
        ({"experiments": {"table2": {"datasets": ["busi"]}}}, "at experiments.table2: 'backbones' is a required"),
        ({"experiments": {"table2": GRID | {"methods": ["lroa", "ssf"]}}}, "'lroa' at experiments.table2.methods"),
        ({"experiments": {"table2": GRID | {"methods": ["sff"]}}}, "did you mean .*'ssf'"),
        ({"experiments": {"table2": [GRID, GRID | {"methods": ["sff"]}]}}, r"'sff' at experiments.table2.1.methods"),
        ({"experiments": {"table2": [GRID | {"seeds": [-1]}]}}, r"at experiments.table2.0.seeds.0: -1 is less"),
        ({"experiments": {"table2": GRID | {"methods": ["adalora"]}}}, "does not work here, because its ranks"),
        (
            {"experiments": {"table2": GRID | {"methods": ["lora"]}}},
            "'lora', which is defined on unet, vit, .*'resnet50",
        ),
        ({"experiments": {"x": [GRID, GRID | {"methods": ["dora", "bitfit"]}]}}, "'bitfit'.* at experiments.x.1: give"),
        ({"experiments": {"table2": [GRID | {"method": ["ssf"]}]}}, "at experiments.table2.0.*did you mean 'methods'"),
        ({"experiments": {"table2": GRID | {"datasets": ["bussi"]}}}, "'bussi' at experiments.table2.datasets"),
        ({"experiments": {"table2": GRID | {"fractions": [1.5]}}}, r"experiments.table2.fractions.0: 1.5"),
        ({"tuning": {"low": 0.1, "high": 0.01}}, "tuning.low 0.1 is not below tuning.high 0.01"),
        ({"checksums": {"busi.zip": "abc"}}, "at checksums.busi.zip"),
        ({"checksums": {"busi.zpi": f"sha256:{'0' * 64}"}}, "'busi.zpi' at checksums.*did you mean 'busi.zip'"),
        ({"checksums": {"smdg.zip": f"sha256:{'0' * 64}"}}, "'smdg.zip' at checksums, which it does not fetch"),
        ({"checksums": {"resnet5.safetensors": f"sha256:{'0' * 64}"}}, "did you mean 'resnet50.safetensors'"),
        ({"split": {"files": {"bussi": "config.yaml"}}}, "'bussi' at split.files.*did you mean 'busi'"),
        (
            {"split": {"files": {"smdg": "config.yaml"}}},
            "'smdg' at split.files, which is no dataset of it: there are",
        ),
        ({"split": {"files": {"busi": "gone.csv"}}}, r"'gone\.csv' at split\.files\.busi, which is no file here"),
        ({"split": {"files": {"busi": "/tmp"}}}, r"'/tmp' at split\.files\.busi, which is no file here"),
        ({"accept": {"bsui": {"unreadable": 1}}}, "'bsui' at accept.*did you mean 'busi'"),
        ({"accept": {"busi": {"unreadble": 1}}}, "at accept.busi: .*did you mean 'unreadable'"),
        ({"accept": {"busi": {"unreadable": -1}}}, "at accept.busi.unreadable: -1 is less"),
        ({"generation": {"pipelines": {"mine": "no repository"}}}, "at generation.pipelines.mine"),
        ({"generation": {"learning_rates": {"lroa": 1e-4}}}, "'lroa' at generation.learning_rates.*'lora'"),
        ({"image_size": 33, "experiments": {"x": PIPELINE}}, "sides are a multiple of 8 pixels, not 33"),
        ({"generation": {"image_size": 33}, "experiments": {"x": [GRID, PIPELINE]}}, "a multiple of 8 pixels, not 33"),
        (
            {"experiments": {"x": PIPELINE | {"backbones": ["latent_difusion_mini"]}}},
            "'latent_difusion_mini' at experiments.x.backbones: .* did you mean 'latent_diffusion_mini'",
        ),
        ({"experiments": {"x": PIPELINE | {"backbones": ["resnet50"]}}}, "generation.pipelines: there are latent_d"),
        (
            {"primary_metric": "auc"},
            "at primary_metric: 'auc' cannot .* on busi, .* are multi-class: write one of acc.*auroc",
        ),
        ({"primary_metric": "sensitivity"}, "at primary_metric: 'sensitivity' cannot choose an epoch"),
        ({"primary_metric": "kappa"}, "'kappa' cannot choose an epoch on busi, whose labels are multi-class"),
        ({"recipe": {"class_weights": "inverse"}}, "at recipe.class_weights"),
        ({"generation": {"images": 4}}, "at generation.images: 4 is less than the minimum of 8"),
    ],
)
def test_mistakes_are_named_in_one_sentence(changes, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        Study(_study(**changes))
    assert "\n" not in str(caught.value)


def test_a_classifier_of_generated_images_needs_classes_that_exclude_each_other():
    grid = PIPELINE | {"datasets": ["chestmnist"]}
    pipelines = {"generation": {"downstream": 9}, "experiments": {"table4": grid}}
    with pytest.raises(
        UserError, match=r"with the dataset 'chestmnist' at experiments\.table4: .* set generation\.down"
    ):
        Study(_study(**pipelines))
    Study(_study(**pipelines | {"generation": {"downstream": 0}}))
    Study(_study(**pipelines | {"experiments": {"table4": PIPELINE}}))


def test_keys_that_speak_of_what_the_study_has_are_taken(tmp_path):
    (tmp_path / "split.csv").write_text("image_id,split\n")
    sums = dict.fromkeys(("busi.zip", "mine.zip", "resnet50.safetensors", "resnet18.safetensors"), f"md5:{'0' * 32}")
    changes = {
        "checksums": sums,
        "generation": {"extractor": "resnet18"},
        "datasets": {"mine": {"classes": ["a", "b"]}},
        "split": {"files": {"busi": str(tmp_path / "split.csv")}},
        "accept": {"mine": {"unreadable": 1}},
    }
    assert Study(_study(**changes)).settings["accept"] == {"mine": {"unreadable": 1}}


def test_nothing_at_all_is_a_mistake_too():
    with pytest.raises(UserError, match="'study' is a required property"):
        Study({"experiments": {"table2": GRID}})


def test_runs_of_pipelines_are_text_to_image():
    study = Study(
        _study(
            experiments={"table2": GRID, "table4": GRID | {"backbones": ["mine"], "methods": ["full", "lora"]}},
            generation={"pipelines": {"mine": None}, "learning_rates": {"full": 1e-5}, "learning_rate": 1e-3},
        )
    )
    assert {run.backbone for run in study.runs(task="text-to-image")} == {"mine"}
    assert {run.backbone for run in study.runs(task="classification")} == {"resnet50"}
    assert len(study.runs()) == 16
    assert study.values("method", task="classification") == ["full", "ssf"]
    assert (study.unet_learning_rate("full"), study.unet_learning_rate("lora")) == (1e-5, 1e-3)


@pytest.mark.parametrize(
    ("changes", "enough"),
    [
        ({}, False),  # one dataset
        ({"datasets": ["busi", "breast_phantom"]}, False),  # two methods
        ({"datasets": ["busi", "breast_phantom"], "methods": ["full", "ssf", "tsa"]}, True),
        ({"backbones": ["resnet50", "resnet18"], "methods": ["full", "ssf", "tsa"]}, False),
        ({"backbones": ["resnet50", "test_vit"], "methods": ["full", "ssf", "linear_probe"]}, False),  # two kinds
    ],
)
def test_ranks_need_two_datasets_and_three_methods(changes, enough):
    assert Study(_study(experiments={"any": GRID | changes})).has_ranks() == enough


def test_a_dataset_without_all_methods_does_not_count():
    methods = {"methods": ["full", "ssf", "tsa"]}
    other = GRID | {"datasets": ["breast_phantom"], "methods": ["full", "ssf"]}
    assert not Study(_study(experiments={"any": GRID | methods, "other": other})).has_ranks()


def test_the_published_study_has_as_many_runs_as_it_says():
    path = ROOT / "studies" / "paper.yaml"
    study = Study(yaml.safe_load(path.read_text()))
    runs = {name: len(study.runs(name)) for name in study.experiments}
    assert runs == {"table2": 90, "table3": 360, "table5": 80, "figure1": 144, "table4": 24 + 3}  # 3 are untuned
    said = f"{sum(runs.values())} runs before sharing: its 698"
    assert said in path.read_text()
    assert (
        f"has {sum(runs.values())} runs, {len(study.runs())} where" in (ROOT / "docs/explanation/costs.md").read_text()
    )
    assert study.settings["generation"]["training_pairs"] == 110_000


def test_the_study_of_open_radiographs_has_the_settings_of_the_published_one_but_for_what_it_says():
    open_, published = (
        Study(yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text())) for name in ("iu_xray", "paper")
    )
    ours, theirs = open_.settings["generation"], published.settings["generation"]
    differing = {key for key in ours if ours[key] != theirs[key]}
    # One pipeline is all that either uses; so few pairs need no limit.
    assert differing == {"steps", "micro_batch", "downstream", "pipelines", "training_pairs"}
    for key in ("image_size", "image_fit", "device"):
        assert open_.settings[key] == published.settings[key]
    assert open_.runs("table4")[0].backbone == published.runs("table4")[0].backbone
    marked = [line for line in (ROOT / "studies/iu_xray.yaml").read_text().splitlines() if "  #" in line]
    assert [line.split(":")[0].strip() for line in marked] == ["steps", "micro_batch", "downstream"]


def test_a_study_is_planned_without_what_only_scoring_and_training_need():
    """Each Snakemake process imports it, hundreds in a study."""
    code = "import sys, medpeft.pipeline.study; print([name for name in HEAVY if name in sys.modules])"
    heavy = ["torch", "sklearn", "scipy", "matplotlib"]
    told = subprocess.run(
        [sys.executable, "-c", code.replace("HEAVY", str(heavy))], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"
