"""README keeps what it promises."""

import re
from pathlib import Path

import pytest
import timm

from medpeft.data import registry as datasets
from medpeft.methods import registry
from medpeft.networks.models import adapt, count_parameters

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_example_of_a_method_is_one(monkeypatch):
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)[1]
    monkeypatch.setattr(registry, "_loaded", {})
    exec(compile(code, "README", "exec"), {})
    (method,) = registry._loaded.values()
    counts = count_parameters(adapt(timm.create_model("resnet18", num_classes=3), method))
    assert counts["trainable_parameters"] - counts["head_parameters"] == 4800


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:scripts|studies|schemas|docs)/[\w./]+)`", README))))
def test_files_that_are_named_exist(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_pictures_and_links_lead_somewhere(path):
    assert (ROOT / path).exists()


def test_nothing_is_left_to_fill_in():
    assert "@@" not in README


@pytest.mark.parametrize("name", datasets.names())
def test_every_dataset_is_listed_with_its_images_and_archives(name):
    dataset = datasets.load(name)
    row = next((line for line in README.splitlines() if line.startswith(f"| `{name}`")), None)
    assert row, f"README's table of datasets has no row `{name}`"
    images = sum(dataset.sizes or [count or 0 for count in dataset.counts.values()])
    assert (f"{images:,}" if images else "frontal") in row
    assert all(f"`{archive.name}`" in row for archive in dataset.archives if not archive.generate)
