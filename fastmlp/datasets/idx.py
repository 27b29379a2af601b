"""Read IDX files, the format of MNIST and its relatives.

Big-endian throughout, one after the other and nothing else::

    00 00 │ dtype code, 1 byte │ rank, 1 byte │ one size per axis, 4 bytes each │ values, C order

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "The IDX file format".
"""

import gzip
import math
import os
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

_DTYPES = {
    0x08: np.uint8,
    0x09: np.int8,
    0x0B: np.int16,
    0x0C: np.int32,
    0x0D: np.float32,
    0x0E: np.float64,
}
_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_LIMIT = 1032  # deflate never packs more bytes than this into one
_PIECE = 1 << 18  # bytes; a gzip stream copies what it hands out, so it hands out little at a time


def read_idx(path: str | os.PathLike[str], rank: int | None = None) -> NDArray[Any]:
    """Read an IDX file, plain or gzipped, whatever its name ends in.

    Parameters
    ----------
    path : path-like
        The file.
    rank : int, optional
        The number of axes that the array must have. Default: any.

    Returns
    -------
    ndarray
        A new array in C order: uint8, int8, int16, int32, float32 or float64 in the machine's own
        byte order, of the file's shape.

    Raises
    ------
    ValueError
        If the file is no IDX file, has another rank, is cut short, is damaged (gzip's own check),
        or goes on after its last value.
    OSError
        If the file cannot be opened or read.

    Examples
    --------
    >>> from pathlib import Path
    >>> size = Path("two.idx").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> fastmlp.datasets.read_idx("two.idx")
    array([7, 9], dtype=uint8)
    """
    path = Path(path)
    try:
        with open_decompressed(path) as stream:
            return _read(stream, rank, at_most=path.stat().st_size * _DEFLATE_LIMIT)
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: {error}") from None


@contextmanager
def open_decompressed(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file for reading bytes, through gzip if its first two bytes say so."""
    with path.open("rb") as file:
        if file.peek(2)[:2] == _GZIP_MAGIC:
            with gzip.GzipFile(fileobj=file) as stream:
                yield stream
        else:
            yield file


def _read(stream: BufferedIOBase, rank: int | None, at_most: int) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise ValueError(f"not an IDX file: it begins with the bytes {magic.hex(' ') or '(none)'}")
    if rank not in (None, magic[3]):
        raise ValueError(f"expected an array of rank {rank}, the file holds rank {magic[3]}")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"cut short: the header ends before its {magic[3]} sizes do")
    shape = struct.unpack(f">{magic[3]}I", sizes)
    dtype = np.dtype(_DTYPES[magic[2]])

    promised = math.prod(shape) * dtype.itemsize
    if promised > at_most:  # a header that lies is found out before memory is asked for
        raise ValueError(f"cut short: too small a file for {promised} bytes of {dtype} {shape}")
    values = np.empty(promised, np.uint8)
    received = _fill(stream, values.data)
    if received < promised:
        raise ValueError(f"cut short: {received} of {promised} bytes of {dtype} {shape}")
    if stream.read(1):  # at the end, reading on makes gzip compare its checksum
        raise ValueError(f"bytes follow the last value of {dtype} {shape}")

    array = values.view(dtype).reshape(shape)
    if sys.byteorder == "little":
        array.byteswap(inplace=True)
    return array


def _fill(stream: BufferedIOBase, buffer: memoryview) -> int:
    """Fill the buffer from the stream as far as it goes; return the number of bytes."""
    filled = 0
    while count := stream.readinto(buffer[filled : filled + _PIECE]):
        filled += count
    return filled
