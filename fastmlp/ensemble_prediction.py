"""What an ensemble predicts: the mean of its networks' outputs, and how far they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .augment import Distortion
from .data.memory_maps import is_memory_map
from .losses import Loss
from .model.spec import NetworkSpec
from .network import MLP, different_networks
from .support import checks
from .support.text import shown

__all__ = ["EnsemblePredictor"]

Array = NDArray[Any]


class EnsemblePredictor:
    """Several networks for the same task and their predictions; `Ensemble` adds the rest."""

    def __init__(self, networks: Iterable[MLP]) -> None:
        self.networks: tuple[MLP, ...] = tuple(different_networks(networks))
        if not self.networks:
            raise ValueError("networks is empty; an ensemble needs at least one")
        for i, net in enumerate(self.networks):
            for what, read in ALIKE.items():
                if read(net) != read(self.networks[0]):
                    raise ValueError(
                        f"the networks of an ensemble have the same {what}; networks[0] has "
                        f"{read(self.networks[0])}, networks[{i}] {read(net)}"
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
            for h in self._outputs(view):
                if total is None:
                    total = np.zeros(h.shape, np.float64)  # so that the order hardly matters
                total += h
                count += 1
        assert total is not None
        return (total / count).astype(self.dtype)

    def spread(self, X: checks.Examples) -> Array:
        """Return how far the networks differ: the standard deviation of their outputs.

        It tells where networks that were trained alike disagree because there were few examples
        like this one, not how much the targets themselves vary.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row, as in `MLP.fit`.

        Returns
        -------
        ndarray, (m, n_out)
            The root of the mean square of the differences from `forward`, in the ensemble's dtype.

        Examples
        --------
        >>> members = [fastmlp.MLP((64, 10), seed=seed) for seed in range(3)]
        >>> fastmlp.Ensemble(members).spread(X[:2]).shape
        (2, 10)
        """
        outputs = np.stack([h.astype(np.float64) for h in self._outputs(X)])
        spread: Array = outputs.std(axis=0).astype(self.dtype)
        return spread

    def _outputs(self, X: checks.Examples) -> Iterator[Array]:
        """Yield each network's output activations; networks that read X alike check it once."""
        known: list[tuple[NetworkSpec, checks.Rows]] = []
        for net in self.networks:
            if is_memory_map(X):
                yield net.forward(X)
                continue
            spec = net.state.spec
            rows = next((rows for one, rows in known if one.reads_alike(spec)), None)
            if rows is None:
                rows = spec.rows(X)
                known.append((spec, rows))
            yield net.forward_rows(rows)

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
        self.loss.check_classification()
        return self.forward(X, augment=augment, copies=copies, seed=seed)

    def _views(
        self, X: checks.Examples, augment: Distortion | None, copies: int, seed: int
    ) -> Iterator[checks.Examples]:
        """Yield the examples, and so many distorted copies of all of them."""
        yield X
        if augment is None:
            return
        if not isinstance(augment, Distortion):
            raise TypeError(f"augment must be a fastmlp.augment.Distortion, got {shown(augment)}")
        if hasattr(X, "tocsr"):
            raise TypeError("augment distorts dense images; X is a sparse matrix")
        copies, seed = checks.whole("copies", copies), checks.seed(seed)
        images = checks.rows(X, self.n_in, self.dtype)
        assert not isinstance(images, tuple)
        for copied in range(copies):
            yield augment(
                images,
                seed=seed,
                epoch=copied,
                dtype=self.dtype.name,
                uint8_scale=self.uint8_scale,
            )


ALIKE: dict[str, Callable[[MLP], object]] = {
    "number of inputs": lambda net: net.n_in,
    "number of outputs": lambda net: net.n_out,
    "loss": lambda net: net.loss,
    "uint8_scale": lambda net: net.uint8_scale,
}
