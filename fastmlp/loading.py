"""load: a network or an ensemble from a file."""

from __future__ import annotations

import os
from typing import Any

from .ensemble import Ensemble
from .losses import LossSpec
from .model import files
from .network import MLP

__all__ = ["from_unpacked", "load"]


def load(path: str | os.PathLike[str], *, loss: LossSpec | None = None) -> MLP | Ensemble:
    """Read a network that `MLP.save` wrote, or an ensemble that `Ensemble.save` wrote.

    Parameters
    ----------
    path : path-like
        The file.
    loss : (value, gradient), optional
        The loss of a network that was saved with a loss written in Python; for no other.

    Returns
    -------
    MLP or Ensemble
        The network as it was saved: it predicts the same bits, and training goes on where it was
        if the optimizer's state was saved.

    Raises
    ------
    ValueError
        If the file holds neither, such as a model of a table, which `fastmlp.tabular.load` reads;
        if it is damaged or cut short, or comes from a newer fastmlp; if `loss` is missing, or
        given for a network whose file has one.
    OSError
        If the file cannot be opened or read.

    See Also
    --------
    MLP.load : The same for a file that must hold one network.
    Ensemble.load : The same for a file that must hold an ensemble.

    Examples
    --------
    >>> net.save("net.npz")
    >>> np.array_equal(fastmlp.load("net.npz").predict(X), net.predict(X))
    True
    """
    unpacked = files.read_npz(path, loss)
    files.refuse_table(path, unpacked)
    return from_unpacked(unpacked)


def from_unpacked(unpacked: Any) -> MLP | Ensemble:
    """Return the network or ensemble of what `files.read` returned."""
    if isinstance(unpacked[0], list):
        return Ensemble.from_unpacked(*unpacked)
    return MLP.from_state(*unpacked)
