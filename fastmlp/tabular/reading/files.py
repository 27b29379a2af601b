"""The contents of a table's file: what kind of file it is, its bytes decompressed, its encoding.

The kind is recognized by the first bytes, not by the name of the file. A compressed file may hold
200 times as many bytes as it takes, and 64 MiB in any case.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import sys
import zipfile
import zlib
from typing import IO, Any, Literal

from ...model.npz import opened
from ...model.other_files import ZIP
from ...support.inflation import MOST_RATIO, most_inflated
from ...support.paths import as_text
from ...support.user_warnings import warn_user
from .layout import line_of
from .other_files import refuse_other_files, refuse_url

Kind = Literal["text", "npz", "parquet"]

COMPRESSED: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
DAMAGED = (
    OSError, EOFError, NotImplementedError, ValueError,
    lzma.LZMAError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
WORKBOOKS = ("[Content_Types].xml", "mimetype")  # members of .xlsx and of .ods
MARKS = {  # byte order marks; the marks of UTF-32 begin with those of UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r\x1a\x1b"})  # characters that no text has
SAMPLE = 1 << 16  # bytes in which control characters are counted
CHUNK = 1 << 20  # bytes that are decompressed at a time


def display_name(path: str | os.PathLike[str]) -> str:
    """Return the name of a table's file for messages."""
    text = as_text(path)
    return "standard input" if text == "-" else text


def contents(path: str | os.PathLike[str]) -> tuple[Kind, bytes]:
    """Return the kind of a file, "-" being the standard input, and its bytes, decompressed.

    Raises
    ------
    ValueError
        If the file is empty, damaged, of another kind, or decompresses to more than the budget.
    OSError
        If the file cannot be read.
    """
    name = display_name(path)
    if os.fspath(path) == "-":
        data = sys.stdin.buffer.read()
    else:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            refuse_url(name)
            raise
    if not data:
        raise ValueError(f"{name}: the file is empty; a table has a header line and rows")
    if data.startswith(b"PAR1"):
        return "parquet", data
    if data.startswith((ZIP, b"PK\x05\x06")):
        return _zipped(data, name)
    for magic, decompressing in COMPRESSED.items():
        if data.startswith(magic):
            try:
                with decompressing(io.BytesIO(data)) as stream:
                    inflated = _inflated(stream, len(data))
            except DAMAGED as error:
                raise ValueError(f"{name} cannot be decompressed: {error}") from None
            return _member(inflated, name)
    refuse_other_files(data, name)
    return "text", data


def _member(data: bytes, name: str) -> tuple[Kind, bytes]:
    """Return the kind of what a compressed file holds, which is not compressed itself."""
    if data.startswith(b"PAR1"):
        return "parquet", data
    if data.startswith((*COMPRESSED, ZIP)):
        raise ValueError(f"{name} is compressed twice; decompress it first")
    refuse_other_files(data, name)
    return "text", data


def _zipped(data: bytes, name: str) -> tuple[Kind, bytes]:
    """Return an NPZ archive as it is, and the only file of another archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [one for one in archive.namelist()
                     if not (one.endswith("/") or one.startswith("__MACOSX/"))]
            if names and all(member.endswith(".npy") for member in names):
                return "npz", data
            if any(member in names for member in WORKBOOKS):
                raise ValueError("it is a workbook; save its sheet as CSV")
            if len(names) != 1:
                raise ValueError(f"it has {len(names)} files; a table is one file")
            with opened(archive, archive.getinfo(names[0])) as stream:
                inflated = _inflated(stream, len(data))
    except DAMAGED as error:
        raise ValueError(f"{name} cannot be read as a ZIP archive: {error}") from None
    return _member(inflated, name)


def _inflated(stream: IO[bytes], compressed: int) -> bytes:
    """Return all bytes of a decompressing stream, within the budget of a file of this size."""
    limit = most_inflated(compressed)
    parts = []
    size = 0
    while part := stream.read(CHUNK):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise ValueError(f"it is compressed more than {MOST_RATIO} times")
    return b"".join(parts)


def as_utf8(data: bytes, encoding: str | None, name: str) -> bytes:
    """Return text in UTF-8 without a byte order mark.

    Without an encoding it is that of the byte order mark, if there is one; otherwise UTF-8; and if
    the bytes are not UTF-8, Windows-1252 or Latin-1, with a warning.

    Raises
    ------
    ValueError
        If the bytes are not text, or not in the encoding.
    """
    if encoding is None:
        encoding = next((MARKS[mark] for mark in MARKS if data.startswith(mark)), None)
    if encoding is not None:
        return _decoded(data, encoding, name).encode("utf-8", "replace")
    if b"\0" in data or len(data[:SAMPLE].translate(None, CONTROLS)) < 0.95 * len(data[:SAMPLE]):
        raise ValueError(
            f"{name} is not a table: it holds bytes that are not text. For text in UTF-16 give the "
            f"encoding 'utf-16-le' or 'utf-16-be'"
        )
    problem: UnicodeDecodeError | None = None
    for encoding in ("utf-8", "cp1252", "latin-1"):  # every byte has a meaning in the last
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError as error:
            problem = problem or error
    if problem is None:
        return data
    warn_user(
        f"{name}, line {line_of(data, problem.start)}: the byte {data[problem.start]:#04x} is not "
        f"UTF-8; the file is read as {encoding}. If letters come out wrong, give its encoding",
    )
    return text.encode()


def _decoded(data: bytes, encoding: str, name: str) -> str:
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(encoding)
    except LookupError:
        raise ValueError(
            f"unknown encoding {encoding!r}; give a name such as 'utf-8', 'cp1252' or 'utf-16'"
        ) from None
    except UnicodeError as error:
        place, reason = name, str(error)
        if isinstance(error, UnicodeDecodeError):
            line = data[: error.start].decode(encoding, "ignore").count("\n") + 1
            place, reason = f"{name}, line {line}", error.reason
        raise ValueError(
            f"{place}: the text is not in the encoding {encoding}: {reason}; give another encoding"
        ) from None
