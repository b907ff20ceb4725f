"""The table of runs: a row for every experiment and run, the contract's columns, gaps for what is not there."""

import pandas as pd
import pytest

from medpeft.base.errors import UserError
from medpeft.base.files import write_json
from medpeft.statistics.collect import RUN_COLUMNS, collect_runs, distinct, read_runs

RUN = "busi/resnet50/ssf/0.1/2"


def record(status="ok"):
    return {
        "asked": {"learning_rate": 1e-3},
        "method": {"family": "additive", "title": "SSF"},
        "cost": {"trainable_parameters": 60, "head_parameters": 6, "total_parameters": 100},
        "device": "cpu",
        "status": status,
    }


def test_a_run_of_two_experiments_has_two_rows():
    table = collect_runs(
        {"table2": [RUN], "figure1": [RUN]},
        {RUN: {"accuracy": 0.5, "status": "ok", "n_train": 58}},
        {RUN: record()},
        {},
    )
    assert list(table.columns) == RUN_COLUMNS
    assert list(table["experiment"]) == ["table2", "figure1"]
    row = table.iloc[0]
    assert (row.dataset, row.backbone, row.method, row.fraction, row.seed) == ("busi", "resnet50", "ssf", 0.1, 2)
    assert (row.family, row.accuracy, row.trainable_parameters, row.n_train) == ("additive", 0.5, 60, 58)
    assert pd.isna(row.fid)


def test_a_failed_run_keeps_its_reason_and_has_gaps():
    metrics = {"accuracy": None, "status": "failed: nan", "n_train": 58}
    row = collect_runs({"table2": [RUN]}, {RUN: metrics}, {RUN: record("failed: nan")}, {}).iloc[0]
    assert row.status == "failed: nan"
    assert pd.isna(row.accuracy)
    assert pd.isna(row.train_seconds)


def test_a_missing_run_is_named():
    with pytest.raises(UserError, match=RUN):
        collect_runs({"table2": [RUN]}, {}, {}, {})


def test_a_run_of_a_diffusion_pipeline_says_its_task():
    metrics = {"fid": 20.5, "feature_extractor": "efficientnet_lite0", "floor_fid": 9.0, "status": "ok", "n_train": 58}
    table = collect_runs(
        {"table4": [RUN]}, {RUN: metrics}, {RUN: record() | {"task": "text-to-image"}}, {RUN: {"memorised": 0.25}}
    )
    assert list(table.columns) == RUN_COLUMNS
    row = table.iloc[0]
    assert (row.task, row.fid, row.feature_extractor) == ("text-to-image", 20.5, "efficientnet_lite0")
    assert row.memorised == 0.25
    assert pd.isna(row.accuracy)
    assert distinct(table).empty


def test_files_are_read_by_the_path_of_their_run(tmp_path):
    write_json(tmp_path / "results/mine/runs" / RUN / "metrics.json", {"accuracy": 0.5})
    assert read_runs([tmp_path / "results/mine/runs" / RUN / "metrics.json"]) == {RUN: {"accuracy": 0.5}}


def test_the_columns_are_those_of_the_contract():
    """Other files read them by name and position: a new metric adds its own, and moves or removes none."""
    known = (
        "experiment,task,dataset,backbone,method,family,fraction,n_train,n_test,seed,learning_rate,accuracy,f1_micro,"
        "f1_macro,f1_weighted,balanced_accuracy,auroc,average_precision,ece,brier,fid,kid,precision,recall,memorised,"
        "feature_extractor,features,floor_fid,floor_kid,floor_images,trainable_parameters,total_parameters,"
        "adapter_bytes,train_seconds,images_per_second,peak_memory_bytes,device,status"
    )
    assert ",".join(column for column in RUN_COLUMNS if column in known.split(",")) == known
