"""What a file of another library is, by its first bytes, where a model file was expected."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

__all__ = ["HDF5", "NUMPY", "ZIP", "what_it_is"]

ZIP, HDF5, NUMPY = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x93NUMPY"
MOST_READ = 512  # bytes
PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
FROM_KERAS = "fastmlp.export.from_keras reads it"
FROM_TORCH = "load its module by PyTorch, and pass it to fastmlp.export.from_torch"


def what_it_is(path: str | os.PathLike[str]) -> str:
    """Return what a file is and what reads it, or "" if it may be a model file that is damaged.

    Parameters
    ----------
    path : path-like
        The file, which is opened again for this; a pipe or a device is not.

    Returns
    -------
    str
        A description that follows "is", such as "a pickle; ...".
    """
    try:
        file = Path(os.fsdecode(path))
        if not file.is_file():
            return ""
        with file.open("rb") as opened:
            start = opened.read(MOST_READ)
        if start.startswith(ZIP):
            with zipfile.ZipFile(file) as archive:
                return _archive(set(archive.namelist()))
        return _single(start, file)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return ""


def _archive(members: set[str]) -> str:
    """What a ZIP archive is, by the names of its members."""
    if members & {"header.npy", "weight_1.npy"}:  # a byte of either name may be damaged
        return ""
    if {"config.json", "model.weights.h5"} <= members:
        return f"a model of Keras; {FROM_KERAS}"
    if any(name.endswith("/data.pkl") for name in members):
        return f"a file of PyTorch; {FROM_TORCH}"
    if members and all(name.endswith(".npy") for name in members):
        return "an NPZ file of arrays, which MLP.save has not written"
    return ""


def _single(start: bytes, file: Path) -> str:
    """What a file that is no archive is, by its first bytes and its ending."""
    if start.startswith(HDF5):
        return f"an HDF5 file; if it is of Keras, {FROM_KERAS}"
    if start.startswith(NUMPY):
        return "an array of NumPy; numpy.load reads it"
    if start.startswith(PICKLES):
        return "a pickle, which is not opened, because it can execute code"
    length = int.from_bytes(start[:8], "little")
    if start[8:9] == b"{" and length < file.stat().st_size:
        return "a safetensors file; fastmlp.export.from_safetensors reads those of to_safetensors"
    if file.suffix.lower() == ".onnx":
        return "an ONNX file, which only other programs read: see fastmlp.export"
    return "a text file" if _is_text(start) else ""


def _is_text(start: bytes) -> bool:
    """Whether bytes are lines of text in UTF-8; the last character may be cut off."""
    text = start.decode("utf-8", "replace").rstrip("\N{REPLACEMENT CHARACTER}")
    lines = text.splitlines()
    return len(lines) > 1 and all(line.replace("\t", " ").isprintable() for line in lines)
