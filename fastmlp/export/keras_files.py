"""Read the files of Keras 3 without Keras: .keras and .weights.h5.

A .keras file is a ZIP archive of config.json, which describes the layers, and model.weights.h5, an
HDF5 file that has the arrays of the second Dense under layers/dense_1/vars/0, 1, …: layers are
numbered within their kind in the order of the model, whatever their names are.  A .weights.h5 file
is such an HDF5 file alone.

A file may come from anyone.  An HDF5 file can refer to other files, which are not read, and can
declare arrays of any size, so only arrays that lie in the file itself are read, and together no
more bytes than the file has.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..model import npz
from ..model.other_files import HDF5
from ..model.state import Array
from ..support.extras import imported
from ..support.inflation import most_inflated
from ..support.text import printable

__all__ = ["STORED", "Layer", "numbered", "read_layers", "read_weights"]

STORED = {  # kinds of layers with arrays, and their names in the file
    "Dense": "dense",
    "BatchNormalization": "batch_normalization",
    "Normalization": "normalization",
}
MODULES = ("keras", "tf_keras")  # of layers that are not somebody's own

RATIO = 20  # Keras hardly compresses: an archive that unpacks to more is not one of Keras
PIECE = 1 << 20  # bytes of a file that are searched at a time
LAST_BLOCK, SMALLEST_BLOCK = 1, 16  # of an HDF5 heap's free blocks: the end mark, and bytes


class Layer(NamedTuple):
    """A layer of Keras: its class, its configuration, its arrays."""

    kind: str
    config: dict[str, Any]
    arrays: list[Array]


@contextmanager
def described_as(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Turn any error of reading into a ValueError that names the file; no other errors are known.

    A damaged file can make ZIP, JSON, HDF5 and the code below fail in any way.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{os.fspath(path)} is not {what}: {printable(error)}") from error


def read_layers(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any], list[Layer]]:
    """Return the class of the model in a .keras file, its configuration and its layers."""
    h5py = imported("h5py", "keras")
    with open(path, "rb") as file:
        if file.read(len(HDF5)) == HDF5:
            raise ValueError(
                f"{os.fspath(path)} is an HDF5 file; pass like=, a network of the model's "
                f"architecture, to read a .weights.h5 file, and save other .h5 files as .keras in "
                f"Keras first"
            )
        with described_as(path, "a whole .keras file"), npz.archive_in(file) as archive:
            model = json.loads(unpacked(archive, "config.json", file))
            require_keras(model)
            kind, config = str(model["class_name"]), model["config"]
            weights = unpacked(archive, "model.weights.h5", file)
            with opened_hdf5(h5py, io.BytesIO(weights), len(weights)) as arrays:
                return kind, config, list(stored(config["layers"], arrays))


def unpacked(archive: zipfile.ZipFile, name: str, file: BinaryIO) -> bytes:
    """Return a member of an archive, which may not unpack to much more than the archive has."""
    limit = most_inflated(os.fstat(file.fileno()).st_size, RATIO)
    with npz.opened(archive, archive.getinfo(name)) as member:
        content = member.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{name} unpacks to more than {limit:,} bytes")
    return content


def require_keras(described: dict[str, Any]) -> None:
    """ValueError for a class of somebody's own, whatever its name is."""
    module = described.get("module") or "keras"
    if str(module).split(".")[0] not in MODULES:
        raise ValueError(f"{described['class_name']!r} is not a class of Keras, but of {module!r}")


def stored(configs: list[dict[str, Any]], arrays: Arrays) -> Iterator[Layer]:
    """Yield the layers that configurations and an HDF5 file describe."""
    seen: Counter[str] = Counter()
    for one in configs:
        require_keras(one)
        kind = str(one["class_name"])
        number, seen[kind] = seen[kind], seen[kind] + 1
        own = arrays.of(numbered(kind, number)) if kind in STORED else []
        yield Layer(kind, one["config"], own)


def numbered(kind: str, number: int) -> str:
    """Return the name of a layer in the file; the first of its kind has the number 0."""
    return STORED[kind] + (f"_{number}" if number else "")


def read_weights(path: str | os.PathLike[str]) -> dict[str, list[Array]]:
    """Return the arrays of each layer in a .weights.h5 file."""
    h5py = imported("h5py", "keras")
    with open(path, "rb") as file, described_as(path, "a whole .weights.h5 file of Keras 3"):
        with opened_hdf5(h5py, file, os.fstat(file.fileno()).st_size) as arrays:
            return {name: arrays.of(name) for name in arrays.names()}


@contextmanager
def opened_hdf5(h5py: Any, file: BinaryIO, size: int) -> Iterator[Arrays]:
    """Open an HDF5 file of so many bytes, whose lists of free blocks must have ends.

    HDF5 2.0 follows a list that leads back to itself until there is no memory left.  A local heap
    has "HEAP", four zeros, the size of its data, the place of the first free block in them, and
    their address; a block begins with the place of the next one, and the last one's is 1 ("HDF5
    file format specification", section III.D).
    """
    left = size // SMALLEST_BLOCK
    for heap in places(file, b"HEAP\0\0\0\0"):
        n, block, start = numbers_at(file, heap + 8, 3)
        while block != LAST_BLOCK and block + 8 <= n and start + block + 8 <= size:
            (block,) = numbers_at(file, start + block, 1)
            left -= 1
            if left < 0:
                raise ValueError("a list of free blocks in its HDF5 file has no end")
    with h5py.File(file, "r") as contents:
        yield Arrays(h5py, contents, size)


def places(file: BinaryIO, text: bytes) -> Iterator[int]:
    """Yield where a text stands in a file, which is read in pieces."""
    start, piece = 0, text
    while len(piece) >= len(text):
        file.seek(start)
        piece, found = file.read(PIECE), -1
        while (found := piece.find(text, found + 1)) >= 0:
            yield start + found
        start += len(piece) - len(text) + 1  # the text may lie across the end of the piece


def numbers_at(file: BinaryIO, place: int, n: int) -> tuple[int, ...]:
    """Return n numbers of 64 bits from a place of a file on; those beyond its end are 0."""
    file.seek(place)
    return struct.unpack(f"<{n}Q", file.read(8 * n).ljust(8 * n, b"\0"))


class Arrays:
    """The arrays of an HDF5 file that lie in the file itself.

    Parameters
    ----------
    h5py : module
        The package.
    contents : h5py.File
        The file, open for reading.
    size : int
        Its number of bytes, which is the limit of what is read.
    """

    def __init__(self, h5py: Any, contents: Any, size: int) -> None:
        self.h5py, self.contents, self.left = h5py, contents, size

    def names(self) -> list[str]:
        """Return the names of the layers."""
        return [str(name) for name in self._member(self.contents, "layers", self.h5py.Group)]

    def of(self, name: str) -> list[Array]:
        """Return the arrays of a layer; integers only where they count something."""
        group = self.contents
        for part in ("layers", name, "vars"):
            group = self._member(group, part, self.h5py.Group)
        return [self._read(group, name, str(i)) for i in range(len(group))]

    def _member(self, group: Any, name: str, kind: type) -> Any:
        """Return a member of a group that is no link to another place or file."""
        if name not in group:
            raise KeyError(f"{group.name}/{name}")
        if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
            raise ValueError(f"{group.name}/{name} is a link")
        member = group[name]
        if not isinstance(member, kind):
            raise ValueError(f"{group.name}/{name} is not a {kind.__name__.lower()}")
        return member

    def _read(self, group: Any, layer: str, name: str) -> Array:
        dataset = self._member(group, name, self.h5py.Dataset)
        layout = dataset.id.get_create_plist().get_layout()
        contiguous = (self.h5py.h5d.CONTIGUOUS, self.h5py.h5d.COMPACT)
        if layout not in contiguous or dataset.external:
            raise ValueError(f"layers/{layer} has an array outside the file, or one in chunks")
        kinds = "f" if dataset.ndim else "fiu"
        if dataset.dtype.kind not in kinds:
            raise ValueError(
                f"layers/{layer} has {dataset.dtype}; expected floats of 16 to 64 bits"
            )
        self.left -= dataset.nbytes
        if self.left < 0:
            raise ValueError(f"layers/{layer} declares arrays of more bytes than the file has")
        return np.asarray(dataset[()])
