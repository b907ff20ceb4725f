"""Where the project lies: beside the Snakefile, or checked out of the repository that a module of another workflow names."""

import os
import shutil
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryFile


def project(folder):
    """Return the folder of the Snakefile as seen from the working directory.

    It is another one with --directory, and where the Snakefile is a module. Of a module on a server Snakemake fetches
    file by file what rules name, but the library, the schema and the weights are needed as well.
    """
    paths = workflow.modifier.path_modifier
    if paths.prefix or paths._prefix_replacements:
        sys.exit(
            "medpeft: its module has a prefix, under which its own files are not found: remove it. Results lie in "
            "results/STUDY, and --directory moves them with all other files"
        )
    if hasattr(folder, "hosted_repo"):
        return checked_out(folder)
    return Path(os.path.relpath(folder))


def checked_out(folder):
    """Return where the repository of `folder` lies in the working directory, at the commit that is asked for.

    The place is always the same, so that another version reruns only what depends on the files that differ.
    """
    repository = folder.hosted_repo.repo
    commit = repository.commit(folder.ref).hexsha
    place = Path(".snakemake/medpeft")
    if not place.exists() or (place / ".commit").read_text().strip() != commit:
        part = place.with_name(f".medpeft.{os.getpid()}.part")
        with TemporaryFile() as stream:
            repository.archive(stream, commit)
            stream.seek(0)
            with tarfile.open(fileobj=stream) as archive:
                archive.extractall(part, filter="data")
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
    return place
