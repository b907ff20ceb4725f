"""Tell whether the runs that a study has so far belong to the code and data at hand."""

import logging
from functools import cache
from pathlib import Path

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.errors import UserError
    from medpeft.base.files import sha256
    from medpeft.pipeline.provenance import versions
    from medpeft.pipeline.verify import doubts

    runs = snakemake.params.runs
    folders = [folder for folder in map(Path, runs) if (folder / "metrics.json").exists()]
    here, digest = versions(), cache(sha256)
    found = {folder: doubts(folder, runs[str(folder)], here, digest) for folder in folders}
    for folder, reasons in found.items():
        for reason in reasons:
            logging.warning("%s: %s", folder, reason)
    doubtful = [folder for folder in folders if found[folder]]
    if doubtful:
        raise UserError(
            f"{len(doubtful)} of {len(folders)} runs do not belong to what is here, the first {doubtful[0]}: "
            f"{found[doubtful[0]][0]}; all reasons are in {snakemake.log[0]}; run the study again"
        )
    print(f"{len(folders)} of {len(runs)} runs are there and belong to the code and data at hand")


run(main, snakemake)  # noqa: F821
