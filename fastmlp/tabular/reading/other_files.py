"""Files that are no tables to read: what they are by their first bytes, and what to do."""

from __future__ import annotations

import re

from ...model.other_files import HDF5, NUMPY

__all__ = ["refuse_other_files", "refuse_url"]

DECOMPRESS = "decompress it first, or use gzip, bzip2, xz or ZIP"
EXPORT = "write its table as CSV or Parquet"
OTHERS = {
    b"\x28\xb5\x2f\xfd": ("a file compressed by Zstandard", DECOMPRESS),
    b"\x04\x22\x4d\x18": ("a file compressed by LZ4", DECOMPRESS),
    b"\x1f\x9d": ("a file compressed by compress", DECOMPRESS),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", DECOMPRESS),
    b"Rar!\x1a": ("a RAR archive", DECOMPRESS),
    b"ARROW1\0\0": ("an Arrow file (Feather)", "write it as Parquet"),
    b"Obj\x01": ("an Avro file", "write it as Parquet"),
    HDF5: ("an HDF5 file", EXPORT),
    b"SQLite format 3\0": ("a database of SQLite", EXPORT),
    NUMPY: ("an array of NumPy (.npy)", "save it by numpy.savez(path, X=array)"),
    b"\x80\x04\x95": ("a pickle, which could run any code", EXPORT),
    b"\x80\x05\x95": ("a pickle, which could run any code", EXPORT),
    b"<stata_dta>": ("a file of Stata", EXPORT),
    b"$FL2@(#)": ("a file of SPSS", EXPORT),
    b"RDX2\nX\n": ("a file of R", EXPORT),
    b"RDX3\nX\n": ("a file of R", EXPORT),
    b"%PDF-": ("a PDF file", EXPORT),
    b"\xd0\xcf\x11\xe0": ("a workbook", "save its sheet as CSV"),
}
TAR = (257, b"ustar")  # in the header of the first member
MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|table|\?xml)\b", re.IGNORECASE)
JSON = re.compile(rb'\s*(\{\s*"|\[\s*(\{\s*"|\[))')
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=.)")


def refuse_other_files(data: bytes, name: str) -> None:
    """Raise ValueError if the bytes of a file begin like those of a known kind that is no table."""
    for magic, (kind, remedy) in OTHERS.items():
        if data.startswith(magic):
            raise ValueError(f"{name} is {kind}; {remedy}")
    start = data[:1024]
    if start[TAR[0] :].startswith(TAR[1]):
        raise ValueError(f"{name} is a tar archive; extract its table, or use ZIP")
    if MARKUP.match(start):
        raise ValueError(f"{name} is HTML or XML; {EXPORT}, for example by pandas.read_html")
    if JSON.match(start):
        raise ValueError(f"{name} is JSON; {EXPORT}, for example by pandas.read_json")


def refuse_url(name: str) -> None:
    """Raise ValueError if the name of a file that does not exist is an address of the web."""
    if found := URL.match(name):
        address = f"{found[1]}://{name[found.end() :]}"
        raise ValueError(f"{address} is an address, not a file; download it, and give its path")
