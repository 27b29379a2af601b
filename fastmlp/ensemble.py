"""Ensemble: several networks that answer as one, by the mean of their outputs."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, saving, streaming, threads
from .callbacks import Callback, EarlyStopping
from .history import History
from .losses import Loss
from .network import MLP

if TYPE_CHECKING:
    from .augment import Distortion

__all__ = ["Ensemble", "side_by_side"]

Array = NDArray[Any]
Result = TypeVar("Result")

DISTORTED_AT_ONCE = 10_000  # images, so that memory stays bounded for any number of examples


class Ensemble:
    """Several networks for the same inputs and outputs, whose outputs are averaged.

    For classification those are probabilities, for regression values (Hansen and Salamon 1990).

    Parameters
    ----------
    networks : iterable of MLP
        With the same numbers of inputs and outputs, the same loss and `uint8_scale`; hidden
        layers, dtypes and seeds may differ.

    Attributes
    ----------
    networks : tuple of MLP
        The members.
    sizes : tuple of int
        Numbers of inputs and outputs.
    loss : Loss
        Theirs.
    dtype : dtype
        Of results: float64 if one of them has it, else float32.
    uint8_scale : float
        Theirs.
    metadata : dict
        For your own notes, saved with the ensemble, so JSON's types only.

    Examples
    --------
    >>> members = [fastmlp.MLP((64, 100, 10), seed=seed) for seed in range(3)]
    >>> committee = fastmlp.Ensemble(members)
    >>> histories = committee.fit(X, y, epochs=20, batch_size=50)
    >>> committee.predict(X[:5])
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
        self.sizes = self.networks[0].sizes[0], self.networks[0].sizes[-1]
        self.loss: Loss = self.networks[0].loss
        self.dtype: np.dtype[Any] = np.result_type(*[net.dtype for net in self.networks])
        self.uint8_scale = self.networks[0].uint8_scale
        self.metadata: dict[str, Any] = {}

    def __repr__(self) -> str:
        n_in, n_out = self.sizes
        return f"Ensemble({len(self)} networks, {n_in} inputs, {n_out} outputs, loss={self.loss})"

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
            Average over distorted copies of the images too; X is then dense.  What it has for
            some classes alone (`gentle_classes`) is not heeded: the classes are not known.
        copies : int, default 8
            Distorted copies of each image, beside the image as it is.
        seed : int, default 0
            Of the distortions, which also depend on an image's place in X.

        Returns
        -------
        ndarray, (m, n_out)
            Of the ensemble's dtype.
        """
        total: Array | None = None
        parts = 0
        for given in self._views(X, augment, copies, seed):
            for net in self.networks:
                h = net.forward(given)
                if total is None:
                    total = np.zeros(h.shape, np.float64)  # so that the order hardly matters
                total += h
                parts += 1
        assert total is not None
        return (total / parts).astype(self.dtype)

    def predict(self, X: checks.Examples, **distorted: Any) -> Array:
        """Return what the networks say together about each example.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `MLP.fit`.
        **distorted
            Given as `augment`, `copies` and `seed`, as in `forward`.

        Returns
        -------
        ndarray
            As of `MLP.predict`, from the means.
        """
        return self.loss.predict(self.forward(X, **distorted))

    def predict_proba(
        self,
        X: checks.Examples,
        *,
        augment: Distortion | None = None,
        copies: int = 8,
        seed: int = 0,
    ) -> Array:
        """Return the mean probabilities of the classes (of yes, for "binary_cross_entropy").

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
            Of the ensemble's dtype.
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
        """The examples, and so many distorted copies of all of them."""
        yield X
        if augment is None:
            return
        from .augment import Distortion  # loaded already, if it is one

        if not isinstance(augment, Distortion):
            raise TypeError(f"augment must be a fastmlp.augment.Distortion, got {augment!r}")
        if hasattr(X, "tocsr"):
            raise TypeError("augment distorts dense images; X is a sparse matrix")
        copies, seed = checks.whole("copies", copies), checks.seed(seed)
        images = checks.rows(X, self.sizes[0], self.dtype)
        assert not isinstance(images, tuple)
        for copied in range(copies):
            blocks = []
            for first in range(0, len(images), DISTORTED_AT_ONCE):
                block = images[first : first + DISTORTED_AT_ONCE]
                if block.dtype == np.uint8:  # which Distortion would scale by 1/255
                    block = block * self.dtype.type(self.uint8_scale)
                blocks.append(augment(block, seed=seed, epoch=copied, dtype=self.dtype.name))
            yield np.concatenate(blocks)

    # ------------------------------------------------------------------------------- training

    def fit(
        self,
        X: checks.Examples | streaming.Given,
        y: ArrayLike | None = None,
        *,
        n_threads: int | None = None,
        callbacks: Callable[[MLP], Iterable[Callback]] | None = None,
        early_stopping: bool | int | EarlyStopping | None = None,
        **options: Any,
    ) -> list[History]:
        """Train the networks side by side in Python threads, each on one thread.

        Each becomes what it becomes alone: no bit depends on the others or on `n_threads`.

        Parameters
        ----------
        X, y : array-like
            Examples and targets, as in `MLP.fit`; X may be chunks, which each network goes through
            for itself: an iterable that begins anew each time or a function, not an iterator.
        n_threads : int, optional
            Networks in training at once.  Default: `fastmlp.get_num_threads()`.
        callbacks : callable, optional
            Called with each network in turn; returns the callbacks of its fit.
        early_stopping : bool, int or EarlyStopping, optional
            As in `MLP.fit`, for each network alone.
        **options
            All other arguments of `MLP.fit` but `verbose`.

        Returns
        -------
        list of History
            One for each network.

        Notes
        -----
        When one fails, or on Ctrl-C, the others stop after the epoch that they are in.

        Of chunks as many are in memory as networks are in training at once; a function that returns
        them is called in each one's thread.
        """
        if "verbose" in options:
            raise TypeError("verbose would mix the lines of several networks; give callbacks")
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

        return side_by_side([job(net) for net in self.networks], n_threads)

    def _require_different(self) -> None:
        """Refuse to train copies of one network: they would all stay the same."""
        for (i, one), (j, other) in combinations(enumerate(self.networks), 2):
            if (one.sizes, one.seed) == (other.sizes, other.seed) and all(
                np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True)
            ):
                raise ValueError(
                    f"networks[{i}] and networks[{j}] are alike and would remain so; give each its "
                    f"own seed"
                )

    # ---------------------------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str], *, with_optimizer: bool = False) -> None:
        """Write all networks to one file that `fastmlp.load` reads.

        The file appears whole or not at all: one that was there before is kept if writing fails.

        Parameters
        ----------
        path : path-like
            The file, used as it stands, whatever its name ends in.
        with_optimizer : bool, default False
            Also write the optimizers' states, so that training can go on from the file.
        """
        header, arrays = self.packed(with_optimizer)
        saving.write(path, {"header": np.array(saving.text(header)), **arrays})

    def packed(self, with_optimizer: bool = False) -> tuple[saving.Header, saving.Arrays]:
        """Return all that an ensemble is.

        Parameters
        ----------
        with_optimizer : bool, default False
            The optimizers' states too.

        Returns
        -------
        (dict, dict of ndarray)
            A header of JSON's types, and named arrays.
        """
        headers: list[saving.Header] = []
        contents: saving.Arrays = {}
        for number, net in enumerate(self.networks, start=1):
            header, arrays = saving.packed(net, with_optimizer)
            headers.append(header)
            contents |= {f"network_{number}_{name}": one for name, one in arrays.items()}
        whole = {
            "format": max(saving.ENSEMBLE_FORMAT, *(one["format"] for one in headers)),
            "networks": headers,
            "metadata": self.metadata,
        }
        return whole, contents

    @classmethod
    def unpacked(
        cls, header: saving.Header, arrays: saving.Arrays, loss: Loss | None = None
    ) -> Ensemble:
        """Return the ensemble that a file's contents describe.

        Parameters
        ----------
        header : dict
            The file's header.
        arrays : dict of ndarray
            The other arrays of the file.
        loss : Loss, optional
            In place of the file's, for networks whose loss was written in Python.

        Returns
        -------
        Ensemble
            As it was saved.
        """
        networks = []
        for number, one in enumerate(header["networks"], start=1):
            prefix = f"network_{number}_"
            own = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            networks.append(saving.unpacked(one, own, loss))
        found = cls(networks)
        found.metadata = dict(header["metadata"])
        return found


ALIKE: dict[str, Callable[[MLP], object]] = {
    "number of inputs": lambda net: net.sizes[0],
    "number of outputs": lambda net: net.sizes[-1],
    "loss": lambda net: net.loss,
    "uint8_scale": lambda net: net.uint8_scale,
}


class Stop(Callback):
    """Ends training after the epoch in which an event is set."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Whether to stop."""
        return self.event.is_set()


def side_by_side(
    jobs: Sequence[Callable[[Callback], Result]], n_threads: int | None = None
) -> list[Result]:
    """Carry out jobs of training in Python threads, and return their results in order.

    Each is called with a callback for its fit, which ends it when another has failed.

    Parameters
    ----------
    jobs : sequence of callables
    n_threads : int, optional
        Jobs at once.  Default: `fastmlp.get_num_threads()`.
    """
    # here, for `import fastmlp` to stay quick
    from concurrent.futures import ThreadPoolExecutor, as_completed

    if n_threads is None:
        n_threads = threads.get_num_threads()
    stop = threading.Event()
    pool = ThreadPoolExecutor(
        min(checks.whole("n_threads", n_threads), len(jobs)), "fastmlp-ensemble"
    )
    try:
        futures = [pool.submit(job, Stop(stop)) for job in jobs]
        for future in as_completed(futures):
            future.result()  # the first error ends the wait
        return [future.result() for future in futures]
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
