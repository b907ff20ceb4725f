"""Jobs run in children of a warm process as they would by themselves, and end with their own process."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jobs import JOB, LIBRARY, ends, run, start, working_directory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux alone")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory, with a folder for sockets whose path is short enough."""
    yield from working_directory(tmp_path, monkeypatch)


def test_a_child_does_the_work_with_the_environment_and_the_output_of_the_job(folder):
    body = "print(os.environ['COLOUR'], os.getcwd(), os.getppid(), warmed, sys.argv)"
    status, out, err = run(folder, body, COLOUR="green")
    colour, place, parent, forked, script = out.split()
    assert (status, err) == (0, "")
    assert (colour, place, forked) == ("green", str(folder), "True")
    assert int(parent) != os.getpid()
    assert ".subset.py" in script


# Lines of /proc/self/status in which a process may differ from another one that does the same, and why.
OWN_STATUS = {
    **dict.fromkeys(("Pid", "Tgid", "PPid", "NStgid", "NSpid"), "numbers of the process and of its parent"),
    **dict.fromkeys(("State", "TracerPid", "Threads", "FDSize"), "what it does at this moment"),
    **dict.fromkeys(("SigQ", "SigPnd", "ShdPnd"), "signals of this user and moment that wait"),
    **dict.fromkeys(("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"), "counters"),
    "HugetlbPages": "memory, as all lines that begin with Vm and Rss",
}
REPORT = """
import json
import snakemake.script  # as every job does; it adds to sys.path
lines = [line.partition(":") for line in Path("/proc/self/status").read_text().splitlines()]
files = ["limits", "cgroup", "oom_score_adj", "timerslack_ns", "personality", "coredump_filter", "comm", "mountinfo"]
umask = os.umask(0)
print(json.dumps({
    "status": {key: value.strip() for key, _, value in lines},
    "files": {name: Path("/proc/self", name).read_text() for name in files},
    "namespaces": sorted(str(link.readlink()) for link in Path("/proc/self/ns").iterdir()),
    "environment": dict(os.environ),
    "umask": umask,
    "folder": [os.getcwd(), os.stat(".").st_ino],
    "nice": os.nice(0),
    "affinity": sorted(os.sched_getaffinity(0)),
    "groups": os.getgroups(),
    "session": [os.getsid(0), os.getpgrp()],
    "streams": [os.readlink(f"/proc/self/fd/{number}").partition(":")[0] for number in range(3)],
    "arguments": len(sys.argv),
    "path": sys.path,
    "warm": "medpeft.data.subset" in sys.modules,
}))
"""


def _nothing():
    pass


def _restrained():
    """What a careful user does before the command: a private umask, limits, one core, a lower priority."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 600))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.nice(3)
    if os.geteuid() == 0:
        os.setgroups([7, 8])
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):  # as `nohup` and `&` do
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.parametrize("before", [_nothing, _restrained])
def test_a_child_is_as_the_process_of_a_job_that_nobody_lends_one(folder, before):
    """Two jobs of another kind came before, so that a warm process is there which does not fit."""
    run(folder, "pass")
    run(folder, "pass", before=lambda: os.umask(0o002))
    plain = JOB.replace("hand_over(Path(sys.argv[0])", "(lambda *_: None)(Path(sys.argv[0])")
    found = {}
    for name, options in {"plain": {"job": plain}, "lent": {}, "own": {"MEDPEFT_WARM": "0"}}.items():
        status, out, err = run(folder, REPORT, before=before, **options)
        assert (status, err) == (0, "")
        found[name] = json.loads(out)
        own = {key for key in found[name]["status"] if key in OWN_STATUS or key.startswith(("Vm", "Rss"))}
        for key in own:
            del found[name]["status"][key]
        # Signals 32 and 33 are those of the C library, which it catches where there was a second thread.
        found[name]["status"]["SigCgt"] = int(found[name]["status"]["SigCgt"], 16) & ~(0b11 << 31)
    assert [found[name].pop("warm") for name in ("plain", "lent", "own")] == [False, True, False]
    assert found["own"]["environment"].pop("MEDPEFT_WARM") == "0"
    for name in ("lent", "own"):
        for group, values in found["plain"].items():
            assert found[name][group] == values, (name, group)


@pytest.mark.parametrize(
    ("before", "environment", "look"),
    [
        (
            lambda: os.umask(0o077),
            {},
            "Path(sys.argv[0] + 'x').touch(); print(oct(os.stat(sys.argv[0] + 'x').st_mode))",
        ),
        (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)), {}, "print(resource.getrlimit(1))"),
        (lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}), {}, "print(os.sched_getaffinity(0))"),
        (lambda: os.nice(5), {}, "print(os.nice(0))"),
        (lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)), {}, "print(os.sched_getscheduler(0))"),
        (
            None,
            {"HF_HUB_OFFLINE": "1"},
            "import huggingface_hub.constants; print(huggingface_hub.constants.HF_HUB_OFFLINE)",
        ),
        (
            None,
            {"HF_HOME": "/of/another"},
            "import huggingface_hub.constants; print(huggingface_hub.constants.HF_HOME)",
        ),
        (None, {"TZ": "Asia/Tokyo"}, "print(time.tzname)"),
        (None, {"PYTHONPATH": "/of/another"}, "print('/of/another' in sys.path)"),
    ],
    ids=["umask", "ulimit", "taskset", "nice", "chrt", "HF_HUB_OFFLINE", "HF_HOME", "TZ", "PYTHONPATH"],
)
def test_what_a_second_command_sets_holds_for_its_jobs(folder, before, environment, look):
    """Both commands come from one script, within seconds, so that they share a process group."""
    first = run(folder, f"import resource\n{look}")
    second = run(folder, f"import resource\n{look}\nprint(warmed)", before=before, **environment)
    by_itself = run(folder, f"import resource\n{look}", before=before, **environment, MEDPEFT_WARM="0")
    assert second[1].splitlines()[-1] == "True"
    assert second[1].rpartition("True")[0] == by_itself[1] != first[1]


def test_limited_memory_is_not_shared_with_a_warm_process(folder):
    def before():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 34, 1 << 34))

    assert run(folder, "print(warmed)", before=before)[:2] == (0, "False\n")


def test_a_copy_in_place_of_a_project_that_was_moved_away_has_its_own(folder, tmp_path_factory):
    away = tmp_path_factory.mktemp("away") / "project"
    project = folder / "project"
    (project / ".snakemake" / "scripts").mkdir(parents=True)
    body = "Path('trials.csv').write_text(sys.argv[0]); print(os.getppid())"
    first = run(project, body)
    shutil.move(project, away)
    archived = (away / "trials.csv").read_text()
    shutil.copytree(away, project)
    second = run(project, body)
    assert second[0] == 0
    assert second[1] != first[1]
    assert (away / "trials.csv").read_text() == archived != (project / "trials.csv").read_text()


def test_a_library_of_which_an_older_file_came_back_has_its_own(folder):
    """Its time of change is older than that of every other file."""
    shutil.copytree(LIBRARY / "medpeft", folder / "library" / "medpeft")
    job = JOB.replace(str(LIBRARY), str(folder / "library"))
    first = run(folder, "print(os.getppid())", job=job)
    (folder / "new").write_text("VALUE = 1\n")
    os.utime(folder / "new", (1, 1))
    (folder / "new").replace(folder / "library/medpeft/base/places_.py")
    assert first[1] != run(folder, "print(os.getppid())", job=job)[1]


def test_a_warm_process_that_was_changed_from_outside_lends_no_child(folder):
    body = "print(warmed, os.getppid(), os.nice(0))"
    server = int(run(folder, body)[1].split()[1])
    os.setpriority(os.PRIO_PROCESS, server, 17)
    assert run(folder, body)[1].split()[::2] == ["False", str(os.nice(0))]


def test_what_a_job_prints_to_a_terminal_comes_line_by_line(folder):
    ours, theirs = os.openpty()
    script = folder / ".snakemake" / "scripts" / "tmp.subset.py"
    script.write_text(JOB + "print('first'); sys.stderr.write('second'); print('third', warmed)")
    with subprocess.Popen([sys.executable, script], cwd=folder, stdout=theirs, stderr=theirs) as process:
        assert process.wait(60) == 0
    assert os.read(ours, 1000).decode().splitlines() == ["first", "secondthird True"]


def test_the_second_job_finds_imported_what_the_first_one_needed(folder):
    body = "print(os.getppid(), 'medpeft.data.subset' in sys.modules)"
    first, second = run(folder, body)[1].split(), run(folder, body)[1].split()
    assert first == second  # the same warm process
    assert first[1] == "True"


@pytest.mark.parametrize(("setting", "forked"), [("0", "False"), ("1", "True")])
def test_a_variable_of_the_environment_turns_warm_processes_off(folder, setting, forked):
    assert run(folder, "print(warmed)", MEDPEFT_WARM=setting)[:2] == (0, f"{forked}\n")
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
    print("snakemake.script" in sys.modules)

class Named(list):
    items = dict().items

lists = {{name: Named() for name in ("wildcards", "params", "input", "output")}}
run(main, SimpleNamespace(config={{}}, rule="broken", resources={{}}, log=[LOG], **lists))
"""
    for stage, failures in (("broken", 1), ("subset", 0), ("broken", 1)):
        log = folder / f"{stage}.log"
        found = run(folder, "", job=job.replace("LOG", repr(log.name)), stage=stage)
        assert found == (0, "True\n", "")
        warnings = [line for line in log.read_text().splitlines() if "WARNING" in line]
        assert len(warnings) == failures
        assert all("could not import medpeft.data.broken (OSError: no such codec)" in line for line in warnings)


def test_the_garbage_collector_of_the_warm_process_looks_less_often(folder):
    assert run(folder, "import gc; print(gc.get_threshold())")[1] == "(100000, 50, 1000)\n"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("sys.exit('medpeft: no such file')", 1, "medpeft: no such file"),
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError"),
        (
            "os.kill(os.getpid(), 9)",
            137,
            "medpeft: subset busi: it was killed (SIGKILL), as the system does where memory",
        ),
        ("os.kill(os.getpid(), 15)", 143, "medpeft: subset busi: it was ended by the signal SIGTERM: run again"),
        ("import ctypes; ctypes.string_at(0)", 139, "medpeft: subset busi: it was ended by the signal SIGSEGV"),
        ("os.abort()", 134, "medpeft: subset busi: it was ended by the signal SIGABRT"),
    ],
)
@pytest.mark.parametrize("setting", ["0", "1"])
def test_the_job_ends_as_its_child_does(folder, body, status, said, setting):
    found, _, err = run(folder, body, MEDPEFT_WARM=setting)
    assert found == status
    assert said in err
    assert err.count("\n") <= 1 or "Traceback" in err


def test_a_child_that_was_killed_when_the_warm_process_was_gone_is_told_of_too(folder):
    process = start(folder, "print(os.getpid(), os.getppid(), flush=True)\nwhile True: time.sleep(0.01)")
    child, server = map(int, process.stdout.readline().split())
    for number in (server, child):
        os.kill(number, signal.SIGKILL)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 137
    assert "it was killed (SIGKILL)" in err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_takes_its_child_with_it(folder, number):
    process = start(folder, "print(os.getpid(), flush=True)\nwhile True: time.sleep(0.01)")
    child = int(process.stdout.readline())
    assert child != process.pid
    process.send_signal(number)
    process.communicate(timeout=30)
    assert ends(child)


def _sockets() -> Path:
    return Path(os.environ["TMPDIR"]) / f"medpeft-{os.getuid()}-{os.uname().nodename}"


def test_jobs_run_side_by_side(folder):
    body = "print(os.getpid(), flush=True)\nwhile not Path('go').exists(): time.sleep(0.01)"
    processes = [start(folder, body) for _ in range(3)]
    children = {int(process.stdout.readline()) for process in processes}
    (folder / "go").touch()
    assert [process.wait(timeout=30) for process in processes] == [0, 0, 0]
    for process in processes:
        process.communicate()
    assert len(children) == 3


def test_a_script_that_is_no_job_of_snakemake_works_by_itself(folder):
    body = "print(warmed)"
    script = folder / "tmp.subset.py"
    script.write_text(JOB + body, encoding="utf-8")
    found = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_folder_that_others_may_enter_is_not_trusted(folder):
    _sockets().mkdir(mode=0o755)
    assert run(folder, "print(warmed)")[1] == "False\n"


def test_a_link_in_place_of_the_folder_is_not_followed(folder):
    (folder / "own").mkdir(mode=0o700)
    _sockets().symlink_to(folder / "own")
    assert run(folder, "print(warmed)")[1] == "False\n"


def test_a_file_of_the_working_directory_takes_the_place_of_no_module(folder):
    (folder / "json.py").write_text("raise ImportError")
    assert run(folder, "print(warmed)")[1] == "True\n"


def test_a_job_outlives_the_warm_process(folder):
    body = "print(os.getppid(), flush=True)\nwhile not Path('go').exists(): time.sleep(0.01)"
    process = start(folder, body)
    server = int(process.stdout.readline())
    os.kill(server, signal.SIGKILL)
    (folder / "go").touch()
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("stays", [False, True])
def test_a_job_that_vanishes_or_is_stopped_before_it_asks_harms_no_other(folder, stays):
    body = "print(os.getppid())"
    first = run(folder, body)[1]
    (address,) = _sockets().glob("*.socket")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        if not stays:
            connection.close()
        assert run(folder, body)[1] == first


def test_what_killed_warm_processes_left_is_removed(folder):
    body = "print(os.getppid())"
    os.kill(int(run(folder, body, OMP_NUM_THREADS="1")[1]), signal.SIGKILL)
    left = set(_sockets().iterdir())
    assert len(left) == 2
    run(folder, body, OMP_NUM_THREADS="2")
    found = set(_sockets().iterdir())
    assert not left & found
    assert {path.suffix for path in found} == {".socket", ".lock"}


def test_a_folder_whose_path_is_too_long_for_a_socket_has_no_warm_process(folder, monkeypatch):
    (folder / ("long" * 30)).mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / ("long" * 30)))
    assert run(folder, "print(warmed)")[1] == "False\n"
    assert not list(_sockets().iterdir())


def test_a_job_that_no_child_begins_does_its_work_itself(folder):
    body = "print(warmed)"
    run(folder, body)
    (address,) = _sockets().glob("*.socket")
    with socket.socket(socket.AF_UNIX) as deaf:
        address.unlink()
        deaf.bind(str(address))
        deaf.listen()
        process = start(folder, body)
        deaf.accept()[0].close()
        assert process.communicate(timeout=30)[0] == "False\n"
    assert process.returncode == 0


def test_a_container_of_a_single_job_has_no_warm_process(folder):
    assert run(folder, "print(warmed)", APPTAINER_CONTAINER="medpeft.sif")[1] == "False\n"


def test_another_number_of_threads_is_another_warm_process(folder):
    body = "print(os.getppid())"
    assert run(folder, body, OMP_NUM_THREADS="1")[1] != run(folder, body, OMP_NUM_THREADS="2")[1]


def test_the_warm_process_ends_with_nothing_to_do(folder):
    server = int(run(folder, "print(os.getppid())")[1])
    assert ends(server, 30)
    assert not list(_sockets().iterdir())


def test_worker_processes_of_a_job_end_with_it(folder):
    body = """
from joblib import Parallel, delayed
print(Parallel(n_jobs=2)(delayed(pow)(2, number) for number in range(4)))
"""
    started = time.monotonic()
    status, out, err = run(folder, body)
    assert (status, out, err) == (0, "[1, 2, 4, 8]\n", "")
    assert time.monotonic() - started < 30  # joblib's workers stay for minutes if nobody ends them
