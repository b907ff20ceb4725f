"""The grid of samples: which images it shows, and where."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medpeft.artefacts.panels import save
from medpeft.artefacts.samples import PROMPTS, REAL, Generated, Samples, Stored, chosen_prompts, grouped, samples
from medpeft.base.runs import Run

SIZE = 8
LONG = (
    "The lungs are clear, the heart is of normal size, and " + 20 * "no effusion or pneumothorax is seen, " + "today."
)


@pytest.fixture
def group(tmp_path) -> Samples:
    """Twelve images of 10 pixels of three classes; untuned gives grey 10, LoRA grey 30, and SV-Diff failed."""
    names = [f"i{number:02d}" for number in range(12)]
    manifest = pd.DataFrame({"image_id": names, "label": list("abc") * 4, "source_file": [f"x/{n}.png" for n in names]})
    images = np.arange(12, dtype=np.uint8)[:, None, None, None] + np.zeros((12, 10, 10, 3), np.uint8)
    prompts = pd.DataFrame({"image_id": names[4:], "caption": [LONG, *(f"caption {name}" for name in names[5:])]})
    nothing = pd.DataFrame(columns=["file", "image_id", "caption", "seed"])
    generated = {"svdiff": Generated(nothing, tmp_path / "svdiff")}
    for method, grey in (("lora", 30), ("untuned", 10)):
        table = pd.concat([prompts, prompts], ignore_index=True)
        table["file"] = [f"{place // 8}/{place % 8:05d}.png" for place in range(16)]
        table["seed"] = range(16)
        for file in table["file"]:
            path = tmp_path / method / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (SIZE, SIZE), 3 * (grey,)).save(path)
        generated[method] = Generated(table, tmp_path / method)
    return Samples("busi", "tiny", 1.0, 0, Stored(images, manifest), generated)


def test_a_row_is_one_prompt_and_one_noise(group):
    table, _ = samples([group], SIZE)
    assert len(table) == PROMPTS * 4
    assert table.groupby("image_id")[["caption", "seed", "label"]].nunique().max().max() == 1
    assert sorted(table.drop_duplicates("image_id")["label"]) == list("aabbcc")
    files = table.set_index(["method", "image_id"])["file"]
    assert files[REAL, "i04"] == "x/i04.png"
    assert files["lora", "i04"].endswith("lora/0/00000.png")
    assert files["svdiff"].isna().all()


def test_the_distance_to_the_untuned_pipeline_is_given(group):
    distances = samples([group], SIZE)[0].groupby("method")["from_untuned"].agg(set)
    assert distances["lora"] == {20.0}
    assert distances["untuned"] == {0.0}
    del group.generated["untuned"]
    assert samples([group], SIZE)[0]["from_untuned"].isna().all()


def test_real_images_come_first_then_the_untuned_pipeline(group):
    _, figure = samples([group], SIZE)
    by_column = {}
    for axes in figure.axes:
        by_column.setdefault(round(axes.get_position().x0, 3), []).append(axes)
    greys = [
        [int(image.get_array().flat[0]) for axes in column for image in axes.images]
        for _, column in sorted(by_column.items())
    ]
    assert greys == [[6, 4, 5, 9, 7, 8], [10] * 6, [30] * 6, []]  # of the classes a, b, c, a, b, c
    assert all(axes.get_images() or axes.texts[0].get_text() == "no image" for axes in figure.axes)


def test_captions_are_whole_and_on_the_page(group):
    _, figure = samples([group, group], SIZE)
    figure.draw_without_rendering()
    words = " ".join(text.get_text() for text in figure.texts)
    assert LONG in words
    boxes = [text.get_window_extent() for text in figure.texts] + [axes.get_window_extent() for axes in figure.axes]
    assert all(-1 <= box.x0 < box.x1 <= figure.bbox.width for box in boxes)
    assert all(-1 <= box.y0 < box.y1 <= figure.bbox.height + 1 for box in boxes)


def test_all_runs_may_have_failed(group):
    empty = replace(group, generated={method: group.generated["svdiff"] for method in group.generated})
    table, figure = samples([empty], SIZE)
    assert table.empty
    assert not figure.axes


def test_equal_samples_are_equal_bytes(group, tmp_path):
    for turn in ("first", "second"):
        save(samples([group], SIZE)[1], tmp_path / f"{turn}.pdf", tmp_path / f"{turn}.png")
    for form in ("pdf", "png"):
        assert (tmp_path / f"first.{form}").read_bytes() == (tmp_path / f"second.{form}").read_bytes()


def test_runs_that_differ_in_their_method_alone_are_one_group(group):
    names = [("busi", "tiny", method, fraction, "3") for fraction in ("0.1", "1") for method in group.generated]
    runs = [(Run(*name), group.generated[name[2]]) for name in names]
    groups = grouped(runs, {"busi": group.stored})
    assert groups == [replace(group, fraction=fraction, seed=3) for fraction in (0.1, 1.0)]


def test_few_classes_have_several_prompts_and_many_no_more_than_fit():
    few = pd.DataFrame({"label": list("aaaabbbb"), "caption": ["x", "x", "y", "z", "u", "v", "w", "w"]})
    chosen = chosen_prompts(few)
    found = list(zip(chosen["label"], chosen["caption"], strict=True))
    assert found == [("a", "x"), ("b", "u"), ("a", "y"), ("b", "v"), ("a", "z"), ("b", "w")]
    many = pd.DataFrame({"label": list("abcdefghij"), "caption": list("abcdefghij")})
    assert len(chosen_prompts(many)) == PROMPTS
