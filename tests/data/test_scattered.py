"""Files that are scattered over the web: what is there is packed, what is missing is counted and listed."""

import csv
import hashlib
import io
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from served import served

from medpeft.base.errors import UserError
from medpeft.data.dataset import Archive, Link
from medpeft.data.datasets.fitzpatrick17k import links
from medpeft.data.fetching import scattered, web
from medpeft.data.fetching.download import fetch
from medpeft.data.fetching.scattered import gather

NOWHERE = "http://127.0.0.1:9"


class Handler(BaseHTTPRequestHandler):
    """Serves `/<n>.jpg` but for multiples of three."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        number = int(self.path.strip("/").removesuffix(".jpg"))
        body = b"" if number % 3 == 0 else picture(number)
        self.send_response(404 if number % 3 == 0 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def picture(number: int) -> bytes:
    return f"picture {number}".encode()


def link(address: str, number: int, md5: str | None = None) -> Link:
    return Link(f"{number}.jpg", f"{address}/{number}.jpg", md5 or hashlib.md5(picture(number)).hexdigest())


@pytest.fixture
def server(monkeypatch):
    """Return the address of a server on this machine; nothing waits."""
    monkeypatch.setattr(web.time, "sleep", lambda _: None)
    monkeypatch.setattr(Handler, "asked", [], raising=False)
    with served(Handler) as address:
        yield address


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def missing(path: Path) -> dict[str, str]:
    """Return the reasons in the archive's list of what is missing."""
    rows = csv.DictReader(io.StringIO(members(path)["failed.csv"].decode()))
    return {row["name"]: row["reason"] for row in rows}


def test_what_is_there_is_packed_and_the_rest_is_listed(server, tmp_path, caplog):
    wanted = [link(server, number) for number in range(10)]
    wanted += [link(server, 10, md5=32 * "0"), Link("11.jpg", "", ""), link(NOWHERE, 13)]
    assert gather(wanted, tmp_path / "a.zip", tmp_path / "a.links") == []
    there = {f"{number}.jpg": picture(number) for number in range(10) if number % 3}
    assert {name: data for name, data in members(tmp_path / "a.zip").items() if name != "failed.csv"} == there
    assert missing(tmp_path / "a.zip") == {
        **{f"{number}.jpg": "HTTP 404 Not Found" for number in (0, 3, 6, 9)},
        "10.jpg": "another file than the table was made with (MD5)",
        "11.jpg": "no address",
        "13.jpg": "no connection",
    }
    assert "6 of 13 files were found" in caplog.text
    assert "4 files: HTTP 404 Not Found" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_an_interrupted_gathering_goes_on_and_asks_for_nothing_twice(server, tmp_path, monkeypatch):
    wanted = [link(server, number) for number in range(12)]
    fetch_one = scattered._fetch_one

    def interrupted_at_the_eighth(wish, folder, hosts):
        if wish.name == "8.jpg":
            raise KeyboardInterrupt
        return fetch_one(wish, folder, hosts)

    monkeypatch.setattr(scattered, "TOGETHER", 1)
    monkeypatch.setattr(scattered, "_fetch_one", interrupted_at_the_eighth)
    with pytest.raises(KeyboardInterrupt):
        gather(wanted, tmp_path / "a.zip", tmp_path / "a.links")
    assert not (tmp_path / "a.zip").exists()
    monkeypatch.setattr(scattered, "_fetch_one", fetch_one)
    gather(wanted, tmp_path / "a.zip", tmp_path / "a.links")
    found = [path for path in Handler.asked if int(path[1:-4]) % 3]
    assert len(found) == len(set(found)) == 8
    assert sorted(missing(tmp_path / "a.zip")) == ["0.jpg", "3.jpg", "6.jpg", "9.jpg"]


def test_a_torn_line_of_the_list_of_failures_names_no_file(server, tmp_path):
    """The next line would be written behind it: a file `0.j1.jpg` was never asked for."""
    (tmp_path / "a.links").mkdir()
    (tmp_path / "a.links" / "failed.csv").write_text("0.jpg,http://x,HTTP 404\n3.j")
    gather([link(server, number) for number in range(5)], tmp_path / "a.zip", tmp_path / "a.links")
    assert missing(tmp_path / "a.zip") == {"0.jpg": "HTTP 404", "3.jpg": "HTTP 404 Not Found"}


def test_a_host_that_never_answers_is_given_up(tmp_path, monkeypatch):
    asked = []

    def unanswered(url, path, attempts):
        asked.append(url)
        raise web.Unfit("no connection")

    monkeypatch.setattr(scattered, "download", unanswered)
    monkeypatch.setattr(scattered, "TOGETHER", 1)
    (reason,) = gather([link(NOWHERE, number) for number in range(100)], tmp_path / "a.zip", tmp_path / "a.links")
    assert len(asked) == scattered.PATIENCE
    assert reason == "none of 100 links gives a file, most for this reason: 127.0.0.1:9 does not answer"
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("name", ["../x.jpg", "a/b.jpg", "/x", "", ".x"])
def test_a_list_that_names_files_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="which is no plain name"):
        gather([Link(name, NOWHERE)], tmp_path / "a.zip", tmp_path / "a.links")


TABLE = """md5hash,fitzpatrick_scale,label,three_partition_label,url
{0},3,acne,non-neoplastic,{1}/1.jpg
{2},-1,acne,non-neoplastic,{1}/2.jpg
{3},2,acne,non-neoplastic,
"""


def test_an_archive_without_an_address_is_gathered_from_its_table(server, tmp_path):
    """Of Fitzpatrick17k, images without a skin type are not asked for."""
    hashes = [hashlib.md5(picture(number)).hexdigest() for number in (1, 2, 4)]
    table = tmp_path / "fitzpatrick17k.csv"
    table.write_text(TABLE.format(hashes[0], server, *hashes[1:]), encoding="utf-8")
    images = Archive("a.zip", links=links, listed_in=table.name)
    fetch(images, "toy", tmp_path / "raw" / "a.zip", listing=table)
    assert members(tmp_path / "raw" / "a.zip")[f"{hashes[0]}.jpg"] == picture(1)
    assert missing(tmp_path / "raw" / "a.zip") == {f"{hashes[2]}.jpg": "no address"}
    assert Handler.asked == ["/1.jpg"]


def test_images_in_the_mirror_go_before_their_links(server, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.jpg", b"x")
    images = Archive("a.zip", links=lambda _: [link(server, 1)], listed_in="table.csv")
    fetch(images, "toy", tmp_path / "raw" / "a.zip", mirror=str(tmp_path))
    assert Handler.asked == []
    assert members(tmp_path / "raw" / "a.zip") == {"x.jpg": b"x"}


def test_where_no_link_lives_the_sentence_says_so_and_the_remedy(tmp_path):
    images = Archive("a.zip", links=lambda _: [Link("x.jpg", "")], listed_in="table.csv")
    table = tmp_path / "table.csv"
    with pytest.raises(UserError, match=r"none of 1 links gives a file, .*: no address\): access: ask them; put"):
        fetch(images, "toy", tmp_path / "raw" / "a.zip", access="ask them", listing=table)
