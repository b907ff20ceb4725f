"""The small transformer: how it is pretrained, and that the weights which come with the project are worth something."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from medpeft.base.files import read_json, read_table, sha256
from medpeft.data import registry
from medpeft.data.duplicates import find
from medpeft.data.images import Split
from medpeft.data.prepare import prepare
from medpeft.data.split import split
from medpeft.networks.models import architecture
from medpeft.networks.pretrained import pretrained
from medpeft.networks.weights import fetch_weights, kept
from medpeft.training.appraise import appraise
from medpeft.training.pretrain import Crops, Distillation, MaskedAutoencoder, load_pictures, pretrain

BACKBONES = ["vit_mini_patch8_64.distilled", "vit_mini_patch8_64.mae"]


@pytest.fixture
def short():
    return {"crops": 64, "batch_size": 16, "learning_rate": 1e-3, "seed": 0}


def test_the_architecture_is_the_announced_one():
    model = architecture("vit_mini_patch8_64", num_classes=3)
    assert (model.embed_dim, len(model.blocks), model.patch_embed.num_patches) == (128, 6, 64)
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_223_171


@pytest.mark.parametrize("backbone", BACKBONES)
def test_pretraining_moves_all_and_repeats_itself(backbone, lite0, short):
    torch.manual_seed(short["seed"])
    before = architecture(backbone).half().state_dict()
    (state, facts), (again, _) = (pretrain(backbone, lite0, **short) for _ in range(2))
    assert [name for name in state if torch.equal(state[name], before[name])] == []
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert facts["crops"] == 64
    assert facts["loss"] > 0


def test_teacher_is_never_trained(lite0):
    teacher = pretrained("efficientnet_lite0", lite0)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    objective = Distillation(architecture("vit_mini_patch8_64"), teacher)
    objective(torch.randn(4, 3, 64, 64)).backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_autoencoder_sees_a_quarter_of_the_patches():
    """The loss depends on all patches as targets; what is painted depends on 16 of 64 alone."""
    objective = MaskedAutoencoder(architecture("vit_mini_patch8_64"))
    painted = []
    objective.paint.register_forward_hook(lambda module, inputs, output: painted.append(output))
    images = torch.randn(1, 3, 64, 64, requires_grad=True)
    torch.manual_seed(0)
    objective(images)
    (gradient,) = torch.autograd.grad(painted[0].sum(), images)
    seen = torch.nn.functional.unfold(gradient.abs(), 8, stride=8).sum(1)[0] > 0
    assert int(seen.sum()) == 16


def test_crops_are_normalised_and_differ():
    pictures, digest = load_pictures()
    assert len(digest) == 64
    torch.manual_seed(0)
    stream = iter(Crops(pictures))
    first, second = next(stream), next(stream)
    assert first.shape == (3, 64, 64)
    assert not torch.equal(first, second)
    assert first.abs().max() < 3


@pytest.mark.parametrize("backbone", BACKBONES)
def test_weights_come_with_the_project(backbone, tmp_path):
    path = kept(backbone)
    assert path.stat().st_size <= 4_000_000
    assert read_json(path.with_suffix(".json"))["sha256"] == sha256(path)
    assert read_json(path.with_suffix(".json"))["pictures_sha256"] == load_pictures()[1]
    origin = fetch_weights(backbone, tmp_path / "model.safetensors", mirror=None)
    assert origin == "the project's folder pretrained"
    assert load_file(tmp_path / "model.safetensors").keys() == architecture(backbone).state_dict().keys()


def test_pretraining_is_worth_something(root):
    """By the score that is kept beside the weights, both do better than none, by far."""
    scores = pd.read_csv(root / "pretrained" / "busi.csv").set_index("network")["auroc"]
    assert all(scores[backbone] > scores["vit_mini_patch8_64, random"] + 0.1 for backbone in BACKBONES)


def test_appraisal_tells_features_from_noise():
    """Of two networks, one hands on a mean that differs between classes, the other noise."""

    class Means(torch.nn.Module):
        def __init__(self, noise):
            super().__init__()
            self.noise = noise

        def forward_features(self, images):
            return images.mean((2, 3)) if not self.noise else torch.randn(len(images), 3)

        def forward_head(self, features, pre_logits):
            return features

    torch.manual_seed(0)
    labels = torch.arange(60) % 3
    images = (torch.randint(0, 60, (60, 73, 73, 3)) + 40 * labels[:, None, None, None]).to(torch.uint8)
    whole = Split(images, labels, pd.DataFrame({"cluster": range(60)}))
    table = appraise({"means": Means(False), "noise": Means(True)}, {"all": whole}, 64).set_index("network")["auroc"]
    assert table["means"] > 0.99
    assert table["noise"] < 0.75


@pytest.mark.slow
def test_kept_scores_are_those_of_the_kept_weights(root, real_data, tmp_path):
    """The scores beside the weights, computed again from the real archive."""
    images, manifest = tmp_path / "images.npy", tmp_path / "manifest.csv"
    dataset = registry.load("busi")
    prepare("busi", dataset, [real_data / "busi.zip"], 73, images, manifest)
    table = read_table(manifest)
    rows = split(table, find(np.load(images), table), sizes=dataset.sizes)
    classes = sorted(table["label"].unique())
    labels = torch.tensor([classes.index(label) for label in table["label"]])
    whole = Split(torch.from_numpy(np.load(images)), labels, table.merge(rows, on="image_id"))
    kept_scores = pd.read_csv(root / "pretrained" / "busi.csv").set_index("network")["auroc"]
    networks = {backbone: pretrained(backbone, kept(backbone)) for backbone in BACKBONES}
    for row in appraise(networks, {"all": whole}, 64).itertuples():
        assert row.auroc == pytest.approx(kept_scores[row.network], abs=0.01)
