"""What every script shares: its log, and errors said in one sentence."""

import errno
import gc
import logging
import os
import sys
import traceback

from medpeft.errors import UserError

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def run(main, snakemake) -> None:
    """Call `main(snakemake)` with logging into the rule's log file.

    A `UserError` or a full disk ends the process with status 1 and one sentence; any other exception is a defect and
    also leaves its traceback in the log.
    """
    logging.basicConfig(
        filename=snakemake.log[0], filemode="w", level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        main(snakemake)
    except Exception as error:
        where = f"{snakemake.rule} {' '.join(snakemake.wildcards)}".strip()
        sentence = f"{where}: {_explain(error)}"
        logging.error(sentence)
        sys.exit(f"medpeft: {sentence}")
    gc.freeze()  # the process ends here: without this Python would look through all of torch for garbage, for a second


def _explain(error: Exception) -> str:
    """Return what happened; a defect's traceback goes to the log."""
    if any(os.strerror(number) in str(error) for number in FULL_DISK):  # libraries wrap the OSError in their own
        return f"the disk is full ({error}): free some space and run again; what is finished is kept"
    if not isinstance(error, UserError):
        logging.error(traceback.format_exc())
    return str(error)
