"""Downloads from a real HTTP server on this machine that misbehaves as told."""

import gzip
import hashlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
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
    """What the server does once. It honors Range unless told otherwise."""

    status: int = 200
    body: bytes = BODY
    stop_after: int | None = None  # close the connection after so many bytes of those promised
    ranges: bool = True
    sized: bool = True  # send Content-Length
    shift: int = 0  # send another range than was asked for
    wait: threading.Barrier | None = None  # in the middle of the body


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
        asked = self.headers["Range"]
        self.server.requests.append((self.path, asked))
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        status, start, body = reply.status, 0, reply.body
        if status == 200 and asked and reply.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-")) + reply.shift
            status = 206 if start < len(body) else 416
            body = body[start:]
        self.send_response(status)
        if status == 206:
            end = len(reply.body)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        if reply.sized:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: reply.stop_after]
        self.wfile.write(body[: len(body) // 2])
        if reply.wait:
            reply.wait.wait(timeout=30)
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
    """An address at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/file.gz"


def no_sleep(seconds: float) -> None:
    pass


def ranges(server: Server) -> list[str | None]:
    return [asked for _, asked in server.requests]


def files(path) -> list[str]:
    return [p.name for p in path.parent.iterdir()]


def test_a_good_file_arrives_alone_and_at_the_first_request(server, path):
    server.replies = [Reply()]
    download(path, [server.address], SHA256)
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]
    assert ranges(server) == [None]


@pytest.mark.parametrize(
    "body", [CONTENT, gzip.compress(CONTENT, 9, mtime=1)], ids=["plain", "gzipped otherwise"]
)
def test_the_checksum_is_that_of_the_decompressed_bytes(server, path, body):
    server.replies = [Reply(body=body)]
    download(path, [server.address], SHA256)
    assert path.read_bytes() == body


def test_an_older_file_is_replaced(server, path):
    path.parent.mkdir()
    path.write_bytes(b"old")
    server.replies = [Reply()]
    download(path, [server.address], SHA256)
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
        download(path, [server.address], SHA256, sleep=no_sleep)
    assert files(path) == []
    assert ranges(server) == [None] * 3


def test_wrong_bytes_from_one_mirror_do_not_stop_the_next(server, path):
    server.replies = [Reply(body=b"wrong"), Reply()]
    download(path, [server.address, server.address], SHA256)
    assert path.read_bytes() == BODY


def test_a_cut_body_is_kept_and_continued(server, path):
    server.replies = [Reply(stop_after=HALF), Reply()]
    download(path, [server.address], SHA256, sleep=no_sleep)
    assert ranges(server) == [None, f"bytes={HALF}-"]
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]


def test_a_body_that_is_always_cut_leaves_its_part_and_no_file(server, path):
    server.replies = [Reply(stop_after=1000)]
    with pytest.raises(DownloadError, match=f"closed {len(BODY) - 3000} bytes before the end"):
        download(path, [server.address], SHA256, sleep=no_sleep)
    assert files(path) == ["file.gz.part"]
    assert path.with_name("file.gz.part").read_bytes() == BODY[:3000]


def test_an_earlier_part_is_continued_by_range(server, path, part):
    part.write_bytes(BODY[:HALF])
    server.replies = [Reply()]
    download(path, [server.address], SHA256)
    assert ranges(server) == [f"bytes={HALF}-"]
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]


def test_a_server_that_ignores_range_starts_afresh(server, path, part):
    part.write_bytes(BODY[:HALF])
    server.replies = [Reply(ranges=False)]
    download(path, [server.address], SHA256)
    assert ranges(server) == [f"bytes={HALF}-"]
    assert path.read_bytes() == BODY


def test_a_complete_part_needs_no_more_than_a_416(server, path, part):
    part.write_bytes(BODY)
    server.replies = [Reply()]
    download(path, [server.address], SHA256)
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
    download(path, [server.address], SHA256, sleep=no_sleep)
    assert ranges(server) == [f"bytes={len(left)}-", None]
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("status", [404, 403, 500, 503, 416])
def test_a_mirror_that_answers_with_an_error_is_passed_over(server, path, status):
    server.replies = [Reply(status=status, body=b"sorry"), Reply()]
    second = server.address.replace("file", "mirror/file")
    download(path, [server.address, second], SHA256)
    assert [asked for asked, _ in server.requests] == [
        urlsplit(server.address).path,
        "/mirror/file.gz",
    ]
    assert path.read_bytes() == BODY


def test_a_refused_connection_is_passed_over(server, path, refused):
    server.replies = [Reply()]
    download(path, [refused, server.address], SHA256)
    assert path.read_bytes() == BODY


def test_a_silent_server_is_given_up(server, path):
    barrier = threading.Barrier(2)
    server.replies = [Reply(wait=barrier), Reply()]
    download(path, [server.address], SHA256, timeout=0.2, sleep=lambda s: barrier.wait(30))
    assert ranges(server)[0] is None and len(ranges(server)) == 2
    assert path.read_bytes() == BODY


def test_waits_grow_and_only_between_rounds(refused, path):
    waits = []
    with pytest.raises(DownloadError):
        download(path, [refused, refused], SHA256, rounds=4, sleep=waits.append)
    assert waits == [1, 2, 4]


@pytest.mark.parametrize("status", [404, 416])
def test_the_error_names_every_address_with_its_reason(server, path, refused, status):
    server.replies = [Reply(status=status)]
    with pytest.raises(DownloadError) as caught:
        download(path, [server.address, refused], SHA256, sleep=no_sleep)
    message = str(caught.value)
    assert f"\n  {server.address}: HTTP Error {status}: {HTTPStatus(status).phrase}" in message
    assert f"\n  {refused}: <urlopen error" in message
    assert files(path) == []


def test_an_interrupt_keeps_the_part_for_the_next_time(server, path):
    def interrupt(seconds):
        raise KeyboardInterrupt

    server.replies = [Reply(stop_after=HALF), Reply()]
    with pytest.raises(KeyboardInterrupt):
        download(path, [server.address], SHA256, sleep=interrupt)
    assert files(path) == ["file.gz.part"]
    download(path, [server.address], SHA256)
    assert ranges(server) == [None, f"bytes={HALF}-"]
    assert path.read_bytes() == BODY


def test_downloads_of_one_file_at_the_same_time_do_not_mix(server, path, part):
    part.write_bytes(BODY[:HALF])
    server.replies = [Reply(wait=threading.Barrier(3))]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(download, path, [server.address], SHA256) for _ in range(3)]:
            done.result()
    assert sorted(ranges(server), key=str) == [None, None, f"bytes={HALF}-"]
    assert path.read_bytes() == BODY
    assert files(path) == ["file.gz"]
