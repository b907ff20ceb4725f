"""The tables of subgroups and of other datasets: one line a method, and why what is not there is not there."""

import numpy as np
import pandas as pd
import pytest

from medpeft.artefacts.markup import GAP, MINUS, RENDERERS
from medpeft.artefacts.sources import Sources
from medpeft.artefacts.tables import external, subgroups
from medpeft.statistics.populations.compare_subgroups import GAP_COLUMNS, SUBGROUP_COLUMNS
from medpeft.statistics.populations.external_validation import DIFFERENCE_COLUMNS, EXTERNAL_COLUMNS

CELLS = [("ham10000", "resnet50", method, 1.0) for method in ("ssf", "full")]


@pytest.fixture
def sources() -> Sources:
    scores = [("f", 120, 90, 3, 0.8, 0.7, 0.9, "ok"), ("m", 90, 60, 3, 0.6, 0.5, 0.7, "ok")]
    scores += [("unknown", 7, 7, 3, np.nan, np.nan, np.nan, "fewer than 20 images")]
    groups = [(*cell, "f1_micro", "sex", *score) for cell in CELLS for score in scores]
    gaps = [(*cell, "f1_micro", "sex", 2, "f", "m", 0.97, 0.2, 0.05, 0.35, 0.04, 0.0001, 0.0002) for cell in CELLS]
    size = ("hospital", "auroc", 200, 150, 12, 3)
    tested = [(*cell, *size, 0.9, 0.8, 0.95, 0.7, 0.6, 0.8, 0.2, 0.1, 0.3, 0.01, 0.02) for cell in CELLS]
    gains = [(*CELLS[0], "hospital", "auroc", 0.05, -0.01, 0.11, 0.09, 0.09, 3)]
    return Sources(
        subgroups=pd.DataFrame(groups, columns=SUBGROUP_COLUMNS),
        gaps=pd.DataFrame(gaps, columns=GAP_COLUMNS),
        external=pd.DataFrame(tested, columns=EXTERNAL_COLUMNS),
        external_differences=pd.DataFrame(gains, columns=DIFFERENCE_COLUMNS),
    )


def test_the_worst_and_the_best_subgroup_of_each_method_stand_beside_their_gap(sources):
    table, layout = subgroups.make(sources)
    assert len(table) == 6
    ((title, lines),) = layout.groups.items()
    assert title == "ham10000, resnet50, 100 %: micro-F1 by sex"
    assert [line[0].text for line in lines] == ["Full fine-tuning", "SSF"]
    assert [(cell.text, cell.below) for cell in lines[0][1:]] == [
        ("m", "0.600 [0.500, 0.700]"),
        ("f", "0.800 [0.700, 0.900]"),
        ("0.200", "[0.050, 0.350]"),
        ("0.040", ""),
        ("< .001", ""),
    ]
    assert layout.notes[-1] == (
        "Test images of ham10000 by sex: f 120 (of 90 clusters); m 90 (of 60 clusters); unknown 7 (of 7 clusters, no "
        "micro-F1: fewer than 20 images)."
    )


def test_both_scores_the_drop_and_the_gain_stand_in_one_line(sources):
    table, layout = external.make(sources)
    ((title, lines),) = layout.groups.items()
    assert title == "ham10000, resnet50, 100 %, tested on hospital: AUROC"
    assert [cell.text for cell in lines[0]] == ["Full fine-tuning", "0.900", "0.700", "+0.200", ".020", GAP, GAP]
    assert [cell.text for cell in lines[1]] == ["SSF", "0.900", "0.700", "+0.200", ".020", "+0.050", ".090"]
    assert lines[1][5].below == f"[{MINUS}0.010, +0.110]"
    assert layout.notes[1].startswith("hospital: 200 images of 150 clusters. Left out")
    assert layout.notes[1].endswith(": 12.")
    assert {"gain", "drop", "n_left_out"} <= set(table)


@pytest.mark.parametrize("make", [subgroups.make, external.make])
def test_nothing_to_show_is_an_empty_table(sources, make):
    names = ("subgroups", "gaps", "external", "external_differences")
    empty = Sources(**{name: getattr(sources, name)[:0] for name in names})
    for source in (sources, empty):
        _, layout = make(source)
        for render in RENDERERS.values():
            assert render(layout)
