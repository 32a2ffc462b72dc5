"""Downloads from a server on this machine that breaks off, lies and changes its files."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llm4mat_bench.dataset_builder.catalogue import get_source
from llm4mat_bench.dataset_builder.readers.download import ATTEMPTS, Target, download_source, fetch_file, targets
from llm4mat_bench.errors import DataError, UsageError

DATA = bytes(range(256)) * 12_000


class _Server(ThreadingHTTPServer):
    """Serves DATA with ranges; can break off after so many bytes, answer with errors, or change the file."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.tag = DATA, '"one"'
        self.break_after: int | None = None
        self.breaks_left = 0
        self.statuses: list[int] = []
        self.ranges: list[str | None] = []
        self.html = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/dump.zip"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        if server.statuses:
            self.send_response(server.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if self.headers.get("Range") and self.headers.get("If-Range") == server.tag:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if start >= len(server.data):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.tag)
        self.send_header("Content-Type", "text/html" if server.html else "application/zip")
        self.end_headers()
        if server.break_after is not None and server.breaks_left > 0:
            server.breaks_left -= 1
            self.wfile.write(body[: server.break_after])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[_Server]:
    one = _Server()
    thread = threading.Thread(target=one.serve_forever, daemon=True)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()


def _fetch(server: _Server, path: Path, **known: str | int) -> Path:
    return fetch_file(Target(server.url, path, **known), pause_s=0.0)  # type: ignore[arg-type]


def test_whole_file_with_checks_and_progress(server: _Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = Target(
        server.url,
        tmp_path / "in" / "dump.zip",
        size_bytes=len(DATA),
        md5=hashlib.md5(DATA).hexdigest(),
        sha256=hashlib.sha256(DATA).hexdigest(),
    )
    path = fetch_file(target, lambda _, done, total: seen.append((done, total)))
    assert path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert [p.name for p in path.parent.iterdir()] == ["dump.zip"]
    fetch_file(target)
    assert len(server.ranges) == 1, "what is there is not fetched again"


def test_goes_on_after_breaks(server: _Server, tmp_path: Path) -> None:
    server.break_after, server.breaks_left = 1_000_000, 2
    assert _fetch(server, tmp_path / "dump.zip", sha256=hashlib.sha256(DATA).hexdigest()).read_bytes() == DATA
    assert server.ranges[0] is None
    assert all(one and one.startswith("bytes=") for one in server.ranges[1:])
    assert len(server.ranges) == 3


def test_gives_up_but_keeps_what_came(server: _Server, tmp_path: Path) -> None:
    server.break_after, server.breaks_left = 100_000, ATTEMPTS
    with pytest.raises(DataError, match=f"broke off {ATTEMPTS} times"):
        _fetch(server, tmp_path / "dump.zip")
    assert not (tmp_path / "dump.zip").exists()
    assert (tmp_path / "dump.zip.part").stat().st_size > 0
    assert _fetch(server, tmp_path / "dump.zip").read_bytes() == DATA
    assert server.ranges[-1] is not None


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(server: _Server, tmp_path: Path) -> None:
    server.break_after, server.breaks_left = 500_000, ATTEMPTS
    with pytest.raises(DataError):
        _fetch(server, tmp_path / "dump.zip")
    server.data, server.tag = DATA[::-1], '"two"'
    assert _fetch(server, tmp_path / "dump.zip").read_bytes() == DATA[::-1]


def test_everything_came_but_the_name(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "dump.zip.part").write_bytes(DATA)
    (tmp_path / "dump.zip.part.etag").write_text('"one"')
    assert _fetch(server, tmp_path / "dump.zip").read_bytes() == DATA


def test_busy_servers_are_asked_again(server: _Server, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert _fetch(server, tmp_path / "dump.zip").read_bytes() == DATA


def test_refusals_and_wrong_files(server: _Server, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(DataError, match="HTTP 404"):
        _fetch(server, tmp_path / "a.zip")
    server.html = True
    with pytest.raises(DataError, match="a web page"):
        _fetch(server, tmp_path / "b.zip")
    server.html = False
    with pytest.raises(DataError, match="md5 is"):
        _fetch(server, tmp_path / "c.zip", md5="0" * 32)
    with pytest.raises(DataError, match="3,072,000 bytes, 7 are expected"):
        _fetch(server, tmp_path / "d.zip", size_bytes=7)
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob("[cd].zip.part"))


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="broke off"):
        fetch_file(Target("http://127.0.0.1:9/x.zip", tmp_path / "x.zip"), pause_s=0.0)


def test_targets_of_the_catalogue(tmp_path: Path) -> None:
    assert [target.path.name for target in targets(get_source("gnome"), tmp_path)] == [
        "stable_materials_summary.csv",
        "by_id.zip",
    ]
    hea = targets(get_source("cantor_hea"), tmp_path)[0]
    assert (hea.path.name, hea.size_bytes, hea.md5) == (
        "hea.2023-04-06.csv",
        452858376,
        "4754d35ac163bb8804ef2f24ace659f7",
    )
    assert targets(get_source("oqmd"), tmp_path)[0].path.name == "all_oqmd.json.zip"


def test_registration_is_asked_for(tmp_path: Path) -> None:
    omdb = get_source("omdb")
    closed = omdb.model_copy(update={"download": omdb.download.model_copy(update={"access": "registration"})})
    with pytest.raises(UsageError, match="asks for registration"):
        download_source(closed, tmp_path)
