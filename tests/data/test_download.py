"""Archives arrive complete and checked, or not at all and with a reason."""

import errno
import hashlib
import io
import re
import shutil
import subprocess
import sys
import types
import zipfile
from collections import namedtuple
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests
from served import served

from medpeft.base.errors import UserError
from medpeft.data.archives import Source
from medpeft.data.dataset import Archive, Dataset
from medpeft.data.fetching import web
from medpeft.data.fetching.download import fetch, mirrored

ROOT = Path(__file__).parents[2]
REMEDY = "into the folder that the study's key `mirror` names (or --config mirror=FOLDER)"


def zipped(text: str = "content") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("folder/member.txt", text)
    return stream.getvalue()


CONTENT, CHANGED = zipped(), zipped("new")


class Handler(BaseHTTPRequestHandler):
    """`/good` and `/mirror` serve the archive; the other paths fail as publishers do."""

    asked: list[str]
    ranges: list[str | None]
    delay: int | None = None

    def do_GET(self):
        self.asked.append(self.path)
        self.ranges.append(self.headers["Range"])
        answers = {
            "/good/a.zip": (200, CONTENT, len(CONTENT)),
            "/mirror/toy/a.zip": (200, CONTENT, len(CONTENT)),
            "/other/a.zip": (200, zipped("another version"), None),
            "/page/a.zip": (200, b"\n<!DOCTYPE html><html><body>Please log in</body></html>", None),
            "/cut/a.zip": (200, CONTENT[:60], len(CONTENT)),
            "/silently_cut/a.zip": (200, CONTENT[:-30], None),
            "/short/a.zip": (200, CONTENT, len(CONTENT) - 30),
            "/huge/a.zip": (200, CONTENT, 10**15),
            "/busy/a.zip": (503, b"", 0),
            "/broken/a.zip": (500, b"", 0),
            "/forbidden/a.zip": (403, b"", 0),
            "/crowded/a.zip": (429, b"", 0),
        }
        status, body, size = answers.get(self.path, (404, b"", 0))
        first = self.asked.count(self.path) == 1
        if self.path in ("/flaky/a.zip", "/soon/a.zip"):
            body, size = CONTENT, len(CONTENT)
            status = 200 if not first else {"/flaky/a.zip": 503, "/soon/a.zip": 429}[self.path]
        headers = {"Retry-After": "7"} if self.path == "/soon/a.zip" and first else {}
        if self.path.startswith("/dropping"):
            return self._drop_at_first(first)
        self._answer(status, body, size, headers)

    def _drop_at_first(self, first: bool):
        """Send 60 bytes of the archive, then, asked again, the rest or what this path says."""
        kind = self.path.split("/")[2]
        version = {"ETag": '"1"'} if kind != "unversioned" else {}
        asked = self.headers["Range"]
        if first or kind == "always":
            start = int(asked[6:-1]) if asked else 0
            whole = len(CONTENT) - start
            place = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
            body = b"" if kind == "always" and start else CONTENT[start : start + 60]
            return self._answer(206 if start else 200, body, whole, version | place)
        if kind == "changed" or not asked:  # If-Range does not fit, so the whole new file is sent
            return self._answer(200, CHANGED if kind == "changed" else CONTENT, None, {"ETag": '"2"'})
        start = int(asked[6:-1])
        assert self.headers["If-Range"] == '"1"'
        if kind == "beyond":
            return self._answer(416, b"", 0, {})
        told = 0 if kind == "lying" else start
        place = {"Content-Range": f"bytes {told}-{len(CONTENT) - 1}/{len(CONTENT)}"}
        return self._answer(206, CONTENT[start:], len(CONTENT) - start, version | place)

    def _answer(self, status: int, body: bytes, size: int | None, headers: dict[str, str]):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if size is not None:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


PAUSES = []


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Tests do not wait; what they would have waited for is in `PAUSES`."""
    PAUSES.clear()
    monkeypatch.setattr(web.time, "sleep", PAUSES.append)
    monkeypatch.setattr(web, "PIECE", 10)


@pytest.fixture
def server(monkeypatch):
    """Return the address of a server on this machine."""
    monkeypatch.setattr(Handler, "asked", [], raising=False)
    monkeypatch.setattr(Handler, "ranges", [], raising=False)
    with served(Handler) as address:
        yield address


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


@pytest.mark.parametrize(
    "first", ["absent", "page", "cut", "silently_cut", "short", "busy", "broken", "forbidden", "crowded"]
)
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
        ("broken", "HTTP 500"),
        ("forbidden", "HTTP 403"),
        ("crowded", "HTTP 429"),
        ("short", "not a whole zip archive"),
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
    dataset = Dataset("Toy", (Archive("b.zip"), published), index=list, counts={}, licence="", access="", citation="")
    assert dataset.archive("a.zip") == published
    asked = dataset.archive("a.zip", f"sha256:{hashlib.sha256(CONTENT).hexdigest()}")
    fetch(asked, "toy", path)
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


def test_pauses_grow_and_a_servers_wish_is_heeded(server, path):
    fetch(archive(f"{server}/busy/a.zip", f"{server}/soon/a.zip"), "toy", path)
    assert PAUSES == [2, 4, 8, 7]
    assert path.read_bytes() == CONTENT


def test_a_refusal_is_not_tried_again(server, path):
    refused(archive(f"{server}/forbidden/a.zip", f"{server}/absent/a.zip"), "toy", path)
    assert Handler.asked == ["/forbidden/a.zip", "/absent/a.zip"]


def test_a_download_that_broke_off_goes_on_where_it_stopped(server, path):
    fetch(archive(f"{server}/dropping/once/a.zip"), "toy", path)
    assert path.read_bytes() == CONTENT
    assert Handler.ranges == [None, "bytes=60-"]
    assert [file.name for file in path.parent.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [("changed", CHANGED), ("unversioned", CONTENT), ("lying", CONTENT), ("beyond", CONTENT)],
)
def test_parts_of_different_files_are_never_joined(server, path, kind, content):
    fetch(archive(f"{server}/dropping/{kind}/a.zip"), "toy", path)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["a.zip"]


def test_the_next_call_goes_on_where_this_one_gave_up(server, path):
    """Nothing half-written is ever under the archive's name."""
    broken = archive(f"{server}/dropping/always/a.zip")
    with pytest.raises(UserError, match="the connection broke off"):
        fetch(broken, "toy", path)
    assert not path.exists()
    assert any(file.stat().st_size == 60 for file in path.parent.iterdir())
    with pytest.raises(UserError):
        fetch(broken, "toy", path)
    assert Handler.ranges[-1] == "bytes=60-"
    fetch(archive(f"{server}/dropping/always/a.zip", f"{server}/good/a.zip"), "toy", path)
    assert [file.name for file in path.parent.iterdir()] == ["a.zip"]


def test_a_download_that_gains_at_every_try_is_not_given_up(server, path, monkeypatch):
    steps = iter(range(20, 1000, 20))

    def stream(url, partial):
        partial.write_bytes(CONTENT[: next(steps)])
        if partial.stat().st_size < len(CONTENT):
            raise requests.ConnectionError

    monkeypatch.setattr(web, "_stream", stream)
    fetch(archive(f"{server}/good/a.zip"), "toy", path)
    assert path.read_bytes() == CONTENT


def test_progress_is_logged_in_tenths_with_the_time_left(caplog, monkeypatch):
    monkeypatch.setattr(web.time, "monotonic", iter(range(1000)).__next__)
    with caplog.at_level("INFO"):
        progress = web._Progress("URL", 0, 10**9)
        for _ in range(100):
            progress.add(10**7)
    assert [record.message for record in caplog.records][:2] == [
        "URL: 10 % of 1,000 MB, 9 s left",
        "URL: 20 % of 1,000 MB, 8 s left",
    ]
    assert len(caplog.records) == 9


class Refusal(requests.HTTPError):
    """What Kaggle's client raises: it carries the server's answer."""

    def __init__(self, status: int):
        answer = requests.Response()
        answer.status_code, answer.reason = status, "Refused"
        super().__init__("many\n\nlines", response=answer)


@pytest.fixture
def kaggle(monkeypatch):
    """Stand in for Kaggle's client; the test sets what it does when asked for a competition."""
    client, exceptions = types.ModuleType("kagglehub"), types.ModuleType("kagglehub.exceptions")
    exceptions.DataCorruptionError = type("DataCorruptionError", (Exception,), {})
    exceptions.UnauthenticatedError = type("UnauthenticatedError", (Exception,), {})
    client.exceptions, client.dataset_download = exceptions, None
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    monkeypatch.setitem(sys.modules, "kagglehub.exceptions", exceptions)
    return client


def test_kaggles_client_gives_a_folder_that_is_read_in_place(kaggle, path, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "x.dcm").write_bytes(b"x")
    kaggle.competition_download = {"the-competition": str(tmp_path / "cache")}.get
    fetch(archive("kaggle:competitions/the-competition"), "toy", path)
    assert Source(path).read("x.dcm") == b"x"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            403,
            r"Kaggle refuses it \(HTTP 403\): .* accept the rules at https://www\.kaggle\.com/c/the-competition/rules",
        ),
        (401, r"Kaggle refuses it \(HTTP 401\): make an account and a token, and keep it in ~/\.kaggle/kaggle\.json"),
        (404, "HTTP 404"),
        (None, "Kaggle refuses it: make an account and a token"),
    ],
)
def test_kaggles_refusals_are_explained(kaggle, path, status, reason):
    def refuse(_):
        raise Refusal(status) if status else kaggle.exceptions.UnauthenticatedError

    kaggle.competition_download = refuse
    assert re.search(reason, refused(archive("kaggle:competitions/the-competition"), "toy", path))


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
    lines = ["from pathlib import Path", "PROJECT = Path()", 'include: "rules/common.smk"', 'include: "rules/data.smk"']
    (tmp_path / "Snakefile").write_text("\n".join(lines), encoding="utf-8")
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


@pytest.mark.parametrize(
    ("mirror", "place"),
    [
        ("https://host/folder/", "https://host/folder/a.zip"),
        ("https://host/folder?sv=1&sig=a%2Fb", "https://host/folder/a.zip?sv=1&sig=a%2Fb"),
        ("http://user:word@host", "http://user:word@host/a.zip"),
    ],
)
def test_a_mirror_may_have_a_signature(mirror, place):
    assert mirrored("a.zip", "toy", mirror) == [place, place.replace("a.zip", "toy/a.zip")]
