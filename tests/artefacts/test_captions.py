"""Captions say what was run: its networks, their pretraining, and a published table only where it is one."""

import pandas as pd
import pytest

from medpeft.artefacts import registry
from medpeft.artefacts.sentences.captions import networks, of_experiments, pretraining
from medpeft.artefacts.typeset import placed

PRETRAINED = {
    "vit_base_patch16_224.augreg_in21k": "supervised pretraining",
    "vit_base_patch16_224.mae": "self-supervised pretraining",
    "vit_small_patch14_dinov2.lvd142m": "self-supervised pretraining",
    "vit_base_patch16_224.dino": "self-supervised pretraining",
    "convnextv2_tiny.fcmae": "self-supervised pretraining",
    "convnextv2_tiny.fcmae_ft_in1k": "self-supervised pretraining followed by supervised training",
    "beit_base_patch16_224.in22k_ft_in22k": "self-supervised pretraining followed by supervised training",
    "vit_base_patch16_clip_224.openai": "pretraining on images with texts",
    "vit_base_patch16_clip_224.laion2b_ft_in1k": "pretraining on images with texts followed by supervised training",
    "efficientnet_lite0": "supervised pretraining",
    "vit_base_patch16_224": "",  # timm has several weights of this name
    "vit_mini_patch8_64.distilled": "pretraining by distillation",
    "vit_mini_patch8_64.mae": "self-supervised pretraining",
    "resnet50.fb_swsl_ig1b_ft_in1k": "semi-supervised pretraining followed by supervised training",
    "a_network_of_nobody.v3": "",
}


@pytest.mark.parametrize(("backbone", "words"), PRETRAINED.items())
def test_the_pretraining_is_what_the_name_tells(backbone, words):
    assert pretraining(backbone) == words


def test_networks_of_one_pretraining_share_it_and_others_have_their_own():
    supervised, masked = "vit_base_patch16_224.augreg_in21k", "vit_base_patch16_224.mae"
    assert networks([supervised]) == f"vision transformers with supervised pretraining ({supervised})"
    assert networks([supervised, masked, supervised]) == (
        f"vision transformers ({supervised} with supervised pretraining; {masked} with self-supervised pretraining)"
    )
    assert networks(["vit_base_patch16_224"]) == "vision transformers (vit_base_patch16_224)"
    assert networks(["resnet50.a1_in1k", masked]).startswith("convolutional networks with supervised pretraining (res")


PUBLISHED = pd.DataFrame([("busi", "resnet50", "ssf", 0.94)], columns=["dataset", "backbone", "method", "f1"])


def captions(backbone, method="ssf", name="table2"):
    runs = pd.DataFrame([(name, "busi", backbone, method)], columns=["experiment", "dataset", "backbone", "method"])
    found = {"captions": of_experiments(runs, {"table2": PUBLISHED}), "generation": None}
    found["settings"] = {"primary_metric": "f1_micro"}
    return placed(found | {"overview": {"most_data": "all training images"}}, {name})[0]["caption"]


def test_a_published_table_is_named_only_where_the_study_has_a_cell_of_it():
    assert captions("resnet50").endswith("with all training images (the published table 2).")
    assert "published" not in captions("resnet50", method="lora")
    assert "published" not in captions("resnet18.a1_in1k")


def test_an_experiment_called_table3_is_no_claim_on_its_networks():
    """A study may run DINOv2 in an experiment of this name, whose published networks are supervised ones."""
    caption = captions("vit_small_patch14_dinov2.lvd142m", name="table3")
    assert "self-supervised pretraining (vit_small_patch14_dinov2.lvd142m)" in caption
    assert "published" not in caption
    assert all("supervised" not in table.caption for table in registry.tables().values())
