"""Jobs run in children of a warm process exactly as they would by themselves, and end with their own process."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "scripts"
NUMBERS = itertools.count()
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux alone")

# What Snakemake makes of a script: a file of its own name that is run from the working directory.
JOB = f"""
import sys
sys.path.insert(0, {str(LIBRARY)!r})
from pathlib import Path
from medpeft.pipeline import warm

warm.hand_over(Path(sys.argv[0]))
import os
import time
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory, with a folder for sockets whose path is short enough."""
    (tmp_path / ".snakemake" / "scripts").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as sockets:
        monkeypatch.setenv("TMPDIR", sockets)
        yield tmp_path


def _start(folder, body, job=JOB, stage="subset", **environment):
    script = folder / ".snakemake" / "scripts" / f"tmp{next(NUMBERS)}.{stage}.py"
    script.write_text(job + body, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, script.relative_to(folder)],
        cwd=folder,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _run(folder, body, **options):
    process = _start(folder, body, **options)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_child_does_the_work_with_the_environment_and_the_output_of_the_job(folder):
    body = "print(os.environ['COLOUR'], os.getcwd(), os.getppid(), warm.forked.is_set(), sys.argv)"
    status, out, err = _run(folder, body, COLOUR="green")
    colour, place, parent, forked, script = out.split()
    assert (status, err) == (0, "")
    assert (colour, place, forked) == ("green", str(folder), "True")
    assert int(parent) != os.getpid()
    assert ".subset.py" in script


def test_the_second_job_finds_imported_what_the_first_one_needed(folder):
    body = "print(os.getppid(), 'medpeft.data.subset' in sys.modules)"
    first, second = _run(folder, body)[1].split(), _run(folder, body)[1].split()
    assert first == second  # the same warm process
    assert first[1] == "True"


@pytest.mark.parametrize(("setting", "forked"), [("0", "False"), ("1", "True")])
def test_a_variable_of_the_environment_turns_warm_processes_off(folder, setting, forked):
    assert _run(folder, "print(warm.forked.is_set())", MEDPEFT_WARM=setting)[:2] == (0, f"{forked}\n")
    assert _sockets().exists() == (forked == "True")


def test_an_import_that_fails_in_the_warm_process_is_told_in_the_log_of_the_job_that_asks(folder):
    shutil.copytree(LIBRARY / "medpeft", folder / "library" / "medpeft")
    (folder / "library/medpeft/data/broken.py").write_text("raise OSError('no such codec')\n")
    job = f"""
import sys
sys.path.insert(0, {str(folder / "library")!r})
from types import SimpleNamespace
from medpeft.pipeline import warm
from medpeft.pipeline.stage import run

def main(snakemake):
    print(warm.forked.is_set())

run(main, SimpleNamespace(config={{}}, rule="broken", wildcards=[], resources={{}}, log=[LOG]))
"""
    for stage, failures in (("broken", 1), ("subset", 0), ("broken", 1)):
        log = folder / f"{stage}.log"
        found = _run(folder, "", job=job.replace("LOG", repr(str(log))), stage=stage)
        assert found == (0, "True\n", "")
        warnings = [line for line in log.read_text().splitlines() if "WARNING" in line]
        assert len(warnings) == failures
        assert all("could not import medpeft.data.broken (OSError: no such codec)" in line for line in warnings)


def test_the_garbage_collector_of_the_warm_process_looks_less_often(folder):
    assert _run(folder, "import gc; print(gc.get_threshold())")[1] == "(100000, 50, 1000)\n"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("sys.exit('medpeft: no such file')", 1, "medpeft: no such file"),
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("os.kill(os.getpid(), 9)", 137, ""),
    ],
)
def test_the_job_ends_as_its_child_does(folder, body, status, said):
    found, _, err = _run(folder, body)
    assert found == status
    assert said in err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_takes_its_child_with_it(folder, number):
    process = _start(folder, "print(os.getpid(), flush=True)\nwhile True: time.sleep(0.01)")
    child = int(process.stdout.readline())
    assert child != process.pid
    process.send_signal(number)
    process.communicate(timeout=30)
    assert _ends(child)


def _sockets() -> Path:
    return Path(os.environ["TMPDIR"]) / f"medpeft-{os.getuid()}-{os.uname().nodename}"


def _ends(number, seconds=10):
    """Return whether a process ends in time; it may then be there until somebody waits for it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_jobs_run_side_by_side(folder):
    body = "print(os.getpid(), flush=True)\nwhile not Path('go').exists(): time.sleep(0.01)"
    processes = [_start(folder, body) for _ in range(3)]
    children = {int(process.stdout.readline()) for process in processes}
    (folder / "go").touch()
    assert [process.wait(timeout=30) for process in processes] == [0, 0, 0]
    for process in processes:
        process.communicate()
    assert len(children) == 3


def test_a_script_that_is_no_job_of_snakemake_works_by_itself(folder):
    body = "print(warm.forked.is_set())"
    script = folder / "tmp.subset.py"
    script.write_text(JOB + body, encoding="utf-8")
    found = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_folder_that_others_may_enter_is_not_trusted(folder):
    _sockets().mkdir(mode=0o755)
    assert _run(folder, "print(warm.forked.is_set())")[1] == "False\n"


def test_a_link_in_place_of_the_folder_is_not_followed(folder):
    (folder / "own").mkdir(mode=0o700)
    _sockets().symlink_to(folder / "own")
    assert _run(folder, "print(warm.forked.is_set())")[1] == "False\n"


def test_a_file_of_the_working_directory_takes_the_place_of_no_module(folder):
    (folder / "json.py").write_text("raise ImportError")
    assert _run(folder, "print(warm.forked.is_set())")[1] == "True\n"


def test_a_job_outlives_the_warm_process(folder):
    body = "print(os.getppid(), flush=True)\nwhile not Path('go').exists(): time.sleep(0.01)"
    process = _start(folder, body)
    server = int(process.stdout.readline())
    os.kill(server, signal.SIGKILL)
    (folder / "go").touch()
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("stays", [False, True])
def test_a_job_that_vanishes_or_is_stopped_before_it_asks_harms_no_other(folder, stays):
    body = "print(os.getppid())"
    first = _run(folder, body)[1]
    (address,) = _sockets().glob("*.socket")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        if not stays:
            connection.close()
        assert _run(folder, body)[1] == first


def test_what_killed_warm_processes_left_is_removed(folder):
    body = "print(os.getppid())"
    os.kill(int(_run(folder, body, OMP_NUM_THREADS="1")[1]), signal.SIGKILL)
    left = set(_sockets().iterdir())
    assert len(left) == 2
    _run(folder, body, OMP_NUM_THREADS="2")
    found = set(_sockets().iterdir())
    assert not left & found
    assert {path.suffix for path in found} == {".socket", ".lock"}


def test_a_folder_whose_path_is_too_long_for_a_socket_has_no_warm_process(folder, monkeypatch):
    (folder / ("long" * 30)).mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / ("long" * 30)))
    assert _run(folder, "print(warm.forked.is_set())")[1] == "False\n"
    assert not list(_sockets().iterdir())


def test_a_job_that_no_child_begins_does_its_work_itself(folder):
    body = "print(warm.forked.is_set())"
    _run(folder, body)
    (address,) = _sockets().glob("*.socket")
    with socket.socket(socket.AF_UNIX) as deaf:
        address.unlink()
        deaf.bind(str(address))
        deaf.listen()
        process = _start(folder, body)
        deaf.accept()[0].close()
        assert process.communicate(timeout=30)[0] == "False\n"
    assert process.returncode == 0


def test_a_container_of_a_single_job_has_no_warm_process(folder):
    assert _run(folder, "print(warm.forked.is_set())", APPTAINER_CONTAINER="medpeft.sif")[1] == "False\n"


def test_another_number_of_threads_is_another_warm_process(folder):
    body = "print(os.getppid())"
    assert _run(folder, body, OMP_NUM_THREADS="1")[1] != _run(folder, body, OMP_NUM_THREADS="2")[1]


def test_the_warm_process_ends_with_nothing_to_do(folder):
    server = int(_run(folder, "print(os.getppid())")[1])
    assert _ends(server, 30)
    assert not list(_sockets().iterdir())


def test_worker_processes_of_a_job_end_with_it(folder):
    body = """
from joblib import Parallel, delayed
print(Parallel(n_jobs=2)(delayed(pow)(2, number) for number in range(4)))
"""
    started = time.monotonic()
    status, out, err = _run(folder, body)
    assert (status, out, err) == (0, "[1, 2, 4, 8]\n", "")
    assert time.monotonic() - started < 30  # joblib's workers stay for minutes if nobody ends them
