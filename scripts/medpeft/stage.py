"""What every script shares: its log, and errors said in one sentence."""

import logging
import sys
import traceback

from medpeft.errors import UserError


def run(main, snakemake) -> None:
    """Call `main(snakemake)` with logging into the rule's log file.

    A `UserError` ends the process with status 1 and its sentence; a full disk is reported the same way; any other
    exception is a defect and also leaves its traceback in the log.
    """
    logging.basicConfig(
        filename=snakemake.log[0], filemode="w", level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        main(snakemake)
    except Exception as error:
        if not isinstance(error, UserError | OSError):
            logging.error(traceback.format_exc())
        where = f"{snakemake.rule} {' '.join(snakemake.wildcards)}".strip()
        sentence = f"{where}: {error}"
        logging.error(sentence)
        sys.exit(f"medpeft: {sentence}")
