"""What holds for every dataset, so that the next one is held to it too."""

import math
import re

import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.data import registry
from medpeft.data.archives import Source
from medpeft.data.dataset import Dataset
from medpeft.data.split import SPLITS, split

NO_PAIRS = pd.DataFrame({"first": [], "second": [], "same_label": []}).astype({"same_label": bool})
COLUMNS = ["image_id", "group_id", "label", "caption", "source_file"]


@pytest.fixture(params=registry.names())
def dataset(request) -> Dataset:
    return registry.load(request.param)


def test_the_published_study_is_complete():
    published = {"busi", "fitzpatrick17k", "ham10000", "mimic_cxr", "rsna_pneumonia", "smdg"}
    assert published | {"iu_xray"} <= set(registry.names())


@pytest.mark.parametrize("field", ["title", "licence", "access", "citation"])
def test_what_a_reader_must_know_is_said(dataset, field):
    assert getattr(dataset, field).strip()


def test_caveats_are_sentences(dataset):
    assert dataset.caveats
    assert all(re.fullmatch(r"[A-Z0-9].*\.", caveat) for caveat in dataset.caveats)


def test_classes_are_names_with_counts(dataset):
    assert len(dataset.counts) >= 2
    assert all(re.fullmatch(r"[\w-]+( [\w-]+)*", label) for label in dataset.counts)
    assert all(count is None or count > 0 for count in dataset.counts.values())


def test_the_sizes_of_the_splits_add_up_to_the_images(dataset):
    if dataset.sizes and None not in dataset.counts.values():
        assert sum(dataset.sizes) == sum(dataset.counts.values())


def test_archives_have_names_and_well_formed_checksums(dataset):
    for archive in dataset.archives:
        assert re.fullmatch(r"[\w.-]+\.(zip|npz|csv|csv\.gz)", archive.name)
        assert archive.checksum is None or re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", archive.checksum)
        assert all(re.match(r"https://|kaggle:(datasets|competitions)/", url) for url in archive.urls)
        assert (archive.links is None) == (archive.listed_in is None)
        assert archive.listed_in in {None, *(other.name for other in dataset.archives)}


def test_an_archive_without_an_address_is_named_where_access_is_described(dataset):
    for archive in dataset.archives:
        assert archive.urls or archive.generate or archive.name in dataset.access


def test_no_two_archives_have_one_name():
    """The study's key `checksums` names archives without their dataset."""
    names = [archive.name for name in registry.names() for archive in registry.load(name).archives]
    assert len(names) == len(set(names))


def test_archives_of_something_else_are_no_dataset(dataset, tmp_path):
    """They are refused at once, or give no image, which `prepare` refuses."""
    sources = []
    for archive in dataset.archives:
        (tmp_path / archive.name).mkdir()
        (tmp_path / archive.name / "holiday.jpg").write_bytes(b"")
        sources.append(Source(tmp_path / archive.name))
    try:
        table = dataset.index(*sources)
    except UserError:
        return
    assert len(table) == 0
    assert table.columns.tolist() == COLUMNS


@pytest.mark.parametrize("name", [name for name in registry.names() if registry.load(name).sizes])
def test_single_images_are_split_in_exactly_the_published_sizes(name):
    """Where the images per class are not published, the classes are taken to be equally large."""
    dataset = registry.load(name)
    equal = math.ceil(sum(dataset.sizes) / len(dataset.counts))
    labels = [label for label, count in dataset.counts.items() for _ in range(count or equal)][: sum(dataset.sizes)]
    ids = [f"i{number:06d}" for number in range(len(labels))]
    manifest = pd.DataFrame({"image_id": ids, "group_id": ids, "label": labels})
    splits = split(manifest, NO_PAIRS, "paper", sizes=dataset.sizes)["split"].value_counts()
    assert tuple(splits[list(SPLITS)]) == dataset.sizes


def test_an_unknown_dataset_is_answered_with_those_there_are():
    with pytest.raises(UserError, match=r"there is no dataset 'hamm': choose among .*ham10000"):
        registry.load("hamm")
