"""Networks as safetensors files, which many tools read, and back.

The file holds a whole network without its optimizer.  The tensors have the names that `MLP.save`
gives them: weight_1 (n_out, n_in), bias_1 (n_out,), with batch norm scale_1, mean_1, variance_1,
and so on from the input to the output.  The file's metadata has the header of `MLP.save` as JSON
under "fastmlp".
"""

from __future__ import annotations

import json
import os
from typing import Any

from ..ensemble import Ensemble
from ..loading import from_unpacked
from ..losses import Custom, LossSpec
from ..model import files, headers, npz
from ..network import MLP
from ..support import atomic_files
from ..support.extras import imported
from ..support.paths import as_text
from ..support.text import printable
from .inference import members

__all__ = ["from_safetensors", "to_safetensors"]

HEADER = "fastmlp"  # its key in the file's metadata
LARGEST_HEADER = 64 << 20  # bytes, of names and shapes of tensors and of all metadata


def to_safetensors(net: MLP | Ensemble, path: str | os.PathLike[str]) -> None:
    """Write a network or an ensemble as a safetensors file.

    It contains what ``net.save`` writes except the optimizer's state: parameters, statistics of
    batch norm, averages, architecture and metadata.

    Parameters
    ----------
    net : MLP or Ensemble
        The network.
    path : path-like
        The file, which appears as a whole or not at all, and only if it can be read back.

    Raises
    ------
    ImportError
        Without the package safetensors: ``pip install "fastmlp[safetensors]"``.
    TypeError
        If ``net.metadata`` has something that JSON cannot represent.
    ValueError
        If the network cannot be read back, for example with metadata of more than 16 MiB.

    See Also
    --------
    from_safetensors : Read the file.
    """
    packed = [(one.state, one.metadata) for one in members(net)]
    path = as_text(path)
    if isinstance(net, Ensemble):
        header, arrays = files.pack_ensemble(packed, net.metadata, with_optimizer=False)
    else:
        header, arrays = files.pack(*packed[0], with_optimizer=False)
    files.to_json(header)  # refuses what JSON cannot represent
    text = files.to_json({**header, "digest": npz.digest(header, arrays)})
    content = imported("safetensors.numpy", "safetensors").save(arrays, {HEADER: text})
    check_header_size(content[:8])
    loss = net.loss if isinstance(net.loss, Custom) else None
    files.read(path, lambda: (json.loads(text), arrays), loss)  # as a reader will understand it
    with atomic_files.whole(path) as file:
        file.write(content)


def from_safetensors(
    path: str | os.PathLike[str], *, loss: LossSpec | None = None
) -> MLP | Ensemble:
    """Read a network or an ensemble that `to_safetensors` wrote.

    Parameters
    ----------
    path : path-like
        The file.
    loss : (value, gradient), optional
        The loss written in Python that the network has, as for `fastmlp.load`.

    Returns
    -------
    MLP or Ensemble
        The network as it was written: it predicts the same bits.

    Raises
    ------
    ImportError
        Without the package safetensors: ``pip install "fastmlp[safetensors]"``.
    ValueError
        If the file is not one of fastmlp, is damaged or cut short, or comes from a newer fastmlp.
    OSError
        If the file cannot be opened or read.

    See Also
    --------
    to_safetensors : Write such a file.
    """
    safetensors = imported("safetensors", "safetensors")
    with open(as_text(path), "rb") as file:  # the system's own errors for what cannot be opened
        start = file.read(8)
    return from_unpacked(files.read(path, lambda: read(safetensors, path, start), loss))


def read(safetensors: Any, path: str | os.PathLike[str], start: bytes) -> files.Packed:
    """Return the header and the arrays of a file; no more arrays than such a network has."""
    check_header_size(start)
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            if HEADER not in metadata:
                raise ValueError(f"its metadata has no entry {HEADER!r}")
            header = json.loads(metadata[HEADER])
            if not isinstance(header, dict):
                raise ValueError(f"entry {HEADER!r} of its metadata is not an object of JSON")
            arrays = tensors(file, headers.shapes_of(header))
    except safetensors.SafetensorError as error:  # whose text may quote the file
        raise ValueError(printable(error)) from None
    digest = header.pop("digest", None)
    if digest is not None and digest != npz.digest(header, arrays):
        raise ValueError("its contents do not have the digest that they were written with")
    return header, arrays


def tensors(file: Any, expected: npz.Shapes) -> files.Arrays:
    """Return the tensors of a file, which must be exactly the expected ones."""
    names = set(file.keys())
    if names != expected.keys():
        name = min(names ^ expected.keys())
        what = "is missing" if name in expected else "is in no network of its description"
        raise ValueError(f"tensor {name!r} {what}")
    arrays = {}
    for name, (shape, dtype) in expected.items():
        stored = file.get_slice(name)
        stored_shape, kind = tuple(stored.get_shape()), stored.get_dtype()
        if stored_shape != shape or kind != f"F{8 * dtype.itemsize}":
            raise ValueError(
                f"tensor {name} is {kind} of shape {stored_shape}; expected {dtype} {shape}"
            )
        arrays[name] = file.get_tensor(name)
    return arrays


def check_header_size(start: bytes) -> None:
    """ValueError for a file whose first eight bytes say that its header is too large."""
    if start.startswith(b"PK"):
        raise headers.ArchiveContents
    size = int.from_bytes(start, "little")
    if size > LARGEST_HEADER:
        raise ValueError(f"its header has {size:,} bytes; at most {LARGEST_HEADER:,} are read")
