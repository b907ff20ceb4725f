"""What every script shares: its log, errors in one sentence, and no second attempt where a second would fail alike."""

import errno
import gc
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from medpeft.base.errors import UserError
from medpeft.base.redaction import redacted
from medpeft.pipeline import ledger, warm
from medpeft.pipeline.handover import hand_over
from medpeft.pipeline.ownership import owned

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
FORMAT = "%(asctime)s %(levelname)s %(message)s"


class Job(ledger.Job, Protocol):
    """What this module asks of the object `snakemake` that Snakemake gives to a script."""

    config: Mapping[str, Any]
    resources: Mapping[str, Any]


AnyJob = TypeVar("AnyJob", bound=Job)


def run(main: Callable[[AnyJob], Iterable[Path] | None], snakemake: AnyJob) -> None:
    """Call `main(snakemake)` with logging into the rule's log file, in a process that ends with Snakemake.

    A script imports slow modules inside `main` alone, so that the warm process has imported them before. What `main`
    returns are files and folders that it wrote beside the outputs of its rule. The work is done while this job owns
    what it writes; where another process does, it ends before it has written anything.

    A `UserError` or a full disk ends the process with status 1 and one sentence. Any other exception is a defect, and
    also leaves its traceback in the log. Profiles number the attempts at a job by the resource `attempt`. A further
    attempt is for what the process could not help (a lost node, a time limit). Where the attempt before ended with a
    sentence of its own, this one ends with the same.
    """
    warm.spare_collector()
    # Without the folder that tells a definition of a dataset from others of its name.
    named = [value for value in snakemake.wildcards if value and not value.startswith("/")]
    job = " ".join([snakemake.rule, *named])
    # The state of a GPU does not survive a fork of a process that has used it, as the warm one may have.
    hand_over(Path(sys.argv[0]), job, lend=snakemake.config.get("device") != "cuda")
    log = Path(snakemake.log[0])
    try:
        with owned(log) as doubt:
            _begin_log(log, snakemake.resources.get("attempt", 1), doubt)
            _attempt(main, snakemake, job)
    except UserError as error:  # another process owns the log as well
        sys.exit(f"medpeft: {job}: {error}")
    except OSError as error:
        sys.exit(f"medpeft: {job}: {log} cannot be written ({error.strerror}): mend that and run again")
    gc.freeze()  # the process ends here: without this Python would look through all of torch for garbage, for a second


def _begin_log(log: Path, attempt: int, doubt: str | None) -> None:
    """Open the log, unless the attempt before ended with a sentence; begin with what is doubtful so far."""
    sentence = _last_error(log) if attempt > 1 else None
    logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format=FORMAT)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Redacting(FORMAT))
    if sentence:
        _end(sentence)
    if doubt:
        tell(doubt)
    for module, reason in warm.failed_imports.items():
        logging.warning("the warm process could not import %s (%s): this job imports it if it needs it", module, reason)


def _attempt(main: Callable[[AnyJob], Iterable[Path] | None], snakemake: AnyJob, job: str) -> None:
    try:
        ledger.begin(snakemake)
        ledger.enter(snakemake, main(snakemake) or ())
    except Exception as error:
        _end(f"{job}: {_explain(error)}")


def tell(sentence: str) -> None:
    """Write what whoever started the job wants to know to its log and to the terminal."""
    logging.warning(sentence)
    print(f"medpeft: {redacted(sentence)}", file=sys.stderr)


class _Redacting(logging.Formatter):
    """Writes no secret into a log, whoever logs it: not in a message, and not in a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _last_error(log: Path) -> str | None:
    """Return the sentence with which the attempt that wrote `log` ended, or None where it was killed."""
    if not log.exists():
        return None
    found = re.findall(r"^\S+ \S+ CRITICAL (.+)\Z", log.read_text(encoding="utf-8").rstrip(), re.MULTILINE | re.DOTALL)
    return found[-1] if found else None


def _end(sentence: str) -> None:
    logging.critical(sentence)
    sys.exit(f"medpeft: {redacted(sentence)}")


def _explain(error: Exception) -> str:
    """Return what happened; a defect's traceback goes to the log."""
    if any(os.strerror(number) in str(error) for number in FULL_DISK):  # libraries wrap the OSError in their own
        return f"the disk is full ({error}): free some space and run again; what is finished is kept"
    if not isinstance(error, UserError):
        logging.error(traceback.format_exc())
    if isinstance(error, MemoryError):
        return "the memory is full: use smaller images or batches, fewer jobs at once, or a machine with more"
    return str(error) or type(error).__name__
