"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import BinaryIO, TextIO

from .paths import as_text

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["require_different", "require_writable", "same_file", "whole", "whole_text"]

SUFFIX = ".part"  # of a file that is being written
LONGEST_NAME = 255  # bytes, on nearly every file system


@contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write bytes to, which takes its place at `path` when all is written.

    A file that was there before stays if writing fails, and is replaced by a file with the same
    permissions and, where the system allows it, the same owner.  A file that is write-protected is
    not replaced, though the system would allow it.  A device or a pipe is written to.
    What a killed process left behind is removed.  An error of the system names the file.
    """
    path = as_text(path)
    _require_no_folder(path)
    before = _status(path)
    if before is not None and not stat.S_ISREG(before.st_mode):
        with _named(path), open(path, "wb") as file:
            yield file
        return
    _require_unprotected(path, before)
    target = os.path.realpath(path)  # through a link, which stays
    _remove_leftovers(target)
    while True:
        part = f"{_stem(target)}.{os.urandom(4).hex()}{SUFFIX}"
        try:
            with _named(path), _created(part, path) as file:
                _lock(file)
                if not os.path.exists(part):
                    continue  # somebody took it for a leftover before it was locked
                if before is not None:
                    _inherit(file, before)
                yield file
                file.flush()
                os.fsync(file.fileno())
                if os.name != "nt":  # while it is locked, so that nobody takes it for a leftover
                    os.replace(part, target)
            if os.name == "nt":
                os.replace(part, target)
            _sync_folder(os.path.dirname(target))
            return
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(part)
            raise


@contextmanager
def whole_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a file to write text to, in UTF-8, as `whole` opens one for bytes."""
    with whole(path) as file:
        text = TextIOWrapper(file, newline="", encoding="utf-8")
        try:
            yield text
        finally:
            text.detach()  # writes the buffer; `whole` closes the file


def require_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that `whole` cannot write to, before there is anything to write.

    Raises
    ------
    OSError
        If there is no such folder, no file can be written in it, the path is that of a folder, or
        the file is there and write-protected.
    """
    path = as_text(path)
    _require_no_folder(path)
    folder = _folder(path)
    if not os.path.isdir(folder):
        raise _explained(FileNotFoundError(errno.ENOENT, ""), path)
    before = _status(path)
    _require_unprotected(path, before)
    if (before is None or stat.S_ISREG(before.st_mode)) and not os.access(folder, os.W_OK):
        raise _explained(PermissionError(errno.EACCES, ""), path)


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Return whether two paths lead to one file: equal, by a link, or by one inode."""
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return os.path.realpath(one) == os.path.realpath(other)


def require_different(
    output: tuple[str, str | os.PathLike[str] | None],
    *inputs: tuple[str, str | os.PathLike[str] | None],
) -> None:
    """Refuse an output that is one of the inputs, each given as (name, path).

    Raises
    ------
    ValueError
        If writing the output would destroy an input.
    """
    name, path = output
    for other, there in inputs:
        if path is not None and there is not None and same_file(path, there):
            raise ValueError(
                f"{name} {os.fspath(path)} is the same file as {other} {os.fspath(there)}, which "
                f"would be overwritten; choose another file"
            )


def _require_no_folder(path: str) -> None:
    """Refuse the path of a folder, also of one that is not there: its name ends with a slash."""
    if os.path.isdir(path) or not os.path.basename(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)


def _require_unprotected(path: str, before: os.stat_result | None) -> None:
    """Refuse a file that is there and that its permissions do not allow to be written."""
    if before is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected", path)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Add the path to errors of writing: the system does not say which disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = path
        raise


def _folder(path: str) -> str:
    return os.path.dirname(os.path.realpath(path))


def _created(part: str, path: str) -> BinaryIO:
    """Create the file that is to take its place at `path`."""
    try:
        return open(part, "xb")
    except OSError as error:
        raise _explained(error, path) from None


def _stem(target: str) -> str:
    """Return the beginning of the names of the files that become `target` when they are whole."""
    folder, name = os.path.split(target)
    short = os.fsencode(name)[: LONGEST_NAME - len(f".????????{SUFFIX}")]
    return os.path.join(folder, short.decode(errors="ignore"))


def _explained(error: OSError, path: str) -> OSError:
    """Return the error of a file that cannot be created, with its name and that of its folder."""
    folder, reason = _folder(path), error.strerror
    if not os.path.isdir(folder):
        reason = f"there is no folder {folder}"
    elif isinstance(error, (FileNotFoundError, PermissionError)) or error.errno == errno.EROFS:
        reason = f"no file can be written in the folder {folder}"
    return type(error)(error.errno, reason, path)


def _status(path: str | os.PathLike[str]) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _inherit(file: BinaryIO, before: os.stat_result) -> None:
    """Give a new file the owner and the permissions of the file that it replaces."""
    if hasattr(os, "fchown"):
        with suppress(OSError):  # only the superuser may give files away
            os.fchown(file.fileno(), before.st_uid, before.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))


def _lock(file: BinaryIO) -> None:
    """Hold a lock for as long as the file is written: it ends with the process."""
    if fcntl is not None:
        with suppress(OSError):  # not every file system has locks
            # waits while another process that takes the file for a leftover holds it
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)


def _remove_leftovers(target: str) -> None:
    """Remove the parts of files that killed processes left: nobody locks them."""
    if fcntl is None:
        return
    for part in glob.glob(f"{glob.escape(_stem(target))}.????????{SUFFIX}"):
        with suppress(OSError), open(part, "rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(part)


def _sync_folder(folder: str) -> None:
    """Make the new name of a file durable."""
    if os.name == "posix":
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
