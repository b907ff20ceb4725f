"""How fast the pipeline is beside what users run instead: `make benchmark`; README.md says what it means.

Every measurement is written to `results/<machine>.json` at once: called again after a kill, it goes on where it was.
"""

import argparse
import hashlib
import os
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path

from comparison import comparisons, measure
from inputs import CORES, Material
from medpeft.base.errors import UserError
from medpeft.pipeline.provenance import provenance
from processes import HERE, ROOT, adopt_orphans
from record import Record
from report import falls, report

PACKAGES = ("torchvision", "transformers", "accelerate", "snakemake")


def code() -> str:
    """Return the hash of all that the times depend on: pipeline, profile, contenders, studies, versions."""
    patterns = (
        "Snakefile",
        "rules/*.smk",
        "profiles/default/*.yaml",
        "schemas/*.yaml",
        "scripts/**/*.py",
        "benchmarks/*.py",
        "benchmarks/*.yaml",
        "requirements.txt",
    )
    files = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def origin() -> dict:
    """Return the machine, the commit and the versions of what is measured."""
    found = provenance({}, [], [])
    packages = found["packages"] | {name: version(name) for name in PACKAGES}
    facts = {name: found[name] for name in ("commit", "dirty", "python", "hardware")}
    date = datetime.now(UTC).date().isoformat()
    return facts | {"packages": packages, "cores": os.cpu_count(), "date": date}


def run(materials: list[Material], repeats: int, results: Path) -> None:
    """Measure what the session lacks, then write the report; ratios that have fallen are a `UserError`."""
    here = origin()
    name = re.sub(r"[^a-z0-9]+", "_", f"{here['hardware']} {here['cores']} cores".lower()).strip("_")
    adopt_orphans()
    record = Record(results / f"{name}.json")
    compared = [comparison for material in materials for comparison in comparisons(material)]

    def forget() -> None:
        for material in materials:
            material.forget()

    record.begin([comparison.name for comparison in compared], repeats, code(), here, forget)
    for material in materials:
        if seconds := material.prepare():
            record.content["preparation_seconds"].setdefault(material.study.name, {}).update(seconds)
            record.save()
    warm = set()
    for repeat, comparison in product(range(repeats), compared):
        for contender in comparison.order(repeat):
            if record.lacks(comparison, repeat, contender):
                if (comparison.title, contender) not in warm:
                    measure(comparison, contender, comparison.runs[:1])
                    warm.add((comparison.title, contender))
                record.add(comparison, repeat, contender, measure(comparison, contender, comparison.runs))
        report(record.content, record.path)
    print(record.path.with_suffix(".md").read_text(encoding="utf-8"))
    if sentences := falls(record.content):
        raise UserError("; ".join(sentences) + f": find out why, or delete {record.path} to accept it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--mirror", type=Path, help="folder with busi.zip")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    work = HERE / "work"
    materials = [Material(HERE / "embedded.yaml", work)]
    if options.mirror:
        materials.append(Material(HERE / "busi.yaml", work, options.mirror))
    try:
        run(materials, options.repeats, HERE / "results")
    except UserError as error:
        sys.exit(f"medpeft: {error}")


if __name__ == "__main__":
    main()
