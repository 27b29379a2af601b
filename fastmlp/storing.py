"""Files, copies and pickles of a network."""

from __future__ import annotations

import os
from typing import Any, Self

from numpy.typing import DTypeLike

from .losses import Loss, LossSpec
from .model import files, rounding
from .prediction import Predictor
from .support import checks

__all__ = ["StoredNetwork"]

PACKED = ("state", "metadata")  # of a network's attributes; the others are copied as they are


class StoredNetwork(Predictor):
    """A network that is written to files and read from them; `MLP` adds training."""

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, loss: LossSpec | None = None) -> Self:
        """Read a network that `save` wrote.

        Parameters
        ----------
        path : path-like
            The file.
        loss : (value, gradient), optional
            The loss of a network that was saved with a loss written in Python; for no other.

        Returns
        -------
        MLP
            The network as it was saved.

        Raises
        ------
        ValueError
            If the file holds an ensemble or a model of a table, or for the reasons of
            `fastmlp.load`.
        OSError
            If the file cannot be opened or read.

        See Also
        --------
        fastmlp.load : The same for a network or an ensemble.
        """
        unpacked = files.read_npz(path, loss)
        files.refuse_table(path, unpacked)
        if isinstance(unpacked[0], list):
            raise ValueError(f"{os.fspath(path)} holds an ensemble; read it by Ensemble.load")
        return cls.from_state(*unpacked)

    def __reduce__(self) -> tuple[Any, ...]:
        packed = files.pack(self.state, self.metadata, with_optimizer=True)
        beside = {name: one for name, one in vars(self).items() if name not in PACKED}
        return type(self)._from_packed, (*packed, self.loss), beside

    @classmethod
    def _from_packed(cls, header: files.Header, arrays: files.Arrays, loss: Loss) -> Self:
        return cls.from_state(*files.unpack(header, arrays, loss))

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        with_optimizer: bool = False,
        dtype: DTypeLike | None = None,
        compress: bool = False,
    ) -> None:
        """Write the network to a file that `fastmlp.load` and `MLP.load` read.

        The file appears whole or not at all: a file that was there before stays if writing fails.

        Parameters
        ----------
        path : path-like
            The file; no ending is added to its name.
        with_optimizer : bool, default False
            Also write the optimizer's state, so that training goes on from the file as if it had
            never stopped.  The file is then twice (momentum) or three times (Adam) as large.
        dtype : {"float16", "float32"}, optional
            Round the weights to this dtype in the file, if it is smaller than the network's.  The
            loaded network has the dtype of this one, and predicts with the rounded weights.
            Default: the network's dtype, which keeps every bit.
        compress : bool, default False
            Compress the file, without loss.  Saving takes several times as long.

        Raises
        ------
        TypeError
            If ``net.metadata`` has something that JSON cannot represent.
        ValueError
            If a weight is beyond the range of dtype, or dtype is given together with
            ``with_optimizer=True``.
        OSError
            If the file cannot be written.

        See Also
        --------
        Checkpoint : Save during training, with the optimizer's state.

        Notes
        -----
        A file holds no code.  For a loss written in Python it says that there was one, and
        `fastmlp.load` takes it again.
        """
        with_optimizer = checks.flag("with_optimizer", with_optimizer)
        compress = checks.flag("compress", compress)
        stored = rounding.checked_dtype(dtype, with_optimizer)
        packed = files.pack(self.state, self.metadata, with_optimizer, stored)
        files.write_npz(path, packed, compress)
