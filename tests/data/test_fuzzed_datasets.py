"""Hundreds of damaged tables and archives: each gives a dataset or a sentence, in little memory."""

import io
import zipfile

import numpy as np
import pytest
from damage import damaged, survives
from pictures import encoded
from test_formats import RGB

pytestmark = pytest.mark.exhaustive
TABLES, ARCHIVES = 1000, 1000
IMAGES = [f"{label}/p{number}_{label}.png" for label in ("sick", "well") for number in range(4)]
ROWS = [["path", "label", "group", "split", "caption"]]
ROWS += [[name, name[:4], f"p{name[6]}", "train", f"Müller; {name}, 1"] for name in IMAGES]
IMPORTS = """
import shutil
from declared import declared
from medpeft.data import registry
from medpeft.data.prepare import prepare
KEYS = {keys}
def read(path):
    folder = Path("out")
    folder.mkdir()
    archive = folder / "chest.zip"
    shutil.copy(path, archive)
    try:
        dataset = registry.load("chest", declared(**KEYS))
        prepare("chest", dataset, [archive], 16, folder / "images.npy", folder / "manifest.csv")
    finally:
        shutil.rmtree(folder)
"""


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def table(separator: str, encoding: str) -> bytes:
    lines = (separator.join(f'"{cell}"' if set(cell) & set(",;") else cell for cell in row) for row in ROWS)
    return ("\n".join(lines) + "\n").encode(encoding)


def test_damaged_tables_give_a_dataset_or_a_sentence(tmp_path):
    pictures = dict.fromkeys(IMAGES, encoded(RGB, "PNG"))
    tables = [table(separator, encoding) for separator in ",;\t" for encoding in ("utf-8-sig", "cp1252", "utf-16")]

    def make(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        chosen = damaged(tables[seed % len(tables)], tables[int(rng.integers(len(tables)))], rng)
        return zipped(pictures | {"labels.csv": chosen}, zipfile.ZIP_STORED)

    keys = {"table": "labels.csv", "columns": {"group": "group"}}
    survives(tmp_path, TABLES, make, IMPORTS.format(keys=keys), "read(path)")


HOSTILE = ["../up.png", "/top.png", "sick/../../well/x.png", "C:\\x\\sick\\a.png", f"sick/{300 * 'n'}.png", "sick/"]
HOSTILE += ["sick/a\n.png", "sick//b.png", "sick/\udcff.png".encode("utf-8", "surrogateescape").decode("cp437")]


def test_damaged_archives_give_a_dataset_or_a_sentence(tmp_path):
    pictures = dict.fromkeys(IMAGES, encoded(RGB, "PNG")) | {"notes.txt": b"x"}
    hostile = [zipped(pictures | {name: encoded(RGB, "PNG")}) for name in HOSTILE]
    files = [zipped(pictures), zipped(pictures, zipfile.ZIP_STORED), zipped(pictures, zipfile.ZIP_LZMA), *hostile]
    files.append(zipped(pictures | {"sick/inner.zip": files[0]}))

    def make(seed: int) -> bytes:
        if seed < len(files):
            return files[seed]
        rng = np.random.default_rng(seed)
        return damaged(files[seed % len(files)], files[int(rng.integers(len(files)))], rng)

    survives(tmp_path, ARCHIVES, make, IMPORTS.format(keys={}), "read(path)")
