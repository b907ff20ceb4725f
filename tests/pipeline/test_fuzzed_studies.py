"""Hundreds of damaged studies: each gives a plan or a sentence."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from damage import damaged

from medpeft.base.errors import UserError
from medpeft.pipeline.study import Study
from medpeft.pipeline.study_file import refuse_repeated_keys

pytestmark = pytest.mark.exhaustive
COUNT = 1000
ODD: list[Any] = [None, True, 0, -1, 1.5, float("nan"), float("inf"), 2**70, "", "x", "1e-4", "..", "a/b", "{x}", "a\n"]
ODD += [300 * "n", "皮", [], {}, [[]], [None], {"": None}, {1: 2}, ["full", "full"], "2020-01-01"]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the mappings and lists at or below `value`, each with a key or number."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _altered(study: dict, rng: np.random.Generator) -> dict:
    """Return `study` after one to three changes of a value, of a name, or of what is there at all."""
    study = copy.deepcopy(study)
    for _ in range(rng.integers(1, 4)):
        places = list(_places(study))
        holder, key = places[int(rng.integers(len(places)))]
        kind, odd = rng.integers(3), ODD[int(rng.integers(len(ODD)))]
        if kind == 0:
            holder[key] = copy.deepcopy(odd)
        elif kind == 1:
            del holder[key]
        elif isinstance(holder, dict):
            holder[odd if isinstance(odd, str | int | float | None) else str(odd)] = holder.pop(key)
        if not study:
            break
    return study


def _plan(study: Any) -> None:
    """Plan a study, or see it refused in one sentence."""
    try:
        planned = Study(study)
        assert planned.runs(), planned.searches()
    except UserError as error:
        assert "\n" not in str(error)


def _studies(root: Path) -> list[Path]:
    return [root / "config.yaml", *sorted((root / "studies").glob("*.yaml"))]


def test_altered_studies_give_a_plan_or_a_sentence(root):
    studies = [yaml.safe_load(path.read_text()) for path in _studies(root)]
    for seed in range(COUNT):
        _plan(_altered(studies[seed % len(studies)], np.random.default_rng(seed)))


def test_damaged_files_of_studies_give_a_plan_or_a_sentence(root, tmp_path):
    """Snakemake reads the file first: what is no YAML, or no mapping, ends in a sentence of its own."""
    texts, planned = [path.read_bytes() for path in _studies(root)], 0
    for seed in range(COUNT):
        rng, path = np.random.default_rng(seed), tmp_path / "study.yaml"
        path.write_bytes(damaged(texts[seed % len(texts)], texts[int(rng.integers(len(texts)))], rng))
        try:
            study = yaml.safe_load(path.read_text())
        except (yaml.YAMLError, UnicodeDecodeError, ValueError):
            continue
        if isinstance(study, dict):
            planned += 1
            try:
                refuse_repeated_keys([path])
            except UserError:
                continue
            _plan(study)
    assert planned > COUNT / 10
