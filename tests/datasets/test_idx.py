"""IDX files: the oracle is the format's description, spelled out here with `struct`."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from fastmlp.datasets import read_idx

CODES = {"B": 0x08, "b": 0x09, "h": 0x0B, "i": 0x0C, "f": 0x0D, "d": 0x0E}  # struct's letters
DTYPES = {"B": "uint8", "b": "int8", "h": "int16", "i": "int32", "f": "float32", "d": "float64"}


def idx(letter: str, shape: tuple[int, ...], values: list[float]) -> bytes:
    header = struct.pack(f">HBB{len(shape)}I", 0, CODES[letter], len(shape), *shape)
    return header + struct.pack(f">{len(values)}{letter}", *values)


@pytest.fixture(params=["plain", "gzipped", "gzipped in two members"])
def write(request, tmp_path):
    """Write content to a file, as it is or gzipped; return the path."""

    def write(content: bytes) -> Path:
        path = tmp_path / "some file"
        if request.param == "gzipped":
            content = gzip.compress(content)
        elif request.param == "gzipped in two members":
            content = gzip.compress(content[:7]) + gzip.compress(content[7:])
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("letter", CODES)
def test_every_dtype_is_read_in_the_machines_byte_order(write, letter):
    values = [1, 2, 100] if letter == "B" else [1, -2, 100]
    array = read_idx(write(idx(letter, (3,), values)))
    assert array.dtype == np.dtype(DTYPES[letter]) and array.dtype.isnative
    assert array.tolist() == values


@pytest.mark.parametrize("shape", [(), (1,), (0,), (5,), (2, 0, 3), (2, 3), (2, 3, 4), (2,) * 9])
def test_every_rank_is_read_in_c_order(write, shape):
    values = [1000 + i for i in range(math.prod(shape))]
    array = read_idx(write(idx("h", shape, values)), rank=len(shape))
    assert array.shape == shape and array.flags.c_contiguous and array.flags.writeable
    assert array.ravel().tolist() == values


def test_special_floats_are_kept(write):
    array = read_idx(write(idx("f", (3,), [math.nan, -math.inf, -0.0])))
    assert np.array_equal(array, [math.nan, -math.inf, 0], equal_nan=True)
    assert np.signbit(array[2])


def test_arrays_larger_than_one_piece_are_whole(write):
    values = np.random.default_rng(0).integers(0, 256, 1_000_003, np.uint8)
    content = idx("B", values.shape, []) + values.tobytes()
    assert np.array_equal(read_idx(write(content)), values)


GOOD = idx("i", (2, 3), [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not an IDX file: .* \(none\)"),
        (GOOD[:3], "not an IDX file: .* 00 00 0c"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file: .* 89 50 4e 47"),
        (b"\0\1" + GOOD[2:], "not an IDX file"),
        (b"\0\0\x0a" + GOOD[3:], "not an IDX file: .* 00 00 0a 02"),
        (GOOD[:11], "cut short: the header ends before its 2 sizes"),
        (GOOD[:12], r"cut short: 0 of 24 bytes of int32 \(2, 3\)"),
        (GOOD[:-1], r"cut short: 23 of 24 bytes of int32 \(2, 3\)"),
        (GOOD + b"\0", r"bytes follow the last value of int32 \(2, 3\)"),
        (idx("d", (2**32 - 1,) * 4, []), "cut short: too small a file for"),
        (idx("B", (1,) * 65, [1]), "dimension"),
    ],
)
def test_a_wrong_file_is_refused_by_name(write, content, message):
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_another_rank_than_asked_for_is_refused(write):
    with pytest.raises(ValueError, match="expected an array of rank 3, the file holds rank 2"):
        read_idx(write(GOOD), rank=3)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda packed: packed[:-12], "end-of-stream"),
        (lambda packed: packed[:-8] + bytes(4) + packed[-4:], "CRC"),
        (lambda packed: packed[:10] + b"\xff" * 8 + packed[18:], "decompressing"),
        (lambda packed: packed + b"more", "gzip"),
    ],
    ids=["cut short", "wrong checksum", "invalid deflate", "more behind it"],
)
def test_a_damaged_gzip_file_is_refused_by_name(tmp_path, damage, message):
    path = tmp_path / "damaged.gz"
    path.write_bytes(damage(gzip.compress(GOOD)))
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing")


def test_a_path_may_be_a_string(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    assert read_idx(str(path)).tolist() == [[1, 2, 3], [4, 5, 6]]
