"""To safetensors and back: all that a network is but its optimizer, in a file that many tools read.

The tensors have the names that `MLP.save` gives them: weight_1 (n_out, n_in), bias_1 (n_out,), with
batch norm scale_1, mean_1, variance_1, and so on from the input on; the file's metadata has under
"fastmlp" the header of `MLP.save`, as JSON.
"""

from __future__ import annotations

import json
import os

from .. import losses
from ..ensemble import Ensemble
from ..loading import from_unpacked
from ..model import files
from ..network import MLP
from ..support import atomic_files
from ..support.extras import imported
from .networks import members

__all__ = ["from_safetensors", "to_safetensors"]

HEADER = "fastmlp"  # its key in the file's metadata


def to_safetensors(net: MLP | Ensemble, path: str | os.PathLike[str]) -> None:
    """Write a network or an ensemble as a safetensors file.

    It holds what `net.save` writes but the optimizer's state: parameters, batch norm's statistics,
    averages, architecture and metadata.

    Parameters
    ----------
    net : MLP or Ensemble
        The network.
    path : path-like
        The file, which appears whole or not at all.

    Raises
    ------
    ImportError
        Without the package safetensors: ``pip install "fastmlp[safetensors]"``.
    """
    packed = [(one.state, one.metadata) for one in members(net)]
    if isinstance(net, Ensemble):
        header, arrays = files.pack_ensemble(packed, net.metadata, with_optimizer=False)
    else:
        header, arrays = files.pack(*packed[0], with_optimizer=False)
    numpy = imported("safetensors.numpy", "safetensors")
    content = numpy.save(arrays, {HEADER: files.to_json(header)})
    with atomic_files.whole(path) as file:
        file.write(content)


def from_safetensors(
    path: str | os.PathLike[str], *, loss: losses.LossSpec | None = None
) -> MLP | Ensemble:
    """Read a network or an ensemble that `to_safetensors` wrote.

    Parameters
    ----------
    path : path-like
        The file.
    loss : (value, gradient), optional
        The loss written in Python that the network has, as `fastmlp.load` takes it.

    Returns
    -------
    MLP or Ensemble
        What was written: it predicts the same bits.

    Raises
    ------
    ImportError
        Without the package safetensors: ``pip install "fastmlp[safetensors]"``.
    ValueError
        If the file is not of fastmlp, is damaged or cut short, or comes from a newer fastmlp.
    OSError
        If it cannot be opened or read.
    """
    safetensors = imported("safetensors", "safetensors")
    given = None if loss is None else losses.from_spec(loss)

    def contents() -> files.Packed:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            if HEADER not in metadata:
                raise ValueError(f"its metadata has no entry {HEADER!r}")
            return json.loads(metadata[HEADER]), {n: file.get_tensor(n) for n in file.keys()}

    with open(path, "rb"):  # what the system says of a file that cannot be read
        return from_unpacked(files.read(path, contents, given))
