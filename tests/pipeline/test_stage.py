"""A stage that fails says why in one sentence; only a defect leaves a traceback."""

import errno
import gc
import logging
from types import SimpleNamespace

import pytest
from safetensors import SafetensorError
from snakemake.iocontainers import Namedlist

from medpeft.base.errors import UserError
from medpeft.pipeline import warm
from medpeft.pipeline.stage import run


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _job(attempt=1):
    return SimpleNamespace(
        log=["log"],
        rule="split",
        wildcards=Namedlist(fromdict={"dataset": "busi"}),
        params=Namedlist(),
        input=[],
        output=[],
        resources={"attempt": attempt},
        config={},
    )


def _failure(error, tmp_path, attempt=1) -> tuple[str, str]:
    """Return the sentence and the log of a stage that raises `error`."""

    def main(_):
        raise error

    logging.getLogger().handlers.clear()
    with pytest.raises(SystemExit) as caught:
        run(main, _job(attempt))
    return str(caught.value), (tmp_path / "log").read_text()


def test_a_mistake_of_the_user_is_one_sentence(tmp_path):
    sentence, log = _failure(UserError("mend it"), tmp_path)
    assert sentence == "medpeft: split busi: mend it"
    assert "Traceback" not in log


@pytest.mark.parametrize("kind", [UserError, ValueError, OSError])
def test_neither_sentence_nor_log_nor_traceback_tells_a_secret(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "abc123def456")

    def main(_):
        logging.info("trying %s", "https://user:s3cr3t@example.org/x.zip")
        try:
            raise ValueError("url: /x.zip?X-Amz-Signature=s3cr3t with abc123def456")
        except ValueError as error:
            raise kind("https://example.org/x.zip?sig=s3cr3t gave nothing") from error

    logging.getLogger().handlers.clear()
    with pytest.raises(SystemExit) as caught:
        run(main, _job())
    log = (tmp_path / "log").read_text()
    assert "https://REDACTED@example.org/x.zip" in log
    assert ("Traceback" in log) == (kind is not UserError)
    assert not any(secret in log + str(caught.value) for secret in ("s3cr3t", "abc123def456"))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_sentence(error, tmp_path):
    sentence, log = _failure(error, tmp_path)
    assert "the disk is full" in sentence
    assert "free some space" in sentence
    assert "Traceback" not in log


@pytest.mark.parametrize("error", [ValueError("odd"), FileNotFoundError(errno.ENOENT, "no such file")])
def test_a_defect_leaves_its_traceback(error, tmp_path):
    _, log = _failure(error, tmp_path)
    assert "Traceback" in log


@pytest.mark.parametrize("error", [UserError("mend it"), ValueError("two\nlines"), OSError(errno.ENOSPC, "no space")])
def test_what_went_wrong_by_itself_is_not_attempted_again(error, tmp_path):
    first, _ = _failure(error, tmp_path)
    for attempt in (2, 3):
        assert _failure(AssertionError("was attempted"), tmp_path, attempt)[0] == first


def test_what_was_killed_is_attempted_again(tmp_path):
    (tmp_path / "log").write_text("2026-01-01 00:00:00,000 ERROR of a library, survived\n2026-01-01 INFO epoch 1\n")
    assert _failure(UserError("later"), tmp_path, attempt=2)[0].endswith("later")


def test_a_new_start_attempts_everything(tmp_path):
    _failure(UserError("mend it"), tmp_path)
    assert _failure(UserError("mended, but"), tmp_path, attempt=1)[0].endswith("mended, but")


def test_a_failed_import_of_the_warm_process_is_a_warning_in_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "failed_imports", {"peft": "ImportError: no module"})
    assert (
        "WARNING the warm process could not import peft (ImportError: no module)" in _failure(KeyError(), tmp_path)[1]
    )


def test_the_garbage_collector_is_told_before_anything_slow_is_imported(tmp_path):
    before, found = gc.get_threshold(), []
    try:
        run(lambda _: found.append(gc.get_threshold()), _job())
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
    assert found == [(100_000, 50, 1000)]
