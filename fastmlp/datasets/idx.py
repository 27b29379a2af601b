"""Reading IDX files, the format of MNIST and of data sets like it.

A file consists of these fields and nothing else, with big-endian numbers::

    00 00 │ dtype code, 1 byte │ rank, 1 byte │ one size per axis, 4 bytes each │ values, C order

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "The IDX file format".
"""

import gzip
import math
import os
import stat
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..support.inflation import MOST_RATIO, most_inflated
from ..support.paths import as_text

_DTYPES = {
    0x08: np.uint8,
    0x09: np.int8,
    0x0B: np.int16,
    0x0C: np.int32,
    0x0D: np.float32,
    0x0E: np.float64,
}
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 18  # bytes for each read: a gzip stream copies all bytes that it returns


def read_idx(path: str | os.PathLike[str], rank: int | None = None) -> NDArray[Any]:
    """Read an array from an IDX file, which may be compressed by gzip.

    Whether the file is compressed is recognized by its first bytes, not by its name.

    Parameters
    ----------
    path : path-like
        The file.
    rank : int, optional
        The number of axes that the array must have.  Default: any number.

    Returns
    -------
    ndarray
        A new array with the shape that the file states, in C order and in the native byte order.
        Its dtype is uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    ValueError
        If the file is not an IDX file, has another rank, is truncated, is damaged (gzip's
        checksum), or contains bytes after the last value.  Also if it is compressed more than
        200 times and contains more than 64 MiB: decompress such a file with gunzip first.
    OSError
        If the file cannot be opened or read.

    See Also
    --------
    mnist : Read the four files of MNIST, or of a data set of the same form.

    Notes
    -----
    Memory is allocated as values are read, at most twice the bytes read so far: a header that
    announces more values than the file contains costs no more.

    Examples
    --------
    >>> from pathlib import Path
    >>> size = Path("two.idx").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> fastmlp.datasets.read_idx("two.idx")
    array([7, 9], dtype=uint8)
    """
    path = Path(as_text(path))
    try:
        with open_decompressed(path) as stream:
            return _read(stream, rank, _budget(path, isinstance(stream, gzip.GzipFile)))
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: {error}") from None


@contextmanager
def open_decompressed(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file for reading bytes, through gzip if its first two bytes are gzip's."""
    with path.open("rb") as file:
        if file.peek(2)[:2] == _GZIP_MAGIC:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        else:
            yield file


def _budget(path: Path, gzipped: bool) -> int | None:
    """Return the most bytes that the file may contain; None if it is not known (a pipe)."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    return most_inflated(status.st_size) if gzipped else status.st_size


def _read(stream: BufferedIOBase, rank: int | None, budget: int | None) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise ValueError(f"not an IDX file: it begins with the bytes {magic.hex(' ') or '(none)'}")
    if rank not in (None, magic[3]):
        raise ValueError(f"expected an array of rank {rank}, the file contains rank {magic[3]}")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"truncated: the header ends before its {magic[3]} sizes do")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    dtype = np.dtype(_DTYPES[magic[2]])

    n_bytes = math.prod(shape) * dtype.itemsize
    if budget is not None and n_bytes > budget:
        if isinstance(stream, gzip.GzipFile):
            raise ValueError(
                f"its header announces {n_bytes} bytes of {dtype} {shape}, more than "
                f"{MOST_RATIO} times the size of the compressed file; if that is right, "
                f"decompress the file with gunzip first"
            )
        raise ValueError(f"truncated: too small a file for {n_bytes} bytes of {dtype} {shape}")
    values = _read_bytes(stream, n_bytes)
    if len(values) < n_bytes:
        raise ValueError(f"truncated: {len(values)} of {n_bytes} bytes of {dtype} {shape}")
    if stream.read(1):  # at the end of the file gzip compares its checksum
        raise ValueError(f"there are bytes after the last value of {dtype} {shape}")

    array = values.view(dtype).reshape(shape)
    if sys.byteorder == "little":
        array.byteswap(inplace=True)
    return array


def _read_bytes(stream: BufferedIOBase, n_bytes: int) -> NDArray[np.uint8]:
    """Read `n_bytes`, or fewer if the stream ends before; allocate them as they come.

    A bytearray grows where it lies if it can, and by an eighth, where NumPy 2.5's `resize` copies
    each time.  The copy at the end lies in memory that NumPy asks the system to put on huge pages:
    training reads rows at random addresses, and looks up those on small pages more slowly.
    """
    values = bytearray()
    while piece := stream.read(min(_PIECE, n_bytes - len(values))):
        values += piece
    return np.frombuffer(values, np.uint8).copy()
