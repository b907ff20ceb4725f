"""A dataset of the user's own: described by a few lines, read wherever it lies, and mistakes in it named."""

import io
import re
import shutil
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from declared import EXPERIMENT, declared, index, lost
from PIL import Image

from medpeft.base.errors import UserError
from medpeft.base.files import read_table
from medpeft.data import registry
from medpeft.data.archives import Source
from medpeft.data.duplicates import find
from medpeft.data.fetching.download import fetch
from medpeft.data.prepare import prepare
from medpeft.data.split import split
from medpeft.pipeline.study import Study

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "top/sick/12_0.png": b"",
    "top/sick/12_1.JPG": b"",
    "top/deep/well/7_0.dcm": b"",
    "top/well/odd.tif": b"",
    "top/readme.txt": b"",
    "top/other/9_9.png": b"",
    "__MACOSX/sick/._12_0.png": b"",
}


def test_the_folders_of_the_classes_are_found_at_any_depth(pack):
    source = pack("chest.zip", FOLDERS)
    table = index(source)
    assert table["image_id"].tolist() == ["deep/well/7_0.dcm", "sick/12_0.png", "sick/12_1.JPG", "well/odd.tif"]
    assert table["label"].tolist() == ["well", "sick", "sick", "well"]
    assert table["group_id"].equals(table["image_id"])
    assert table["source_file"][1] == "chest.zip/top/sick/12_0.png"
    assert table["caption"][0] == "chest, well."
    assert lost(source) == {"outside": 1, "others": 1}


def test_the_pattern_finds_the_patient_in_the_name_of_the_file(pack):
    source = pack("chest.zip", FOLDERS)
    table = index(source, group=r"^(\d+)_", title="Chest X-ray")
    assert table["group_id"].tolist() == ["7", "12", "12", "well/odd.tif"]
    assert table["caption"][1] == "Chest X-ray, sick."
    assert source.losses.names("ungrouped") == ["well/odd.tif"]


CSV = """path,label,group,caption,split,source
images/a.png,sick,p1,Opacity.,train,east
images/b.png,well,,Clear lungs.,test,west
images\\c.png,well,p1,"Clear, too.",validation,east
"""
LISTED = {f"x/images/{name}.png": b"" for name in "abcd"}


def test_a_table_gives_labels_patients_captions_splits_and_sources(pack):
    table = index(pack("chest.zip", LISTED | {"x/labels.csv": CSV.encode()}), table="labels.csv")
    assert table.to_dict("list") == {
        "image_id": ["a.png", "b.png", "c.png"],
        "group_id": ["p1", "b.png", "p1"],
        "label": ["sick", "well", "well"],
        "caption": ["Opacity.", "Clear lungs.", "Clear, too."],
        "source_file": [f"chest.zip/x/images/{name}.png" for name in "abc"],
        "split": ["train", "test", "validation"],
        "source": ["east", "west", "east"],
    }


@pytest.mark.parametrize("first", ["\ufeffpath,label", "label,path"])
def test_a_table_needs_but_paths_and_labels(pack, first):
    rows = (
        ["images/a.png,sick", "images/b.png,well"]
        if first.endswith("label")
        else ["sick,images/a.png", "well,images/b.png"]
    )
    content = "\n".join([first, *rows]).encode()
    source = pack("chest.zip", LISTED | {"x/labels.csv": content})
    table = index(source, table="labels.csv")
    assert table["image_id"].tolist() == table["group_id"].tolist() == ["a.png", "b.png"]
    assert table["caption"].tolist() == ["chest, sick.", "chest, well."]
    assert lost(source) == {"unlisted": 2}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_may_come_from_any_spreadsheet(pack, separator, line_end):
    rows = [["path", "label", "caption"], ["images\\a.png", "sick", "Opacity: left"], ["images/b.png", "well", ""]]
    content = "\ufeff" + "".join(separator.join(row) + line_end for row in rows)
    table = index(pack("chest.zip", LISTED | {"x/labels.csv": content.encode()}), table="labels.csv")
    assert table["image_id"].tolist() == ["a.png", "b.png"]
    assert table["label"].tolist() == ["sick", "well"]
    assert table["caption"].tolist() == ["Opacity: left", ""]


@pytest.mark.parametrize(("encoding", "assumed"), [("cp1252", 1), ("utf-16", 0), ("utf-16-le", 0)])
def test_a_table_in_another_encoding_is_read_and_a_guess_is_counted(pack, encoding, assumed):
    content = "path,label,caption\nimages/a.png,sick,Détail\nimages/b.png,well,x\n".encode(encoding)
    source = pack("chest.zip", LISTED | {"x/labels.csv": content})
    assert index(source, table="labels.csv")["caption"].tolist() == ["Détail", "x"]
    assert lost(source).get("recoded", 0) == assumed


def test_accents_are_the_same_however_they_are_written(pack):
    """In names from macOS a letter and its accent are two characters, in a study or a table mostly one."""
    names = [unicodedata.normalize("NFD", f"{label}/é 1 + ü.PNG") for label in ("Schädel", "gesund")]
    source = pack("chest.zip", dict.fromkeys(names, b""))
    table = index(source, classes=["Schädel", "gesund"])
    assert table["image_id"].tolist() == ["Schädel/é 1 + ü.PNG", "gesund/é 1 + ü.PNG"]
    assert table["label"].tolist() == ["Schädel", "gesund"]
    assert table["source_file"].tolist() == [f"chest.zip/{name}" for name in names]


def test_accents_in_a_table_find_their_files(pack):
    name = unicodedata.normalize("NFD", "x/é.png")
    content = "path,label\né.png,sick\nb.png,well\n".encode()
    source = pack("chest.zip", {name: b"", "x/b.png": b"", "x/labels.csv": content})
    assert index(source, table="labels.csv")["source_file"].tolist() == ["chest.zip/x/b.png", f"chest.zip/{name}"]


def test_what_systems_leave_in_folders_is_no_image(pack):
    left = [
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
        "._1.png",
        ".ipynb_checkpoints/1-checkpoint.png",
        "@eaDir/1.png/T.jpg",
    ]
    members = {f"{label}/{name}": b"" for label in ("sick", "well") for name in ["1.png", *left]}
    source = pack("chest.zip", members)
    assert index(source)["image_id"].tolist() == ["sick/1.png", "well/1.png"]
    assert lost(source) == {"others": 4}


def test_dicom_files_need_no_suffix(pack):
    dicom = bytes(128) + b"DICM"
    members = {"sick/IM0001": dicom, "sick/README": b"About these.", "well/1.2.840.113619": dicom, "well/2.Png": b""}
    assert index(pack("chest.zip", members))["image_id"].tolist() == [
        "sick/IM0001",
        "well/1.2.840.113619",
        "well/2.Png",
    ]


def test_an_empty_folder_of_a_class_is_named(tmp_path):
    (tmp_path / "chest.zip" / "well").mkdir(parents=True)
    (tmp_path / "chest.zip" / "sick").mkdir()
    (tmp_path / "chest.zip" / "sick" / "1.png").write_bytes(b"")
    with pytest.raises(UserError, match="has no image in a folder named 'well'"):
        index(Source(tmp_path / "chest.zip"))


@pytest.mark.parametrize(
    ("row", "reason", "name"),
    [
        ("images/z.png,sick", "missing", "images/z.png"),
        ("../../etc/passwd,sick", "missing", "../../etc/passwd"),
        ("/x/images/a.png,sick", "missing", "/x/images/a.png"),
        ("images/c.png,sik", "unlabelled", "images/c.png (sik)"),
        ("images/c.png,", "unlabelled", "images/c.png ()"),
    ],
)
def test_rows_that_cannot_be_used_are_counted(pack, row, reason, name):
    content = f"path,label\nimages/a.png,sick\n{row}\nimages/b.png,well\n".encode()
    source = pack("chest.zip", LISTED | {"x/labels.csv": content})
    assert index(source, table="labels.csv")["image_id"].tolist() == ["a.png", "b.png"]
    assert source.losses.names(reason) == [name]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("images/a.png,sick\nimages/./a.png,well", "lists 'images/./a.png' twice"),
        ("", "lists no image"),
        ("images/a.png,Sick\nimages/b.png,well", "has 'Sick' where the study says 'sick'"),
        (
            "images/a.png,sick\nimages/b.png,we ll",
            "has no image in a row with the label 'well'.*'images/b.png .we ll.'",
        ),
        ("images/a.png,sick\nimages/b.png,sick", "has no image in a row with the label 'well'"),
    ],
)
def test_mistakes_in_a_table_are_named(pack, rows, sentence):
    source = pack("chest.zip", LISTED | {"x/labels.csv": f"path,label\n{rows}\n".encode()})
    with pytest.raises(UserError, match=rf"chest\.zip.*{sentence}"):
        index(source, table="labels.csv")


def test_a_class_without_a_folder_is_named(pack):
    with pytest.raises(UserError, match="has no image in a folder named 'ill': correct `classes`"):
        index(pack("chest.zip", FOLDERS), classes=["sick", "ill"])


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"chest": {}}, r"at datasets\.chest: 'classes' is a required"),
        ({"chest": {"classes": ["a"]}}, r"at datasets\.chest\.classes"),
        ({"chest": {"classes": ["a", "b"], "labels": "x.csv"}}, r"at datasets\.chest: .*'labels' was unexpected"),
        (
            {"chest": {"classes": ["a", "b"], "group": "(\\d+"}},
            r"datasets\.chest\.group: it is no regular expression",
        ),
        ({"chest": {"classes": ["a", "b"], "group": "\\d+_"}}, r"at datasets\.chest\.group: it has no parentheses"),
        ({"busi": {"classes": ["a", "b"]}}, r"at datasets\.busi: there is a dataset of this name already"),
        ({"chests": {"classes": ["a", "b"]}}, "'chest' at experiments.any.datasets.*did you mean 'chests'"),
    ],
)
def test_mistakes_in_the_declaration_are_named(own, sentence):
    with pytest.raises(UserError, match=sentence):
        Study({"study": "s", "datasets": own, "experiments": {"any": EXPERIMENT}})


def png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("place", ["path", "mirror"])
def test_images_come_from_the_path_or_from_the_mirror(tmp_path, kind, place):
    content = {f"{label}/{number}.png": png(50 * number) for label in ("sick", "well") for number in (1, 2)}
    home = tmp_path / "home"
    home.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(home / "chest.zip", "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    else:
        for name, data in content.items():
            (home / "chest" / name).parent.mkdir(parents=True, exist_ok=True)
            (home / "chest" / name).write_bytes(data)
    path = str(home / ("chest.zip" if kind == "zip" else "chest"))
    dataset = registry.load("chest", declared(path=path if place == "path" else None))
    raw = tmp_path / "raw" / "chest.zip"
    fetch(dataset.archives[0], "chest", raw, mirror=str(home) if place == "mirror" else None)
    prepare("chest", dataset, [raw], 8, tmp_path / "images.npy", tmp_path / "manifest.csv")
    assert np.load(tmp_path / "images.npy")[:, 0, 0, 0].tolist() == [50, 100, 50, 100]
    assert read_table(tmp_path / "manifest.csv")["label"].tolist() == ["sick", "sick", "well", "well"]
    if kind == "folder":
        assert raw.stat().st_size < 1000  # nothing was copied


def test_a_folder_that_is_gone_is_named(tmp_path):
    raw = tmp_path / "raw.zip"
    (tmp_path / "chest").mkdir()
    fetch(registry.load("chest", declared(path=str(tmp_path / "chest"))).archives[0], "chest", raw)
    (tmp_path / "chest").rmdir()
    with pytest.raises(UserError, match=r"stands for the folder .*chest, which is gone: delete the file and run again"):
        Source(raw)


def test_a_file_address_as_mirror_is_named(tmp_path):
    archive = registry.load("chest", declared()).archives[0]
    with pytest.raises(UserError, match=r"'file:///.*', which is no folder here and no http\(s\) address"):
        fetch(archive, "chest", tmp_path / "raw.zip", mirror=tmp_path.as_uri())


def test_a_path_that_does_not_exist_is_named(tmp_path):
    dataset = registry.load("chest", declared(path=str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="nowhere: there is no such file"):
        fetch(dataset.archives[0], "chest", tmp_path / "raw.zip")


PAGE = (ROOT / "docs" / "how-to" / "dataset.md").read_text()
EXAMPLE = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])["datasets"]


@pytest.mark.slow
def test_the_example_of_the_documentation_reads_the_real_radiographs(real_data, tmp_path):
    """500 normal and 500 with pneumonia, in a folder each; the number before the underscore is the patient."""
    if not (real_data / "nih_cxr_pneumonia.zip").is_file():
        pytest.skip(f"the real archive is not in {real_data}")
    (name, lines), *_ = EXAMPLE.items()
    study = Study({"study": "s", "datasets": {name: lines}, "experiments": {"any": EXPERIMENT | {"datasets": [name]}}})
    dataset = registry.load(name, study.settings["datasets"][name])
    raw = tmp_path / f"{name}.zip"
    fetch(dataset.archives[0], name, raw, mirror=str(real_data))
    prepare(name, dataset, [raw], 64, tmp_path / "images.npy", tmp_path / "manifest.csv")
    manifest = read_table(tmp_path / "manifest.csv")
    assert manifest["label"].value_counts().to_dict() == {"normal": 500, "pneumonia": 500}
    pairs = find(np.load(tmp_path / "images.npy", mmap_mode="r"), manifest)
    table = split(manifest, pairs).merge(manifest, on="image_id")
    patient = table["image_id"].str.extract(r"/(\d+)_\d+\.")[0]
    assert patient.equals(table["group_id"])
    assert 500 < patient.nunique() < 1000
    assert (table.groupby(patient)["split"].nunique() == 1).all()
    shares = pd.crosstab(table["label"], table["split"], normalize="index")
    np.testing.assert_allclose(shares[["train", "validation", "test"]], [[0.7, 0.1, 0.2]] * 2, atol=0.01)


STUDY = """
study: toy
image_size: 32
datasets:
  chest: {classes: [sick, well], path: home, group: '^(p[0-9]+)'}
experiments:
  table2: {datasets: [chest], backbones: [efficientnet_lite0], methods: [full], fractions: [1], seeds: [0]}
"""
CARD = "results/toy/cards/chest.md"


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with a folder of 60 images of 30 patients, and the rules that prepare data."""
    for name in ("rules", "scripts", "schemas", "envs", "report"):
        (tmp_path / name).symlink_to(ROOT / name)
    lines = ["from pathlib import Path", "PROJECT = Path()", 'include: "rules/common.smk"', 'include: "rules/data.smk"']
    (tmp_path / "Snakefile").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    noise = np.random.default_rng(0)
    for number in range(60):
        path = tmp_path / "home" / ("sick" if number % 4 < 2 else "well") / f"p{number // 2}_{number % 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (40, 40), np.uint8)).save(path)
    return tmp_path


def snakemake(folder: Path, *arguments: str, card: str = CARD) -> str:
    study = [] if "--configfile" in arguments else ["--configfile", "study.yaml"]
    command = [sys.executable, "-m", "snakemake", "--cores", "1", card, *study, *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def _planned(folder: Path) -> set[str]:
    """Return the rules that Snakemake would run."""
    return set(re.findall(r"^(?:local)?rule (\w+):", snakemake(folder, "--dry-run"), re.MULTILINE))


@pytest.mark.slow
def test_a_folder_becomes_a_split_and_a_card_and_new_images_are_noticed(project):
    snakemake(project)
    assert "| groups | 30 | " in (project / CARD).read_text(encoding="utf-8")
    assert _planned(project) == set()
    for path in (project / "home").rglob("*.png"):
        path.touch()
    assert _planned(project) == set()
    (project / "home" / "sick" / "p99_0.png").write_bytes(png(7))
    assert _planned(project) >= {"download", "prepare", "split", "card"}
    snakemake(project)
    assert "| groups | 31 | " in (project / CARD).read_text(encoding="utf-8")
    assert _planned(project) == set()


@pytest.mark.slow
def test_wording_makes_the_card_again_and_nothing_else_and_a_task_makes_all_again(project):
    snakemake(project)
    worded = STUDY.replace("path: home", "path: home, title: Chests, licence: of the hospital")
    (project / "study.yaml").write_text(worded, encoding="utf-8")
    assert _planned(project) == {"card"}
    snakemake(project)
    assert "Chests" in (project / CARD).read_text(encoding="utf-8")
    ordered = worded.replace("[sick, well]", "[well, sick], task: ordinal")
    (project / "study.yaml").write_text(ordered, encoding="utf-8")
    assert _planned(project) >= {"prepare", "split", "card"}
    snakemake(project)
    assert "from the lowest to the highest: well, sick." in (project / CARD).read_text(encoding="utf-8")


@pytest.mark.slow
def test_two_studies_that_mean_other_data_by_one_name_do_not_overwrite_each_other(project):
    snakemake(project)
    before = {path: path.read_bytes() for path in (project / "data").rglob("*.*") if path.is_file()}
    for number, change in enumerate(["group: '^p([0-9])'", "table: labels.csv", "path: elsewhere"]):
        other = STUDY.replace("study: toy", f"study: toy{number}").replace("group: '^(p[0-9]+)'", change)
        other = other.replace("path: home, path: elsewhere", "path: elsewhere")
        (project / f"other{number}.yaml").write_text(other, encoding="utf-8")
    shutil.copytree(project / "home", project / "elsewhere")
    paths = [path.relative_to(project / "home").as_posix() for path in sorted((project / "home").rglob("*.png"))]
    rows = [f"{path},{'sick' if number % 2 else 'well'}" for number, path in enumerate(paths)]
    (project / "home" / "labels.csv").write_text("\n".join(["path,label", *rows]), encoding="utf-8")
    for number in range(3):
        snakemake(project, "--configfile", f"other{number}.yaml", card=CARD.replace("toy", f"toy{number}"))
    assert {path: path.read_bytes() for path in before} == before
    assert _planned(project) == set()


@pytest.mark.slow
def test_a_split_is_handed_on_with_its_checksum(project):
    snakemake(project)
    made = project / "data/splits/chest/toy/split.csv"
    taken = read_table(made)
    for suffix in ("", ".sha256"):
        (project / f"split.csv{suffix}").write_bytes(Path(f"{made}{suffix}").read_bytes())
    asked = STUDY + "split: {files: {chest: split.csv}, seed: 7}\n"
    (project / "study.yaml").write_text(asked, encoding="utf-8")
    snakemake(project)
    assert read_table(made).equals(taken)
    assert "Split `given`" in (project / CARD).read_text(encoding="utf-8")
    (project / "split.csv").write_text((project / "split.csv").read_text().replace("test", "train", 1))
    with pytest.raises(AssertionError, match=r"split\.csv is not the file whose SHA-256"):
        snakemake(project)


def refused(folder: Path, study: str, *arguments: str) -> str:
    """Return what is printed of a study that is refused, without the traceback that no user should see."""
    (folder / "study.yaml").write_text(study, encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        snakemake(folder, *arguments)
    told = str(caught.value)
    assert "Traceback" not in told
    return told


@pytest.mark.slow
def test_losses_stop_the_study_or_reach_terminal_audit_and_card(project):
    (project / "home" / "sick" / "p98_0.png").symlink_to("nowhere.png")
    (project / "home" / "sick" / "odd.png").write_bytes(png(9))
    (project / "home" / "notes.txt").write_text("none of these")
    told = refused(project, STUDY)
    assert "unreadable files: 1, such as 'sick/p98_0.png (a link without a target)'" in told
    assert "each its own: 1, such as 'sick/odd.png'" in told
    asked = re.search(r"write `(accept: .*?)` in the study", told)[1]
    assert asked == "accept: {chest: {unreadable: 1, ungrouped: 1}}"
    (project / "study.yaml").write_text(f"{STUDY}{asked}\n", encoding="utf-8")
    words = "unreadable files: 1; images whose group is not known, each its own: 1; files that are no images: 1"
    assert f"medpeft: chest: {words}\n" in snakemake(project)
    assert f"Not used, or in doubt: {words}." in (project / CARD).read_text(encoding="utf-8")
    audit = read_table(project / "results/toy/audit/chest.csv")
    lost = audit[audit["measure"] == "left_out"]
    assert dict(zip(lost["scope"], lost["value"], strict=True)) == {"unreadable": 1, "ungrouped": 1, "others": 1}


@pytest.mark.slow
def test_a_split_with_strangers_stops_or_is_said_on_the_card(project):
    snakemake(project)
    split = (project / "data/splits/chest/toy/split.csv").read_text().splitlines()
    (project / "split.csv").write_text("\n".join([*split[:-1], "sick/p77_0.png,test,99"]))
    given = STUDY + "split: {files: {chest: split.csv}}\n"
    assert "dataset lacks: 1, such as 'sick/p77_0.png'" in refused(project, given)
    (project / "study.yaml").write_text(given + "accept: {chest: {strangers: 1}}\n", encoding="utf-8")
    told = snakemake(project)
    assert "medpeft: chest: images that the given split names and the dataset lacks: 1\n" in told
    assert "medpeft: chest: 1 of 60 images take no part in the split\n" in told
    assert "names and the dataset lacks: 1." in (project / CARD).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (STUDY + "image_size: 48\n", r"study.yaml gives the key 'image_size' twice, in lines 3 and 8"),
        (STUDY + "split: {files: {chest: gone.csv}}\n", "names 'gone.csv' at split.files.chest, which is no file here"),
        (STUDY.replace("path: home", "path: home, exclude: [masks]"), "no file that matches 'masks' under `exclude`"),
        (STUDY.replace("'^(p[0-9]+)'", "'^(q[0-9]+)'"), "matches no name and no path of 60 images"),
    ],
)
def test_a_study_that_cannot_be_is_refused_in_a_sentence(project, study, sentence):
    assert sentence in refused(project, study)


@pytest.mark.exhaustive
def test_what_cropping_cuts_off_is_said_at_once_and_padding_cuts_nothing(project):
    rng = np.random.default_rng(0)
    for path in (project / "home").rglob("*.png"):
        tall = rng.integers(0, 200, (80, 40), np.uint8)
        tall[:8] = 250
        Image.fromarray(tall).save(path)
    (project / "home" / "sick" / "p0_0.png").write_bytes(b"no image")
    accepting = STUDY + "accept: {chest: {unreadable: 1}}\n"
    (project / "study.yaml").write_text(accepting, encoding="utf-8")
    told = snakemake(project)
    assert "59 images are not square and cropped to the centre square, which cuts off 50.0 % of the area" in told
    assert "cuts off 50.0 % of the area" in (project / CARD).read_text(encoding="utf-8")
    (project / "study.yaml").write_text(accepting + "image_fit: pad\n", encoding="utf-8")
    assert "cuts off" not in snakemake(project)
    assert "with black borders" in (project / CARD).read_text(encoding="utf-8")
    (images,) = (project / "data/prepared/chest").rglob("32px_pad/images.npy")
    assert (np.load(images)[:, 0].max(axis=(1, 2)) > 240).all()
    assert len(list((project / "data/prepared/chest").rglob("37px/images.npy"))) == 1
