"""A stage that fails says why in one sentence; only a defect leaves a traceback."""

import errno
import logging
from types import SimpleNamespace

import pytest
from safetensors import SafetensorError

from medpeft.errors import UserError
from medpeft.stage import run


def _failure(error, tmp_path) -> tuple[str, str]:
    """Return the sentence and the log of a stage that raises `error`."""

    def main(_):
        raise error

    log = tmp_path / "log"
    logging.getLogger().handlers.clear()
    with pytest.raises(SystemExit) as caught:
        run(main, SimpleNamespace(log=[str(log)], rule="split", wildcards=["busi"]))
    return str(caught.value), log.read_text()


def test_a_mistake_of_the_user_is_one_sentence(tmp_path):
    sentence, log = _failure(UserError("mend it"), tmp_path)
    assert sentence == "medpeft: split busi: mend it"
    assert "Traceback" not in log


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
