"""What a dataset was prepared from is the same while its content is, whatever happens to the times of its files."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medpeft.base.files import sha256, write_json, write_table
from medpeft.data.captions import captions
from medpeft.data.fetching.download import fetch
from medpeft.data.prepare import prepare
from medpeft.data.sources import Kept, content_of_files, mirrored_files
from medpeft.data.user_dataset import user_dataset
from medpeft.pipeline.study import Study

GRID = {"datasets": ["chest"], "backbones": ["resnet18"], "methods": ["full"], "fractions": [1], "seeds": [0]}
OWN = {"chest": {"classes": ["sick", "well"], "path": "home", "licence": "mine"}}
DECLARED = Study({"study": "toy", "datasets": OWN, "experiments": {"table2": GRID}}).settings["datasets"]["chest"]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A folder of eight images in two classes."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for number in range(8):
        path = tmp_path / "home" / ("sick" if number % 2 else "well") / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (9, 9), np.uint8)).save(path)
    return tmp_path / "home"


def _kept(declared: dict) -> Kept:
    return Kept("chest", user_dataset("chest", declared), Path("raw"), Path("prepared"))


def _content(declared: dict = DECLARED, mirror: str | None = None) -> str | None:
    kept = _kept(declared)
    return kept.content(kept.dataset.archives[0], mirror)


def _make(declared: dict = DECLARED, mirror: str | None = None, accepted: dict | None = None) -> str | None:
    """Fetch and prepare the dataset as the rules do, and return what they note of its content."""
    kept = _kept(declared)
    (archive,) = kept.dataset.archives
    content, raw = kept.content(archive, mirror), Path("raw") / archive.name
    shutil.rmtree("prepared", ignore_errors=True)
    fetch(archive, "chest", raw, mirror)
    copied = not Path(declared["path"] or "none").is_dir() and not (Path(mirror or "none") / "chest").is_dir()
    write_json(
        Path("raw/source") / f"{archive.name}.json", {"content": content, "sha256": sha256(raw) if copied else None}
    )
    prepare(
        "chest", kept.dataset, [raw], 8, Path("prepared/8px/images.npy"), Path("prepared/8px/manifest.csv"), 1, accepted
    )
    write_table("prepared/captions.csv", captions(kept.dataset, [raw]))
    return content


def _touch(home: Path) -> None:
    os.utime(home / "sick" / "1.bmp")


def _copy_without_times(home: Path) -> None:
    """As `rsync` does without `--times`, or a second `git clone`."""
    shutil.copytree(home, home.with_name("copy"), copy_function=shutil.copyfile)
    shutil.rmtree(home)
    home.with_name("copy").rename(home)


def _set_permissions(home: Path) -> None:
    (home / "sick" / "1.bmp").chmod(0o600)


def _add_what_is_no_image(home: Path) -> None:
    (home / "notes.txt").write_text("read me")


@pytest.mark.parametrize("change", [_touch, _copy_without_times, _set_permissions, _add_what_is_no_image])
def test_what_leaves_the_images_as_they_are_changes_nothing(home, change):
    before = _make()
    change(home)
    assert _content() == before
    assert _content() == before  # also when it is remembered


def _alter(home: Path) -> None:
    (home / "sick" / "1.bmp").write_bytes((home / "sick" / "3.bmp").read_bytes())


def _alter_and_keep_size_and_times(home: Path) -> None:
    path = home / "sick" / "1.bmp"
    content, stat = bytearray(path.read_bytes()), path.stat()
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _delete(home: Path) -> None:
    (home / "sick" / "1.bmp").unlink()


def _add(home: Path) -> None:
    shutil.copy2(home / "sick" / "1.bmp", home / "sick" / "9.bmp")


def _move_to_another_class(home: Path) -> None:
    (home / "sick" / "1.bmp").rename(home / "well" / "1.bmp")


def _swap(home: Path) -> None:
    for source, target in (("sick/1.bmp", "x"), ("well/2.bmp", "sick/1.bmp"), ("x", "well/2.bmp")):
        (home / source).rename(home / target)


CHANGES = [_alter, _alter_and_keep_size_and_times, _delete, _add, _move_to_another_class, _swap]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_an_image_or_its_label_is_noticed_until_it_is_prepared_anew(home, change):
    before = _make()
    change(home)
    changed = _content()
    assert changed != before
    assert _content() == changed  # the change is not forgotten by being looked at
    assert _make() == changed
    assert _content() == changed


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_undone_changes_nothing(home, change):
    before = _make()
    shutil.copytree(home, home.with_name("copy"))
    change(home)
    assert _content() != before
    shutil.rmtree(home)
    home.with_name("copy").rename(home)
    assert _content() == before


@pytest.mark.parametrize("name", ["sick/9.heic", "third/9.bmp", "sick/1_mask.bmp"])
def test_what_would_stop_the_study_is_noticed(home, name):
    """A file of an unknown format, an image of no class, and a mask: none is a row of the manifest as it was."""
    before = _make()
    (home / name).parent.mkdir(exist_ok=True)
    (home / name).write_bytes(b"\0\1")
    assert _content() != before
    (home / name).unlink()
    assert _content() == before


def test_an_image_that_could_not_be_decoded_is_no_change_until_it_is_touched(home):
    (home / "sick" / "5.bmp").write_bytes(b"no image")
    before = _make(accepted={"unreadable": 1})
    _touch(home)
    assert _content() == before
    (home / "sick" / "5.bmp").write_bytes((home / "sick" / "3.bmp").read_bytes())
    assert _content() != before


def test_a_folder_that_is_gone_leaves_what_was_made_of_it(home):
    before, (kept) = _make(), _kept(DECLARED)
    said = kept.captions(None)
    home.rename(home.with_name("elsewhere"))
    assert _content() == before
    assert kept.captions(None) == said


def test_a_title_changes_captions_and_nothing_else(home):
    before, said = _make(), _kept(DECLARED).captions(None)
    titled = DECLARED | {"title": "Chests", "licence": "yours"}
    assert _content(titled) == before
    assert _kept(titled).captions(None) != said


def _table(home: Path, **columns: list[str]) -> dict:
    paths = sorted(path.relative_to(home).as_posix() for path in home.glob("*/*.bmp"))
    labels = [path.split("/")[0] for path in paths]
    pd.DataFrame({"path": paths, "label": labels} | columns).to_csv(home / "labels.csv", index=False)
    return DECLARED | {"table": "labels.csv"}


def test_a_corrected_label_is_noticed_and_a_caption_or_another_column_is_not(home):
    before = _make(_table(home))
    said = _kept(_table(home)).captions(None)
    assert _content(_table(home, remark=list("abcdefgh"))) == before
    captioned = _table(home, caption=list("abcdefgh"))
    assert _content(captioned) == before
    assert _kept(captioned).captions(None) != said
    assert _content(_table(home, label=["sick", "well"] * 4)) != before
    assert _content(_table(home, group=list("aabbccdd"))) != before


def _pack(home: Path, path: Path, compression: int) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(home.rglob("*.bmp"), reverse=bool(compression)):
            archive.write(file, f"chest/{file.relative_to(home)}")


@pytest.mark.parametrize("own_path", [True, False], ids=["path", "mirror"])
def test_a_zip_that_is_packed_once_more_is_the_same_and_one_with_another_image_is_not(home, own_path):
    (home.parent / "mirror").mkdir()
    path = home.parent / "mirror" / "chest.zip"
    declared, mirror = DECLARED | {"path": str(path) if own_path else None}, None if own_path else "mirror"
    _pack(home, path, zipfile.ZIP_STORED)
    before = _make(declared, mirror)
    _pack(home, path, zipfile.ZIP_DEFLATED)
    assert _content(declared, mirror) == before
    _alter(home)
    _pack(home, path, zipfile.ZIP_DEFLATED)
    assert _content(declared, mirror) not in (before, None)


def test_a_mirror_that_is_named_no_more_leaves_what_came_from_it(home):
    (home.parent / "mirror").mkdir()
    _pack(home, home.parent / "mirror" / "chest.zip", zipfile.ZIP_STORED)
    declared = DECLARED | {"path": None}
    before = _make(declared, "mirror")
    assert before is not None
    assert _content(declared, None) == before
    assert _content(declared, "https://127.0.0.1/mirror") == before
    assert _content(declared, "no such folder") == before


def test_a_file_without_a_change_of_content_is_the_same_in_the_mirrors_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "mirror" / "weights" / "net.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    note = tmp_path / "source.json"

    def content() -> str | None:
        return content_of_files(mirrored_files("net.safetensors", "weights", "mirror"), note)

    first = content()
    write_json(note, {"content": first, "files": {"net.safetensors": sha256(weights)}})
    os.utime(weights)
    assert content() == first
    weights.write_bytes(b"others")
    assert content() not in (first, None)
    weights.unlink()
    assert content() == first


def test_a_folder_of_weights_is_the_same_while_its_files_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mirror" / "weights" / "pipe"
    for name in ("unet/a.json", "vae/b.json"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    note = tmp_path / "source.json"
    files = mirrored_files("pipe", "weights", "mirror")
    first = content_of_files(files, note)
    write_json(note, {"content": first, "files": {name: sha256(file) for name, file in files.items()}})
    for file in files.values():
        os.utime(file)
    assert content_of_files(files, note) == first
    (folder / "vae" / "b.json").write_text("other")
    assert content_of_files(mirrored_files("pipe", "weights", "mirror"), note) != first
