"""Ensemble: several networks that are trained and predict together; see ensemble_prediction.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any, Self, Unpack, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .callbacks import Callback, EarlyStopping, of_network, require_function
from .data.chunks import ChunkSource
from .ensemble_prediction import EnsemblePredictor
from .history import History
from .losses import LossSpec
from .model import files, rounding
from .network import MLP
from .support import checks
from .training import FitOptions
from .training.many import Task, check_options, fit_tasks

__all__ = ["Ensemble"]


class Ensemble(EnsemblePredictor):
    """Several networks for the same task, which predict by the mean of their outputs.

    The outputs are probabilities for classification and values for regression (Hansen and Salamon
    1990).

    Parameters
    ----------
    networks : iterable of MLP
        Networks with the same numbers of inputs and outputs, the same loss and `uint8_scale`;
        hidden layers, dtypes and seeds may differ.

    Attributes
    ----------
    networks : tuple of MLP
        The members.
    n_in, n_out : int
        Numbers of inputs and outputs.
    loss : Loss
        The members' loss.
    dtype : dtype
        The dtype of results: float64 if a member has it, else float32.
    uint8_scale : float
        What uint8 examples are multiplied by.
    metadata : dict
        Notes of your own, saved with the ensemble, so JSON's types only.

    See Also
    --------
    MLP : A single network.

    Examples
    --------
    >>> members = [fastmlp.MLP((64, 100, 10), seed=seed) for seed in range(3)]
    >>> ensemble = fastmlp.Ensemble(members)
    >>> histories = ensemble.fit(X, y, epochs=20, batch_size=50)
    >>> ensemble.predict(X[:5])
    array([0, 1, 2, 3, 4])
    """

    def fit(
        self,
        X: checks.Examples | ChunkSource,
        y: ArrayLike | None = None,
        *,
        n_jobs: int | None = None,
        callbacks: Callable[[MLP], Iterable[Callback]] | None = None,
        early_stopping: bool | int | EarlyStopping | None = None,
        **options: Unpack[FitOptions],
    ) -> list[History]:
        """Train the networks side by side in Python threads, each on one thread.

        Each becomes what it would become alone: no bit depends on the others or on `n_jobs`.

        Parameters
        ----------
        X, y : array-like
            Examples and targets, as in `MLP.fit`.  Chunks must be an iterable that begins anew
            each time, or a function, because each network goes through them by itself.
        n_jobs : int, optional
            Number of networks in training at once.  Default: `fastmlp.get_num_threads()`.
        callbacks : callable, optional
            Called with each network in turn; returns the callbacks of its fit.
        early_stopping : bool, int or EarlyStopping, optional
            As in `MLP.fit`, for each network alone.
        **options
            All other keywords of `MLP.fit` but `n_threads` and `verbose`.

        Returns
        -------
        list of History
            One for each network.

        Notes
        -----
        When a fit fails, the other fits end within a few hundredths of a second, or one batch, and
        its error is raised.  On Ctrl-C all end as soon, with a warning, and the histories so far
        are returned.

        As many chunks are in memory as networks are in training at once; a function that returns
        chunks is called in the thread of each network.
        """
        check_options(options)
        require_function(callbacks)
        if y is None and isinstance(X, Iterator) and len(self) > 1:
            raise ValueError(
                "X is an iterator, good for one network: give a list or other iterable that begins "
                "anew each time, or a function that returns a new iterator, as in "
                "fit(lambda: read_chunks(path))"
            )
        self._require_different()
        fit_options = {**options, "early_stopping": early_stopping}
        tasks = [
            Task(net, X, y, fit_options, [] if callbacks is None else of_network(callbacks, net))
            for net in self.networks
        ]
        histories = fit_tasks(tasks, n_jobs, ends_at_error=True)
        return cast("list[History]", histories)

    def _require_different(self) -> None:
        """Refuse to train copies of one network: they would all stay the same."""
        for (i, one), (j, other) in combinations(enumerate(self.networks), 2):
            if (one.sizes, one.seed, one.encodings) == (
                other.sizes, other.seed, other.encodings
            ) and all(
                np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True)
            ):
                raise ValueError(
                    f"networks[{i}] and networks[{j}] are alike and would remain so; give each its "
                    f"own seed"
                )

    # ---------------------------------------------------------------------------------- files

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        with_optimizer: bool = False,
        dtype: DTypeLike | None = None,
        compress: bool = False,
    ) -> None:
        """Write all networks to one file that `fastmlp.load` and `Ensemble.load` read.

        The file appears whole or not at all: a file that was there before stays if writing fails.

        Parameters
        ----------
        path : path-like
            The file; no ending is added to its name.
        with_optimizer : bool, default False
            Also write the optimizers' states, so that training can go on from the file.
        dtype : {"float16", "float32"}, optional
            Round the weights in the file, as in `MLP.save`.
        compress : bool, default False
            Compress the file, without loss.
        """
        with_optimizer = checks.flag("with_optimizer", with_optimizer)
        members = [(net.state, net.metadata) for net in self.networks]
        compress = checks.flag("compress", compress)
        stored = rounding.checked_dtype(dtype, with_optimizer)
        packed = files.pack_ensemble(members, self.metadata, with_optimizer, stored)
        files.write_npz(path, packed, compress)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, loss: LossSpec | None = None) -> Self:
        """Read an ensemble that `save` wrote.

        Parameters
        ----------
        path : path-like
            The file.
        loss : (value, gradient), optional
            The loss of networks that were saved with a loss written in Python; for no other.

        Returns
        -------
        Ensemble
            The ensemble as it was saved.

        Raises
        ------
        ValueError
            If the file holds a single network or a model of a table, or for the reasons of
            `fastmlp.load`.
        OSError
            If the file cannot be opened or read.

        See Also
        --------
        fastmlp.load : The same for a network or an ensemble.
        """
        unpacked = files.read_npz(path, loss)
        files.refuse_table(path, unpacked)
        if not isinstance(unpacked[0], list):
            raise ValueError(f"{os.fspath(path)} holds a single network; read it by MLP.load")
        return cls.from_unpacked(*unpacked)

    @classmethod
    def from_unpacked(cls, networks: list[files.Unpacked], metadata: dict[str, Any]) -> Self:
        """Return the ensemble of what was read from a file.

        Parameters
        ----------
        networks : list of (ModelState, dict)
            State and metadata of each network.
        metadata : dict
            The ensemble's own.

        Returns
        -------
        Ensemble
            The ensemble as it was saved.
        """
        ensemble = cls([MLP.from_state(*one) for one in networks])
        ensemble.metadata = metadata
        return ensemble
