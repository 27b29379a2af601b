"""Ensemble: several networks that predict together, by the mean of their outputs."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any, Self, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import losses
from .augment import Distortion
from .callbacks import Callback, EarlyStopping
from .data.chunks import ChunkSource
from .history import History
from .losses import Loss, LossSpec
from .model import files
from .network import MLP
from .support import checks
from .training import FitOptions, side_by_side

__all__ = ["Ensemble"]

Array = NDArray[Any]

DISTORTED_AT_ONCE = 10_000  # images, so that memory stays bounded for any number of examples


class Ensemble:
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

    def __init__(self, networks: Iterable[MLP]) -> None:
        if isinstance(networks, MLP):
            raise TypeError(f"networks must be a list of networks, got one: write [{networks!r}]")
        self.networks = tuple(networks)
        if not self.networks:
            raise ValueError("networks is empty; an ensemble needs at least one")
        for i, net in enumerate(self.networks):
            if not isinstance(net, MLP):
                raise TypeError(f"networks[{i}] must be an MLP, got {net!r}")
            for what, read in ALIKE.items():
                if read(net) != read(self.networks[0]):
                    raise ValueError(
                        f"the networks of an ensemble have the same {what}; networks[0] has "
                        f"{read(self.networks[0])}, networks[{i}] {read(net)}"
                    )
        for i, j in combinations(range(len(self.networks)), 2):
            if self.networks[i] is self.networks[j]:
                raise ValueError(
                    f"networks[{i}] and networks[{j}] are one and the same; make each of its own"
                )
        self.n_in, self.n_out = self.networks[0].n_in, self.networks[0].n_out
        self.loss: Loss = self.networks[0].loss
        self.dtype: np.dtype[Any] = np.result_type(*[net.dtype for net in self.networks])
        self.uint8_scale = self.networks[0].uint8_scale
        self.metadata: dict[str, Any] = {}

    def __repr__(self) -> str:
        return (
            f"Ensemble({len(self)} networks, {self.n_in} inputs, {self.n_out} outputs, "
            f"loss={self.loss})"
        )

    def __len__(self) -> int:
        return len(self.networks)

    @property
    def n_parameters(self) -> int:
        """The number of parameters of all networks together."""
        return sum(net.n_parameters for net in self.networks)

    # ----------------------------------------------------------------------------- prediction

    def forward(
        self,
        X: checks.Examples,
        *,
        augment: Distortion | None = None,
        copies: int = 8,
        seed: int = 0,
    ) -> Array:
        """Return the mean of the networks' output activations.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `MLP.fit`.
        augment : fastmlp.augment.Distortion, optional
            Average over distorted copies of the images too; X must be dense.  Its
            `gentle_classes` have no effect, because the classes are not known.
        copies : int, default 8
            Number of distorted copies of each image, in addition to the image itself.
        seed : int, default 0
            Seed of the distortions, which also depend on an image's row number.

        Returns
        -------
        ndarray, (m, n_out)
            In the ensemble's dtype.
        """
        total: Array | None = None
        count = 0
        for view in self._views(X, augment, copies, seed):
            for net in self.networks:
                h = net.forward(view)
                if total is None:
                    total = np.zeros(h.shape, np.float64)  # so that the order hardly matters
                total += h
                count += 1
        assert total is not None
        return (total / count).astype(self.dtype)

    def predict(
        self,
        X: checks.Examples,
        *,
        augment: Distortion | None = None,
        copies: int = 8,
        seed: int = 0,
    ) -> Array:
        """Return the class or the value that the networks together predict for each example.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `MLP.fit`.
        augment : fastmlp.augment.Distortion, optional
            As in `forward`.
        copies, seed : int, defaults 8 and 0
            As in `forward`.

        Returns
        -------
        ndarray
            What `MLP.predict` returns, from the mean outputs.
        """
        return self.loss.predict(self.forward(X, augment=augment, copies=copies, seed=seed))

    def predict_proba(
        self,
        X: checks.Examples,
        *,
        augment: Distortion | None = None,
        copies: int = 8,
        seed: int = 0,
    ) -> Array:
        """Return the mean probabilities of the classes (of 1, for "binary_cross_entropy").

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `MLP.fit`.
        augment : fastmlp.augment.Distortion, optional
            As in `forward`.
        copies, seed : int, defaults 8 and 0
            As in `forward`.

        Returns
        -------
        ndarray, (m, n_out)
            In the ensemble's dtype.
        """
        if not self.loss.classification:
            raise ValueError(
                f"networks trained by {self.loss.name} give values, not probabilities; use "
                f"predict or forward"
            )
        return self.forward(X, augment=augment, copies=copies, seed=seed)

    def _views(
        self, X: checks.Examples, augment: Distortion | None, copies: int, seed: int
    ) -> Iterator[checks.Examples]:
        """Yield the examples, and so many distorted copies of all of them."""
        yield X
        if augment is None:
            return
        if not isinstance(augment, Distortion):
            raise TypeError(f"augment must be a fastmlp.augment.Distortion, got {augment!r}")
        if hasattr(X, "tocsr"):
            raise TypeError("augment distorts dense images; X is a sparse matrix")
        copies, seed = checks.whole("copies", copies), checks.seed(seed)
        images = checks.rows(X, self.n_in, self.dtype)
        assert not isinstance(images, tuple)
        for copied in range(copies):
            blocks = []
            for first in range(0, len(images), DISTORTED_AT_ONCE):
                block = images[first : first + DISTORTED_AT_ONCE]
                blocks.append(
                    augment(
                        block,
                        seed=seed,
                        epoch=copied,
                        dtype=self.dtype.name,
                        uint8_scale=self.uint8_scale,
                    )
                )
            yield np.concatenate(blocks)

    # ------------------------------------------------------------------------------- training

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
        When a fit fails, or on Ctrl-C, the other fits stop after the epoch that they are in.

        As many chunks are in memory as networks are in training at once; a function that returns
        chunks is called in the thread of each network.
        """
        for name in ("verbose", "n_threads"):
            if name in options:
                raise TypeError(
                    f"an ensemble's fit takes no {name}: each network trains on one thread, "
                    f"n_jobs of them at once; callbacks can report their progress"
                )
        if callbacks is not None and not callable(callbacks):
            raise TypeError(
                f"callbacks must be a function from a network to its callbacks, got {callbacks!r}"
            )
        if y is None and isinstance(X, Iterator) and len(self) > 1:
            raise ValueError(
                "X is an iterator, good for one network: give a list or other iterable that begins "
                "anew each time, or a function that returns a new iterator, as in "
                "fit(lambda: read_chunks(path))"
            )
        self._require_different()

        def job(net: MLP) -> Callable[[Callback], History]:
            own = [] if callbacks is None else list(callbacks(net))
            stopping = copy.copy(early_stopping)  # it remembers what it has seen
            return lambda stop: net.fit(
                X, y, n_threads=1, callbacks=[*own, stop], early_stopping=stopping, **options
            )

        return side_by_side([job(net) for net in self.networks], n_jobs)

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

    def save(self, path: str | os.PathLike[str], *, with_optimizer: bool = False) -> None:
        """Write all networks to one file that `fastmlp.load` and `Ensemble.load` read.

        The file appears whole or not at all: a file that was there before stays if writing fails.

        Parameters
        ----------
        path : path-like
            The file; no ending is added to its name.
        with_optimizer : bool, default False
            Also write the optimizers' states, so that training can go on from the file.
        """
        with_optimizer = checks.flag("with_optimizer", with_optimizer)
        members = [(net.state, net.metadata) for net in self.networks]
        files.write_npz(path, files.pack_ensemble(members, self.metadata, with_optimizer))

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
            If the file holds a single network, or for the reasons of `fastmlp.load`.
        OSError
            If the file cannot be opened or read.

        See Also
        --------
        fastmlp.load : The same for a network or an ensemble.
        """
        unpacked = files.read_npz(path, None if loss is None else losses.from_spec(loss))
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


ALIKE: dict[str, Callable[[MLP], object]] = {
    "number of inputs": lambda net: net.n_in,
    "number of outputs": lambda net: net.n_out,
    "loss": lambda net: net.loss,
    "uint8_scale": lambda net: net.uint8_scale,
}
