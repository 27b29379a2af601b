"""IDX files: the oracle is the format's description, spelled out here with `struct`."""

import gzip
import math
import os
import struct
import tracemalloc
from collections.abc import Callable
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
        (GOOD[:11], "truncated: the header ends before its 2 sizes"),
        (GOOD[:12], r"truncated: .*24 bytes of int32 \(2, 3\)"),
        (GOOD[:-1], r"truncated: .*24 bytes of int32 \(2, 3\)"),
        (GOOD + b"\0", r"there are bytes after the last value of int32 \(2, 3\)"),
        (idx("d", (2**32 - 1,) * 4, []), "(truncated: too small a file|its header announces)"),
        (idx("B", (1,) * 65, [1]), "dimension"),
    ],
)
def test_a_wrong_file_is_refused_by_name(write, content, message):
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_another_rank_than_requested_is_refused(write):
    with pytest.raises(ValueError, match="expected an array of rank 3, the file contains rank 2"):
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


def peak_memory_of(call: Callable[[], object]) -> int:
    """The most bytes that were allocated at a time during a call."""
    tracemalloc.start()
    try:
        call()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("present", [0, 1, 1000, 20 << 20])
def test_memory_is_bounded_by_what_a_file_contains_not_by_what_it_announces(tmp_path, present):
    path = tmp_path / "announces 63 MiB"
    path.write_bytes(gzip.compress(idx("B", (63 << 20,), []) + bytes(present), 1))

    def refused() -> None:
        with pytest.raises(ValueError, match=f"truncated: {present} of 66060288 bytes of uint8"):
            read_idx(path)

    assert peak_memory_of(refused) < 2 * present + (2 << 20)


def test_a_file_that_is_compressed_too_much_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "65 MiB of zeros"
    path.write_bytes(gzip.compress(idx("B", (65 << 20,), []) + bytes(65 << 20), 9))
    assert path.stat().st_size < 100_000

    def refused() -> None:
        with pytest.raises(ValueError, match=r"announces 68157440 bytes.*gunzip first"):
            read_idx(path)

    assert peak_memory_of(refused) < 1 << 20


def test_blank_images_are_read_however_well_they_are_compressed(tmp_path):
    path = tmp_path / "blank"
    path.write_bytes(gzip.compress(idx("B", (5000, 28, 28), []) + bytes(5000 * 784), 9))
    assert path.stat().st_size < 5000
    array = read_idx(path)
    assert array.shape == (5000, 28, 28) and not array.any()


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="needs /dev/fd")
def test_a_pipe_is_read_although_its_size_is_not_known():
    reading, writing = os.pipe()
    os.write(writing, GOOD)
    os.close(writing)
    try:
        assert read_idx(f"/dev/fd/{reading}").tolist() == [[1, 2, 3], [4, 5, 6]]
    finally:
        os.close(reading)
