"""Encodings, compressed files and the standard input, within the budget of a file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastmlp.tabular.reading import read_table

Read = Callable[..., Any]


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1", "utf-16-le"]
)
@pytest.mark.parametrize("given", [True, False])
def test_the_encoding_is_recognized_or_given(read: Read, encoding: str, given: bool) -> None:
    data = "größe,b\n1,naïve\n2,x\n".encode(encoding)
    if not given and encoding == "utf-16-le":
        with pytest.raises(ValueError, match="give the encoding 'utf-16-le' or"):
            read(data)
    elif not given and encoding in ("cp1252", "latin-1"):
        with pytest.warns(UserWarning, match=r"t\.csv, line 1: the byte 0xf6 is not UTF-8; .*"
                          "read as cp1252"):
            assert read(data)["größe"].tolist() == [1, 2]
    else:
        frame = read(data, encoding=encoding if given else None)
        assert list(frame.columns) == ["größe", "b"]
        assert frame["b"].tolist() == ["naïve", "x"]


def test_a_byte_without_meaning_in_windows_1252_is_read_as_latin_1(read: Read) -> None:
    with pytest.warns(UserWarning, match="line 2.* read as latin-1"):
        assert read(b"a,b\n1,\x81\xe4\n")["b"].tolist() == ["\x81ä"]


def test_standard_input_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    given("a,b\n1,2\n")
    assert read_table("-").to_numpy().tolist() == [[1, 2]]
    given("a,b\n1\n")
    with pytest.raises(ValueError, match="^standard input: the header has 2 cells, but line 2"):
        read_table("-")


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_table(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "missing.csv")


def alone(content: bytes) -> bytes:
    return zipped(("folder/t.csv", content), ("__MACOSX/t.csv", b"x"))


COMPRESSED = pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, alone]
)


@COMPRESSED
def test_compressed_text_is_recognized(
    file: Callable[[bytes], Path], compress: Callable[[bytes], bytes]
) -> None:
    assert read_table(file(compress(b"a,b\n1,2\n"))).to_numpy().tolist() == [[1, 2]]


@COMPRESSED
def test_a_small_file_cannot_hold_a_large_table(
    file: Callable[[bytes], Path],
    compress: Callable[[bytes], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fastmlp.support.inflation.MOST_INFLATED", 1 << 20)
    path = file(compress(b"a\n" + b"1" * (2 << 20)))
    with pytest.raises(ValueError, match="it is compressed more than 200 times"):
        read_table(path)


@COMPRESSED
def test_a_damaged_file_is_refused(
    file: Callable[[bytes], Path], compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(bytes(range(32, 127)) * 50)
    with pytest.raises(ValueError, match="cannot be"):
        read_table(file(whole[: len(whole) // 2]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(("a.csv", b"a\n1\n"), ("b.csv", b"a\n1\n")), "it has 2 files; a table is one file"),
        (zipped(), "it has 0 files"),
        (zipped(("[Content_Types].xml", b""), ("xl/a.xml", b"")), "it is a workbook; save its"),
        (b"PK\x03\x04 cut short", "cannot be read as a ZIP archive"),
    ],
)
def test_other_archives_are_refused(
    file: Callable[[bytes], Path], content: bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(file(content))


@pytest.mark.parametrize("member", ["t.csv", "t.npy"])
def test_encrypted_archives_are_refused(
    file: Callable[[bytes], Path], encrypted: Callable[[bytes], bytes], member: str
) -> None:
    path = file(encrypted(zipped((member, b"a\n1\n"))))
    with pytest.raises(ValueError, match=f"'{member}' is encrypted; store it without a password"):
        read_table(path)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8"])
def test_an_encoding_is_named_as_it_was_given(read: Read, encoding: str) -> None:
    assert list(read(b"\xef\xbb\xbfa,b\n1,2\n", encoding=encoding).columns) == ["a", "b"]
    with pytest.raises(ValueError, match=f"line 2: the text is not in the encoding {encoding}: "):
        read(b"\xef\xbb\xbfa,b\n1,\xff\n", encoding=encoding)
