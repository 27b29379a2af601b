"""Reading and writing NumPy's .npz within a budget, and the digest of what a file holds.

`numpy.load` decompresses whatever a file announces.  Here a member's own header is read first, and
its array only if it has the dtype and shape that a network of this description has.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..support import atomic_files
from ..support.inflation import MOST_RATIO, most_inflated

__all__ = ["DAMAGE", "Shapes", "archive_in", "digest", "opened", "read", "read_member", "write"]

Arrays = dict[str, NDArray[Any]]
Shapes = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]

MOST_HEADER = 256 << 20  # bytes of a model file's header, metadata included
NPY_HEADER = 128  # bytes of NumPy's own header before a text, which MOST_HEADER includes
MOST_TEXT = 4 << 20  # characters of a header in NumPy's text, which has four bytes for each
ENCRYPTED = 1  # the bit of a member's flags (APPNOTE.TXT of the ZIP format, 4.4.4)
HEADERS: dict[tuple[int, int], Any] = {  # functions that read a header, by version of the format
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# what NumPy, zipfile, zlib and JSON raise for a file that is not whole or not of this kind
DAMAGE = (ValueError, EOFError, NotImplementedError, RecursionError, zipfile.BadZipFile, zlib.error)


def read(
    file: IO[bytes], expected: Callable[[dict[str, Any]], Shapes]
) -> tuple[dict[str, Any], Arrays]:
    """Return a file's header and its arrays.

    Parameters
    ----------
    file : binary file
        Open for reading.
    expected : callable
        From the header to the name, shape and dtype of every array.  An array that is missing, of
        another shape or dtype, or not among them is refused before it is read.
    """
    with archive_in(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if "header" not in members:
            raise ValueError("it has no header")
        if members["header"].file_size > MOST_HEADER:
            raise ValueError(f"its header has more than {MOST_HEADER >> 20} MiB")
        header = json.loads(_text(_expected(archive, members.pop("header"), (), None)))
        if not isinstance(header, dict):
            raise ValueError("its header is not an object of JSON")
        shapes = expected(header)
        unknown = sorted(members.keys() - shapes.keys())
        if unknown:
            raise ValueError(f"it has entries that no network of its description has: {unknown[0]}")
        missing = sorted(shapes.keys() - members.keys())
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        arrays = {
            name: _expected(archive, members[name], shape, dtype)
            for name, (shape, dtype) in shapes.items()
        }
    stored = header.pop("digest", None)
    if stored is not None and stored != digest(header, arrays):
        raise ValueError("its contents do not have the digest that they were saved with")
    return header, arrays


def archive_in(file: IO[bytes]) -> zipfile.ZipFile:
    """Return the archive in a file on disk.

    zipfile looks for the end of what it reads; devices such as /dev/zero have none.
    """
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise ValueError("it is a device or a pipe; copy its contents to a file first")
    return zipfile.ZipFile(file)


def opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member of an archive for reading; zipfile's error for a password is a RuntimeError."""
    if info.flag_bits & ENCRYPTED:
        raise ValueError(f"{info.filename!r} is encrypted; store it without a password")
    return archive.open(info)


@contextmanager
def parsing(name: str) -> Iterator[None]:
    """Raise MemoryError for the SystemError of Python's parser, from 3.12 on, where memory ends."""
    try:
        yield
    except SystemError as error:
        raise MemoryError(f"no memory for the header of {name!r}") from error


def read_member(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    check: Callable[[tuple[int, ...], bool, np.dtype[Any]], None] | None = None,
) -> NDArray[Any]:
    """Return an array of an archive, after a check of what its header announces.

    Parameters
    ----------
    archive : ZipFile
        The archive.
    info : ZipInfo
        The array's entry in its directory.
    check : callable, optional
        Called with the shape, the order (True: Fortran) and the dtype in the header, before the
        array is read; raises ValueError for what is not as expected.
    """
    name = info.filename.removesuffix(".npy")
    if not 0 <= info.header_offset < archive.start_dir:
        raise ValueError("its directory points outside it")
    if info.file_size > most_inflated(info.compress_size):
        raise ValueError(f"{name!r} is compressed more than {MOST_RATIO} times")
    with opened(archive, info) as member, parsing(name):
        version = np.lib.format.read_magic(member)
        if version not in HEADERS:
            raise ValueError(f"{name!r} has NumPy's format {version}")
        try:
            shape, fortran_order, dtype = HEADERS[version](member, max_header_size=10_000)
        except (SyntaxError, tokenize.TokenError, RecursionError):  # from its parser
            raise ValueError(f"{name!r} has a header that is not NumPy's") from None
        if dtype.hasobject:
            raise ValueError(f"{name!r} holds pickled objects")
        if check is not None:
            check(shape, fortran_order, dtype)
        size = member.tell() + dtype.itemsize * math.prod(shape)
        if size != info.file_size:
            raise ValueError(
                f"{name!r} is {dtype} of shape {shape}, which takes {size:,} bytes, but has "
                f"{info.file_size:,}"
            )
    with opened(archive, info) as member, parsing(name):
        array: NDArray[Any] = np.lib.format.read_array(
            member, allow_pickle=False, max_header_size=10_000
        )
        member.read(1)  # the end, where the checksum of the archive is compared
    return array


def _text(stored: NDArray[Any]) -> str | bytes:
    """Return the text of an array of one; NumPy's may hold numbers that are no characters."""
    if stored.dtype.kind == "U":
        codes = np.dtype(np.uint32).newbyteorder(stored.dtype.byteorder)
        if np.frombuffer(stored.tobytes(), codes).max(initial=0) > sys.maxunicode:
            raise ValueError("its header has a number that is no character")
    text: str | bytes = stored.item()
    return text


def _expected(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    shape: tuple[int, ...],
    dtype: np.dtype[Any] | None,
) -> NDArray[Any]:
    """Return an array if it is as expected; without a dtype it must be text, or ASCII in bytes."""

    def check(found_shape: tuple[int, ...], fortran_order: bool, found: np.dtype[Any]) -> None:
        as_expected = found.kind in "US" if dtype is None else found == dtype
        if found_shape != shape or not as_expected or fortran_order:
            raise ValueError(
                f"{info.filename.removesuffix('.npy')!r} is {found} of shape {found_shape}; "
                f"expected {dtype or 'text'} of {shape}"
            )

    return read_member(archive, info, check)


def write(
    path: str | os.PathLike[str], header: dict[str, Any], arrays: Arrays, compress: bool = False
) -> None:
    """Write header and arrays, with their digest, to a file that appears whole or not at all."""
    for name, array in arrays.items() if compress else ():
        if array.nbytes > most_inflated(0) and array.nbytes > most_inflated(_deflated(array)):
            raise ValueError(
                f"{name} is compressed more than {MOST_RATIO} times, which no reader accepts; "
                f"leave out compress=True"
            )
    text = json.dumps({**header, "digest": digest(header, arrays)})
    stored = np.array(text if len(text) <= MOST_TEXT else text.encode("ascii"))
    if stored.nbytes + NPY_HEADER > MOST_HEADER:
        raise ValueError(
            f"the description of the model takes {len(text) >> 20} MiB, more than the "
            f"{MOST_HEADER >> 20} that a file may have; save fewer networks in one file"
        )
    contents: dict[str, Any] = {"header": stored, **arrays}
    with atomic_files.whole(path) as file:
        try:
            (np.savez_compressed if compress else np.savez)(file, **contents)
        except ValueError as error:
            # zipfile complains of the member that an interrupt or a full disk has left open
            if isinstance(error.__context__, (KeyboardInterrupt, OSError)):
                raise error.__context__ from None
            raise


def _deflated(array: NDArray[Any]) -> int:
    """Return the number of bytes of a compressed array."""
    return len(zlib.compress(np.ascontiguousarray(array).data))


def digest(header: Mapping[str, Any], arrays: Arrays) -> str:
    """Return the SHA-256 of a header and its arrays: of names, dtypes, shapes and numbers."""
    total = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()
