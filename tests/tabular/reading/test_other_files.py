"""Files that are no tables, by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular.reading import read_table

TABLE = pd.DataFrame({"a": [1, 2, 3], "b": ["u", "v", "u"]})


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"))
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((3, 2)))
    return buffer.getvalue()


OTHERS = {
    "zst": (b"\x28\xb5\x2f\xfd\x04\x00", "compressed by Zstandard; decompress it first"),
    "lz4": (b"\x04\x22\x4d\x18\x40", "compressed by LZ4"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00", "a 7-Zip archive"),
    "tar": (tar(), "a tar archive; extract its table"),
    "npy": (npy(), r"an array of NumPy [(].npy[)]; save it by numpy.savez"),
    "pickle": (pickle.dumps(TABLE), "a pickle, which could run any code"),
    "arrow": (b"ARROW1\0\0\xff\xff\xff\xff", "an Arrow file .Feather.; write it as Parquet"),
    "hdf5": (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file"),
    "sqlite": (b"SQLite format 3\0\x10", "a database of SQLite"),
    "json": (TABLE.to_json().encode(), "JSON; .* by pandas.read_json"),
    "records": (TABLE.to_json(orient="records").encode(), "JSON"),
    "lines": (TABLE.to_json(orient="records", lines=True).encode(), "JSON"),
    "values": (json.dumps([[1, 2], [3, 4]]).encode(), "JSON"),
    "html": (b"\n<!DOCTYPE html>\n<html></html>", "HTML or XML; .* by pandas.read_html"),
    "xml": (b"<?xml version='1.0'?>\n<a/>", "HTML or XML"),
}


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize(("data", "message"), OTHERS.values(), ids=OTHERS)
def test_a_file_that_is_no_table_is_named_with_the_remedy(
    tmp_path: Path, data: bytes, message: str, compress: type
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(compress(data))
    with pytest.raises(ValueError, match=f"t.csv is .*{message}"):
        read_table(path)


@pytest.mark.parametrize(
    "header", ["ORCID,a", "[id],[name]", "<5,>5", "{a},b", "RDX2,a", "FEA1,b", "ARROW1,b"]
)
def test_a_header_that_begins_alike_is_one(tmp_path: Path, header: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n1,2\n3,4\n")
    assert list(read_table(path)) == header.split(",")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_parquet_file_is_read(tmp_path: Path, compress: type) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet.gz"
    path.write_bytes(compress(TABLE.to_parquet()))
    pd.testing.assert_frame_equal(read_table(path), TABLE, check_names=False)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.parquet", TABLE.to_parquet())
    pd.testing.assert_frame_equal(read_table(path), TABLE, check_names=False)


def test_what_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(bz2.compress(b"a,b\n1,2\n")))
    with pytest.raises(ValueError, match="t.csv.gz is compressed twice; decompress it first"):
        read_table(path)


@pytest.mark.parametrize("kind", [str, Path])
def test_an_address_of_the_web_is_named(kind: type) -> None:
    with pytest.raises(ValueError, match="^https://example.org/a.csv is an address, not a file"):
        read_table(kind("https://example.org/a.csv"))
    with pytest.raises(FileNotFoundError):
        read_table(kind("C:/none/a.csv"))
