"""Fetch one file from the first of several addresses that delivers it whole.

The bytes go to a partial file beside the target, which takes the target's name only once its
checksum is right: the target is complete whenever it exists. What an interrupted download leaves
is kept as ``<name>.part``, and the next one asks for the rest only.
"""

import gzip
import hashlib
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .idx import open_decompressed


class DownloadError(OSError):
    """No address delivered the file. The message gives each with its last reason."""


def download(
    path: Path,
    addresses: Sequence[str],
    sha256: str,
    *,
    rounds: int = 3,
    timeout: float = 30.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Download a file to `path`, replacing what is there.

    Parameters
    ----------
    path : Path
        Where the file shall be. Missing folders are made.
    addresses : sequence of str
        http(s) addresses of the same file, tried in turn.
    sha256 : str
        SHA-256 of the file's decompressed bytes, in hexadecimal digits. (The same bytes gzipped
        at another time or level make another container, and are as good.)
    rounds : int, default 3
        How often to go through all addresses, waiting 1, 2, 4, … seconds between rounds.
    timeout : float, default 30
        Seconds without a byte after which an attempt is given up.
    sleep : callable, default `time.sleep`
        Called with the seconds to wait.

    Raises
    ------
    DownloadError
        If no address delivered the file with this checksum.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    reasons: dict[str, Exception] = {}
    with _claimed_part(path) as part:
        for attempt in range(rounds):
            if attempt:
                sleep(2.0 ** (attempt - 1))
            for address in addresses:
                try:
                    _fetch(address, part, timeout)
                    _check(part, sha256)
                except (OSError, HTTPException, ValueError) as error:
                    reasons[address] = error
                else:
                    _publish(part, path)
                    return
    tried = "".join(f"\n  {a}: {str(e) or type(e).__name__}" for a, e in reasons.items())
    raise DownloadError(f"could not download {path.name}; tried {rounds} times each:{tried}")


@contextmanager
def _claimed_part(path: Path) -> Iterator[Path]:
    """Lend a partial file that no other process or thread writes to.

    An earlier download's ``.part`` is claimed by renaming it, which succeeds for one process only;
    everybody else starts from nothing. Whatever has not been published by the end is put back.
    """
    kept = path.with_name(f"{path.name}.part")
    ours = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with suppress(FileNotFoundError):
        kept.replace(ours)
    try:
        yield ours
    finally:
        with suppress(FileNotFoundError):
            ours.replace(kept)


def _fetch(address: str, part: Path, timeout: float) -> None:
    """Append to `part` what it lacks, or write it anew where the server sends the whole file."""
    start = part.stat().st_size if part.exists() else 0
    request = Request(address, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urlopen(request, timeout=timeout)
    except HTTPError as error:
        error.close()
        if start and error.code == 416:  # nothing lies beyond `start`: whole, or wrong; see _check
            return
        raise
    with response:
        # 206: the rest as asked for. (Should it be that of another file, _check will tell.)
        with part.open("ab" if response.status == 206 else "wb") as file:
            shutil.copyfileobj(response, file)
        if response.length:  # what the server promised and has not sent: http.client lets it pass
            raise OSError(f"the connection closed {response.length} bytes before the end")


def _check(part: Path, sha256: str) -> None:
    """Raise ValueError, and throw `part` away, unless its decompressed bytes are the right ones."""
    try:
        with open_decompressed(part) as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        found = f"undefined ({error})"
    if found != sha256:
        part.unlink()
        raise ValueError(f"SHA-256 of the decompressed bytes is {found}, expected {sha256}")


def _publish(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except PermissionError:
        if not path.exists():
            raise
        # Windows replaces no file that is being read: another process was first, with equal bytes.
        part.unlink()
