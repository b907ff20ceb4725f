"""Archives arrive complete and checked, or not at all and with a reason."""

import errno
import hashlib
import io
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medpeft import download
from medpeft.archives import Source
from medpeft.datasets.registry import Archive
from medpeft.download import fetch
from medpeft.errors import UserError

ROOT = Path(__file__).parents[1]
REMEDY = "into the folder that the study's key `mirror` names (or --config mirror=FOLDER)"


def zipped(text: str = "content") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("folder/member.txt", text)
    return stream.getvalue()


CONTENT = zipped()


class Handler(BaseHTTPRequestHandler):
    """`/good` and `/mirror` serve the archive; the other paths fail as publishers do."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        answers = {
            "/good/a.zip": (200, CONTENT, len(CONTENT)),
            "/mirror/toy/a.zip": (200, CONTENT, len(CONTENT)),
            "/other/a.zip": (200, zipped("another version"), None),
            "/page/a.zip": (200, b"\n<!DOCTYPE html><html><body>Please log in</body></html>", None),
            "/cut/a.zip": (200, CONTENT[:60], len(CONTENT)),
            "/silently_cut/a.zip": (200, CONTENT[:-30], None),
            "/huge/a.zip": (200, CONTENT, 10**15),
            "/busy/a.zip": (503, b"", 0),
        }
        status, body, size = answers.get(self.path, (404, b"", 0))
        if self.path == "/flaky/a.zip":
            body, size = CONTENT, len(CONTENT)
            status = 200 if self.asked.count(self.path) > 1 else 503
        self.send_response(status)
        if size is not None:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)


@pytest.fixture
def server(monkeypatch):
    """Return the address of a server on this machine."""
    monkeypatch.setattr(Handler, "asked", [], raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "raw" / "toy" / "a.zip"


def archive(*urls: str, checksum: str | None = None) -> Archive:
    return Archive("a.zip", urls, checksum)


def refused(*arguments, **options) -> str:
    """Return the sentence of a failing `fetch` that left nothing behind."""
    path = arguments[2]
    with pytest.raises(UserError) as caught:
        fetch(*arguments, **options)
    assert not path.parent.exists() or not list(path.parent.iterdir())
    return str(caught.value)


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_published_archive_arrives_unaltered(server, path, kind):
    checksum = f"{kind}:{hashlib.new(kind, CONTENT).hexdigest()}"
    fetch(archive(f"{server}/good/a.zip", checksum=checksum), "toy", path)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("first", ["absent", "page", "cut", "silently_cut", "busy"])
def test_the_next_address_is_tried_when_one_fails(server, path, first):
    fetch(archive(f"{server}/{first}/a.zip", f"{server}/good/a.zip"), "toy", path)
    assert path.read_bytes() == CONTENT


def test_a_failing_server_is_asked_again_but_a_refusal_is_not(server, path):
    fetch(archive(f"{server}/absent/a.zip", f"{server}/flaky/a.zip"), "toy", path)
    assert Handler.asked == ["/absent/a.zip", "/flaky/a.zip", "/flaky/a.zip"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("absent", "HTTP 404"),
        ("busy", "HTTP 503"),
        ("page", "web page, as for a login"),
        ("cut", "the connection broke off"),
        ("silently_cut", "not a whole zip archive"),
    ],
)
def test_every_failing_address_gives_its_reason_and_the_remedy(server, path, kind, reason):
    sentence = refused(archive(f"{server}/{kind}/a.zip", "http://127.0.0.1:9/a.zip"), "toy", path)
    assert f"{server}/{kind}/a.zip: " in sentence
    assert reason in sentence
    assert "http://127.0.0.1:9/a.zip: no connection" in sentence
    assert REMEDY in sentence


def test_a_wrong_checksum_is_told_with_what_was_found_and_expected(server, path):
    expected, found = "0" * 64, hashlib.sha256(CONTENT).hexdigest()
    sentence = refused(archive(f"{server}/good/a.zip", checksum=f"sha256:{expected}"), "toy", path)
    assert expected in sentence
    assert found in sentence
    assert f"checksums: {{a.zip: sha256:{found}}}" in sentence


def test_the_checksum_of_the_study_replaces_the_published_one(server, path):
    published = archive(f"{server}/good/a.zip", checksum="sha256:" + "0" * 64)
    fetch(published, "toy", path, checksum=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
    assert path.read_bytes() == CONTENT


def test_with_a_checksum_the_address_that_serves_the_right_version_wins(server, path):
    checksum = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    fetch(archive(f"{server}/other/a.zip", f"{server}/good/a.zip", checksum=checksum), "toy", path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["a.zip", "toy/a.zip"])
def test_a_mirror_folder_is_tried_first(server, path, tmp_path, place):
    mirrored = tmp_path / "mirror" / place
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(zipped("from the mirror"))
    fetch(archive(f"{server}/good/a.zip"), "toy", path, mirror=str(tmp_path / "mirror"))
    assert path.read_bytes() == mirrored.read_bytes()
    assert Handler.asked == []


def test_a_mirror_may_be_an_address(server, path):
    fetch(archive(), "toy", path, mirror=f"{server}/mirror/")
    assert path.read_bytes() == CONTENT


def test_a_mirror_without_the_archive_falls_through_to_the_publisher(server, path, tmp_path):
    fetch(archive(f"{server}/good/a.zip"), "toy", path, mirror=str(tmp_path))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("place", ["a", "toy/a"])
def test_a_mirror_may_hold_the_archive_unpacked(server, path, tmp_path, place):
    """Then it is read in place, and the checksum of the publisher's zip does not apply."""
    folder = tmp_path / "mirror" / place
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b (1).txt").write_bytes(b"b")
    (folder / "a.txt").write_bytes(b"a")
    fetch(archive(f"{server}/good/a.zip", checksum="md5:" + "0" * 32), "toy", path, mirror=str(tmp_path / "mirror"))
    source = Source(path)
    assert {name: source.read(name) for name in source.names()} == {"a.txt": b"a", "deep/b (1).txt": b"b"}
    assert Handler.asked == []


def test_a_zip_goes_before_its_unpacked_folder(path, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.zip").write_bytes(CONTENT)
    (tmp_path / "a").mkdir()
    fetch(archive(), "toy", path, mirror=str(tmp_path))
    assert path.read_bytes() == CONTENT


def test_a_folder_that_holds_the_zip_is_no_unpacked_archive(path, tmp_path):
    """As the subfolder of a dataset whose archive is named after it, when that zip is damaged."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.zip").write_bytes(CONTENT[:-30])
    assert "not a whole zip archive" in refused(archive(), "a", path, mirror=str(tmp_path))


def test_the_sentence_says_how_the_dataset_is_obtained(path):
    sentence = refused(archive(), "toy", path, access="ask the authors")
    assert (
        "a.zip could not be fetched (it has no public address): access: ask the authors; put a sound copy" in sentence
    )
    assert REMEDY in sentence


def test_the_sentence_says_that_the_mirror_was_tried(path, tmp_path):
    sentence = refused(archive("http://127.0.0.1:9/a.zip"), "toy", path, mirror=str(tmp_path))
    assert f"{tmp_path / 'a.zip'}: there is no such file" in sentence


def test_a_mirror_that_does_not_exist_is_an_error_of_its_key(server, path):
    sentence = refused(archive(f"{server}/good/a.zip"), "toy", path, mirror="/no/such/folder")
    assert "key `mirror`" in sentence
    assert "/no/such/folder" in sentence
    assert Handler.asked == []


def test_a_damaged_zip_in_the_mirror_is_not_taken(path, tmp_path):
    (tmp_path / "a.zip").write_bytes(CONTENT[:-30])
    assert "not a whole zip archive" in refused(archive(), "toy", path, mirror=str(tmp_path))


def test_a_download_larger_than_the_disk_is_not_begun(server, path):
    sentence = refused(archive(f"{server}/huge/a.zip"), "toy", path)
    assert "1,000,000,000 MB are to be fetched" in sentence
    assert "free some space" in sentence


def test_a_copy_larger_than_the_disk_is_not_begun(path, tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(CONTENT)
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 1, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "has 0 MB free" in refused(archive(), "toy", path, mirror=str(tmp_path))


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(path, tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(CONTENT)

    def copy(_, target):
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(OSError, match="No space left"):
        fetch(archive(), "toy", path, mirror=str(tmp_path))


def test_a_failed_fetch_leaves_an_older_archive_as_it_was(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    with pytest.raises(UserError):
        fetch(archive(), "toy", path)
    assert path.read_bytes() == CONTENT


def test_a_simulated_archive_is_generated(path):
    fetch(Archive("a.zip", generate=lambda target: target.write_bytes(CONTENT)), "toy", path)
    assert path.read_bytes() == CONTENT


def test_progress_is_logged_in_tenths(path, caplog):
    path.parent.mkdir(parents=True)
    progress = download._Progress("URL", path)
    with caplog.at_level("INFO"):
        progress.total = 1000
        for _ in range(100):
            progress.update(10)
    assert [record.message.split()[1] for record in caplog.records] == [str(tenth) for tenth in range(10, 100, 10)]


STUDY = """
study: toy
image_size: 32
experiments:
  table2: {datasets: [busi], backbones: [efficientnet_lite0], methods: [full], fractions: [1], seeds: [0]}
"""


@pytest.mark.slow
def test_another_mirror_makes_no_fetched_archive_stale(tmp_path):
    """Where an archive came from is no reason to fetch it again; another checksum is."""
    for name in ("rules", "scripts", "schemas", "envs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "Snakefile").write_text('include: "rules/common.smk"\ninclude: "rules/data.smk"\n', encoding="utf-8")
    (tmp_path / "toy.yaml").write_text(STUDY, encoding="utf-8")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "busi.zip").write_bytes(CONTENT)
    target = "data/raw/busi/busi.zip"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", target, "--configfile", "toy.yaml", "--config"]

    def snakemake(*arguments: str) -> str:
        result = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    snakemake(f"mirror={mirror}")
    assert (tmp_path / target).read_bytes() == CONTENT
    assert "Nothing to be done" in snakemake("mirror=null", "--dry-run")
    checksum = f"checksums={{busi.zip: 'sha256:{'0' * 64}'}}"
    assert "rule download" in snakemake(checksum, "--dry-run")
