"""Downloads from a local HTTP server that misbehaves in a given way."""

import gzip
import hashlib
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
import pytest

from fastmlp.datasets.download import DownloadError, download

CONTENT = np.random.default_rng(0).integers(0, 64, 300_000, np.uint8).tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
BODY = gzip.compress(CONTENT, 1, mtime=0)
HALF = len(BODY) // 2


@dataclass(frozen=True)
class Reply:
    """A response of the server."""

    status: int = 200
    body: bytes = BODY
    stop_after: int | None = None  # close the connection after so many bytes of the body
    ranges: bool = True  # heed the header Range
    sized: bool = True  # send Content-Length
    announced: int | None = None  # Content-Length, if it is not that of the body
    shift: int = 0  # send another range than the requested one
    halfway: Callable[[], object] | None = None  # called in the middle of the body
    endless: bool = False  # repeat the body until the client closes the connection
    location: str = ""  # of a redirection


class Server(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies = []  # one a request, in order; the last one serves all further ones
        self.requests = []  # (path, Range header)
        self.address = f"http://127.0.0.1:{self.server_port}/file.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args):
        pass

    def do_GET(self):
        requested = self.headers["Range"]
        self.server.requests.append((self.path, requested))
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        status, start, body = reply.status, 0, reply.body
        if status == 200 and requested and reply.ranges:
            start = int(requested.removeprefix("bytes=").removesuffix("-")) + reply.shift
            status = 206 if start < len(body) else 416
            body = body[start:]
        self.send_response(status)
        if status == 206:
            end = len(reply.body)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if reply.location:
            self.send_header("Location", reply.location)
        if reply.sized:
            self.send_header("Content-Length", str(reply.announced or len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # a client may close the connection early
            while reply.endless:
                self.wfile.write(body)
            body = body[: reply.stop_after]
            self.wfile.write(body[: len(body) // 2])
            if reply.halfway:
                reply.halfway()
            self.wfile.write(body[len(body) // 2 :])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "file.gz"


@pytest.fixture
def part(path):
    """The partial file that an interrupted download leaves."""
    path.parent.mkdir()
    return path.with_name("file.gz.part")


@pytest.fixture
def refused():
    """An address at which no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/file.gz"


def get(path, addresses, **options) -> None:
    """Download the content, without waiting between rounds."""
    download(path, addresses, SHA256, len(CONTENT), **{"sleep": lambda seconds: None, **options})


def ranges(server: Server) -> list[str | None]:
    return [requested for _, requested in server.requests]


def files(path) -> list[str]:
    return [p.name for p in path.parent.iterdir()]


def test_a_good_file_arrives_alone_and_at_the_first_request(server, path):
    server.replies = [Reply()]
    get(path, [server.address])
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]
    assert ranges(server) == [None]


@pytest.mark.parametrize(
    "body", [CONTENT, gzip.compress(CONTENT, 9, mtime=1)], ids=["plain", "gzipped otherwise"]
)
def test_the_checksum_is_that_of_the_decompressed_bytes(server, path, body):
    server.replies = [Reply(body=body)]
    get(path, [server.address])
    assert path.read_bytes() == body


def test_an_older_file_is_replaced(server, path):
    path.parent.mkdir()
    path.write_bytes(b"old")
    server.replies = [Reply()]
    get(path, [server.address])
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>sign in</html>", gzip.compress(CONTENT[:-1]), BODY[:-9], BODY[:-1], BODY + b"x"],
    ids=["empty", "other", "other gzip", "gzip cut short", "trailer cut short", "more behind it"],
)
@pytest.mark.parametrize("sized", [True, False])
def test_wrong_bytes_are_thrown_away(server, path, body, sized):
    server.replies = [Reply(body=body, sized=sized)]
    with pytest.raises(DownloadError, match=f"file.gz: SHA-256 .* expected {SHA256}"):
        get(path, [server.address])
    assert files(path) == []
    assert ranges(server) == [None] * 3


def test_wrong_bytes_from_one_mirror_do_not_stop_the_next(server, path):
    server.replies = [Reply(body=b"wrong"), Reply()]
    get(path, [server.address, server.address])
    assert path.read_bytes() == BODY


def test_a_cut_body_is_kept_and_continued(server, path):
    server.replies = [Reply(stop_after=HALF), Reply()]
    get(path, [server.address])
    assert ranges(server) == [None, f"bytes={HALF}-"]
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]


def test_a_body_that_is_always_cut_leaves_its_part_and_no_file(server, path):
    server.replies = [Reply(stop_after=1000)]
    with pytest.raises(DownloadError, match=f"closed {len(BODY) - 3000} bytes before the end"):
        get(path, [server.address])
    assert files(path) == ["file.gz.part"]
    assert path.with_name("file.gz.part").read_bytes() == BODY[:3000]


def test_an_earlier_part_is_continued_by_range(server, path, part):
    part.write_bytes(BODY[:HALF])
    server.replies = [Reply()]
    get(path, [server.address])
    assert ranges(server) == [f"bytes={HALF}-"]
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]


def test_a_server_that_ignores_range_starts_afresh(server, path, part):
    part.write_bytes(BODY[:HALF])
    server.replies = [Reply(ranges=False)]
    get(path, [server.address])
    assert ranges(server) == [f"bytes={HALF}-"]
    assert path.read_bytes() == BODY


def test_a_complete_part_needs_no_more_than_a_416(server, path, part):
    part.write_bytes(BODY)
    server.replies = [Reply()]
    get(path, [server.address])
    assert ranges(server) == [f"bytes={len(BODY)}-"]
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("left", "shift"),
    [(b"x" * HALF, 0), (BODY + b"more", 0), (BODY[:HALF], 1)],
    ids=["other bytes", "too long, answered by 416", "another range is sent"],
)
def test_a_part_that_does_not_fit_is_thrown_away_and_all_is_fetched(
    server, path, part, left, shift
):
    part.write_bytes(left)
    server.replies = [Reply(shift=shift), Reply()]
    get(path, [server.address])
    assert ranges(server) == [f"bytes={len(left)}-", None]
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("status", [404, 403, 500, 503, 416])
def test_a_mirror_that_responds_with_an_error_is_passed_over(server, path, status):
    server.replies = [Reply(status=status, body=b"sorry"), Reply()]
    second = server.address.replace("file", "mirror/file")
    get(path, [server.address, second])
    assert [address for address, _ in server.requests] == [
        urlsplit(server.address).path,
        "/mirror/file.gz",
    ]
    assert path.read_bytes() == BODY


def test_a_refused_connection_is_passed_over(server, path, refused):
    server.replies = [Reply()]
    get(path, [refused, server.address])
    assert path.read_bytes() == BODY


def test_a_silent_server_is_given_up(server, path):
    barrier = threading.Barrier(2)
    server.replies = [Reply(halfway=lambda: barrier.wait(30)), Reply()]
    get(path, [server.address], timeout=0.2, sleep=lambda seconds: barrier.wait(30))
    assert ranges(server)[0] is None and len(ranges(server)) == 2
    assert path.read_bytes() == BODY


def test_waits_grow_and_only_between_rounds(refused, path):
    waits = []
    with pytest.raises(DownloadError):
        get(path, [refused, refused], rounds=4, sleep=waits.append)
    assert waits == [1, 2, 4]


@pytest.mark.parametrize("status", [404, 416])
def test_the_error_names_every_address_with_its_reason(server, path, refused, status):
    server.replies = [Reply(status=status)]
    with pytest.raises(DownloadError) as caught:
        get(path, [server.address, refused])
    message = str(caught.value)
    assert f"\n  {server.address}: HTTP Error {status}: {HTTPStatus(status).phrase}" in message
    assert f"\n  {refused}: <urlopen error" in message
    assert files(path) == []


def test_an_interrupt_keeps_the_part_for_the_next_time(server, path):
    def interrupt(seconds):
        raise KeyboardInterrupt

    server.replies = [Reply(stop_after=HALF), Reply()]
    with pytest.raises(KeyboardInterrupt):
        get(path, [server.address], sleep=interrupt)
    assert files(path) == ["file.gz.part"]
    get(path, [server.address])
    assert ranges(server) == [None, f"bytes={HALF}-"]
    assert path.read_bytes() == BODY


def test_downloads_of_one_file_at_the_same_time_do_not_mix(server, path, part):
    part.write_bytes(BODY[:HALF])
    barrier = threading.Barrier(3)
    server.replies = [Reply(halfway=lambda: barrier.wait(30))]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(get, path, [server.address]) for _ in range(3)]:
            done.result()
    assert sorted(ranges(server), key=str) == [None, None, f"bytes={HALF}-"]
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]


class Clock:
    """A clock that goes on when it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def test_a_slow_server_is_given_up_and_the_next_one_continues(server, path):
    clock = Clock()
    server.replies = [Reply(halfway=lambda: clock.advance(600)), Reply()]
    second = server.address.replace("file", "mirror/file")
    get(path, [server.address, second], clock=clock)
    assert [address for address, _ in server.requests] == ["/file.gz", "/mirror/file.gz"]
    assert path.read_bytes() == BODY


def test_a_download_that_takes_too_long_ends_and_keeps_its_part(server, path):
    clock = Clock()
    server.replies = [Reply(halfway=lambda: clock.advance(1800))]
    with pytest.raises(DownloadError, match=r"within 1800 seconds:\n.*the time .* is up"):
        get(path, [server.address, server.address], clock=clock)
    assert ranges(server) == [None]
    assert files(path) in (["file.gz.part"], [])
    get(path, [server.address])
    assert path.read_bytes() == BODY


def test_waits_end_with_the_time_for_the_download(refused, path):
    clock = Clock()
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    with pytest.raises(DownloadError, match="within 2.5 seconds"):
        get(path, [refused], max_seconds=2.5, sleep=sleep, clock=clock)
    assert waits == [1, 1.5]


@pytest.mark.parametrize("status", [200, 302])
def test_an_endless_body_is_cut_off_and_discarded(server, path, status):
    endless = Reply(status, endless=True, sized=False, location=server.address)
    server.replies = [endless, Reply()]
    get(path, [server.address, server.address])
    assert ranges(server) == [None, None]
    assert path.read_bytes() == BODY


def test_an_endless_body_takes_no_more_room_than_the_file_may_have(server, path):
    server.replies = [Reply(endless=True, sized=False)]
    with pytest.raises(DownloadError, match="sends more than the 304396 bytes that were expected"):
        get(path, [server.address])
    assert files(path) == []


def test_a_body_that_is_announced_as_too_large_is_not_read(server, path, part):
    part.write_bytes(BODY[:HALF])
    server.replies = [Reply(announced=10**15, ranges=False), Reply()]
    get(path, [server.address, server.address])
    assert ranges(server) == [f"bytes={HALF}-"] * 2
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("announced", "reason"), [(len(BODY) + 9, "closed 9 bytes before"), (HALF, "end-of-stream")]
)
def test_a_body_of_another_length_than_announced_is_no_file(server, path, announced, reason):
    server.replies = [Reply(announced=announced)]
    with pytest.raises(DownloadError, match=reason):
        get(path, [server.address], rounds=1)
    assert not path.exists()


def test_a_file_that_expands_too_far_is_not_decompressed_to_its_end(server, path):
    server.replies = [Reply(body=gzip.compress(bytes(10**7)))]
    with pytest.raises(DownloadError, match=r"undefined \(more than 300000 bytes\)"):
        get(path, [server.address])
    assert files(path) == []


def test_content_that_does_not_compress_fits_into_the_limit(server, path):
    content = np.random.default_rng(1).bytes(100_000)
    server.replies = [Reply(body=gzip.compress(content, 0))]
    download(path, [server.address], hashlib.sha256(content).hexdigest(), len(content))
    assert gzip.decompress(path.read_bytes()) == content
