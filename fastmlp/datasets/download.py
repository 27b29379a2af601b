"""Download one file from the first of several addresses that delivers it whole.

The bytes go to a partial file beside the target, which is renamed to the target only after its
checksum has been verified: the target is complete whenever it exists.  After an interrupted
download the partial file stays as ``<name>.part``, and the next download requests only the bytes
that are missing.  A server can neither fill the disk nor hold the download up without end: size,
transfer rate and time are limited.
"""

import gzip
import hashlib
import io
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import socket
from ssl import create_default_context
from typing import Any
from urllib.error import HTTPError
from urllib.request import (
    AbstractHTTPHandler,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from .idx import open_decompressed

__all__ = ["DownloadError", "download"]

LEAST_RATE = 1024  # bytes per second, on average over `timeout`
MOST_HEADERS = 1 << 20  # bytes that responses may have in addition to the file
PIECE = 1 << 16  # bytes for each read


class DownloadError(OSError):
    """No address delivered the file.  The message states the last reason for each address."""


class UnusableError(ValueError):
    """What a server sends cannot be the file."""


def download(
    path: Path,
    addresses: Sequence[str],
    sha256: str,
    size: int,
    *,
    rounds: int = 3,
    timeout: float = 30.0,
    max_seconds: float = 1800.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Download a file to `path`, replacing the file that is there.

    Parameters
    ----------
    path : Path
        The file to write.  Missing folders are created.
    addresses : sequence of str
        http(s) addresses of the same file, tried in turn.
    sha256 : str
        SHA-256 of the file's decompressed bytes, in hexadecimal digits.  (The same bytes compressed
        by gzip at another time or level are another file, which is as good.)
    size : int
        The number of decompressed bytes.  A response that is larger than gzip could make it is
        cut off and discarded.
    rounds : int, default 3
        How often to go through all addresses, waiting 1, 2, 4, … seconds between rounds.
    timeout : float, default 30
        Seconds after which an attempt is given up if no byte has arrived, or fewer than 1 KiB for
        each second.  What has arrived is kept.
    max_seconds : float, default 1800
        Seconds after which the download is given up.  What has arrived is kept.
    sleep : callable, default `time.sleep`
        Called with the seconds to wait.
    clock : callable, default `time.monotonic`
        Returns the time in seconds.

    Raises
    ------
    DownloadError
        If no address delivered the file with this checksum in time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = clock() + max_seconds
    reasons: dict[str, Exception] = {}
    with _claimed_part(path) as part:
        for attempt in range(rounds):
            if attempt:
                sleep(min(2.0 ** (attempt - 1), max(deadline - clock(), 0.0)))
            for address in addresses:
                if clock() >= deadline:
                    break
                try:
                    _fetch(address, part, _most_compressed(size), timeout, deadline, clock)
                    _check(part, sha256, size)
                except (OSError, HTTPException, ValueError) as error:
                    reasons[address] = error
                else:
                    _publish(part, path)
                    return
    tried = "".join(f"\n  {a}: {str(e) or type(e).__name__}" for a, e in reasons.items())
    limit = f"within {max_seconds:g} seconds" if clock() >= deadline else f"in {rounds} rounds"
    raise DownloadError(f"could not download {path.name} {limit}:{tried}")


@contextmanager
def _claimed_part(path: Path) -> Iterator[Path]:
    """Provide a partial file that no other process or thread writes to.

    The ``.part`` of an earlier download is claimed by renaming it, which succeeds in one process
    only; all others start from nothing.  What has not been published by the end is renamed back.
    """
    shared = path.with_name(f"{path.name}.part")
    own = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with suppress(FileNotFoundError):
        shared.replace(own)
    try:
        yield own
    finally:
        with suppress(FileNotFoundError):
            own.replace(shared)


def _most_compressed(size: int) -> int:
    """Return the most bytes that a plain or gzipped file of `size` bytes can have.

    Deflate adds at most 5 bytes for each 16 KiB that it cannot compress; gzip's header holds a
    file name and a comment.
    """
    return size + size // 1000 + 4096


# ------------------------------------------------------------------------------------- one request


def _fetch(
    address: str, part: Path, most: int, timeout: float, deadline: float, clock: Callable[[], float]
) -> None:
    """Append the missing bytes to `part`, or write it anew where the server sends all bytes."""
    start = part.stat().st_size if part.exists() else 0
    request = Request(address, headers={"Range": f"bytes={start}-"} if start else {})
    limits = _Limits(most + MOST_HEADERS, timeout, deadline, clock)
    try:
        response = _opener(limits).open(request, timeout=limits.seconds())
    except HTTPError as error:
        error.close()
        if start and error.code == 416:  # no bytes after `start`: complete, or wrong; see _check
            return
        raise
    with response:
        # 206: the range that was requested.  (If it is another file's, _check finds out.)
        resumed = response.status == 206
        _save(response, part, most - (start if resumed else 0), "ab" if resumed else "wb")


def _save(response: HTTPResponse, part: Path, most: int, mode: str) -> None:
    """Write a response's body to a file; discard the file if the body exceeds `most` bytes."""
    if response.length is not None and response.length > most:
        raise UnusableError(f"announces {response.length} bytes, expected at most {most}")
    received = 0
    with part.open(mode) as file:
        while received <= most and (data := response.read1(PIECE)):
            received += len(data)
            file.write(data)
    if received > most:
        part.unlink()
        raise UnusableError(f"sends more than the {most} bytes that were expected")
    if response.length:  # announced and not sent, which http.client does not report
        raise OSError(f"the connection closed {response.length} bytes before the end")


@dataclass
class _Limits:
    """Limits of one request, checked before and after each read from its connection."""

    n_bytes: int  # left, of headers and body
    timeout: float
    deadline: float
    clock: Callable[[], float]
    since: float = field(init=False)  # where the rate's current interval began
    received: int = field(init=False, default=0)  # bytes, in this interval

    def __post_init__(self) -> None:
        self.since = self.clock()

    def seconds(self) -> float:
        """Return how long the next read may take; raise TimeoutError if the time is up."""
        now = self.clock()
        if now >= self.deadline:
            raise TimeoutError("the time for the download is up")
        if now - self.since >= self.timeout:
            if self.received < LEAST_RATE * (now - self.since):
                raise TimeoutError(
                    f"too slow: {self.received} bytes in {now - self.since:.0f} seconds"
                )
            self.since, self.received = now, 0
        return min(self.timeout, self.deadline - now)

    def count(self, n_bytes: int) -> None:
        """Take note of bytes that have arrived; raise UnusableError if they are too many."""
        self.received += n_bytes
        self.n_bytes -= n_bytes
        if self.n_bytes < 0:
            raise UnusableError("sends more bytes than were expected")


class _LimitedReader(io.RawIOBase):
    """The bytes that arrive on a socket, within limits."""

    def __init__(self, sock: socket, raw: Any, limits: _Limits) -> None:
        self.sock, self.raw, self.limits = sock, raw, limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        try:
            self.sock.settimeout(self.limits.seconds())
            received: int | None = self.raw.readinto(buffer)
            self.limits.count(received or 0)
        except BaseException:
            self.raw.close()  # urllib leaves a redirection's response open when reading it fails
            raise
        return received

    def close(self) -> None:
        self.raw.close()
        super().close()


def _opener(limits: _Limits) -> OpenerDirector:
    """Return urllib's opener with limits on all that it reads: headers, redirections, bodies."""

    class Response(HTTPResponse):
        def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp = io.BufferedReader(_LimitedReader(sock, self.fp.detach(), limits))

    class Connection(HTTPConnection):
        response_class = Response

    class SecureConnection(HTTPSConnection):
        response_class = Response

    class Handler(HTTPHandler):
        def http_open(self, req: Request) -> HTTPResponse:
            return self.do_open(Connection, req)

    class SecureHandler(HTTPSHandler):
        def __init__(self) -> None:
            # HTTPSHandler's own reads the system's certificates since Python 3.12, for a tenth of a
            # second or more, before the time of the request; https_open reads them once more.
            AbstractHTTPHandler.__init__(self)

        def https_open(self, req: Request) -> HTTPResponse:
            return self.do_open(SecureConnection, req, context=create_default_context())

    return build_opener(Handler, SecureHandler)


# ----------------------------------------------------------------------------------- the whole file


def _check(part: Path, sha256: str, size: int) -> None:
    """Raise UnusableError, and discard `part`, unless its decompressed bytes are the right ones."""
    try:
        digest = _digest(part, size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        digest = f"undefined ({error})"
    if digest != sha256:
        part.unlink()
        raise UnusableError(f"SHA-256 of the decompressed bytes is {digest}, expected {sha256}")


def _digest(part: Path, size: int) -> str:
    """Return the SHA-256 of the decompressed bytes, of which more than `size` are not read."""
    digest, n_bytes = hashlib.sha256(), 0
    with open_decompressed(part) as stream:
        while data := stream.read(PIECE):
            n_bytes += len(data)
            if n_bytes > size:
                return f"undefined (more than {size} bytes)"
            digest.update(data)
    return digest.hexdigest()


def _publish(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except PermissionError:
        if not path.exists():
            raise
        # Windows does not replace a file that is being read: another process has published it
        part.unlink()
