"""Tell whether all that a study has belongs to the settings, code, data and packages at hand."""

import json
import logging
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from medpeft.pipeline.stage import run


def main(snakemake):
    from medpeft.base.changes import CACHE
    from medpeft.base.errors import UserError
    from medpeft.base.files import sha256
    from medpeft.pipeline.packages import versions
    from medpeft.pipeline.verify import NOT_ASKED, doubts, doubts_of_scores, plan, unlisted

    for file in CACHE.glob("*.json"):
        file.unlink()  # source files are read, not only looked at
    with TemporaryDirectory() as temporary:
        study = Path(temporary) / "study.json"
        study.write_text(json.dumps(dict(snakemake.config)), encoding="utf-8")  # in its order, which is that of runs
        planned = plan(
            [sys.executable, "-m", "snakemake", "--snakefile", snakemake.params.snakefile, "--configfile", str(study)]
        )
    results = Path("results") / snakemake.params.study
    found = doubts(planned, versions(), cache(sha256)) | doubts_of_scores(
        results / "runs" / path for path in snakemake.params.runs
    )
    for file, reason in found.items():
        logging.warning("%s: %s", file, reason)
    if found:
        first = next(iter(found))
        raise UserError(
            f"{len(found)} of {len(planned)} files do not belong to what is here; the first, {first}, {found[first]}; "
            f"all reasons are in {snakemake.log[0]}; delete the files that have changed, and run the study again"
        )
    runs = len(snakemake.params.runs)
    print(f"all {len(planned)} files of the study, with {runs} runs, are there and belong to what is here")
    for sentence in NOT_ASKED:
        print(f"not checked: {sentence}")
    for reason, files in unlisted(results, planned).items():
        print(f"not checked: {reason}: {len(files)} files, such as {files[0]}")


run(main, snakemake)  # noqa: F821
