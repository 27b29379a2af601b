"""The weights and biases of an estimator's network as scikit-learn's attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from ..network import MLP
from ..support import checks

__all__ = ["LayerArrays", "LayerAttributes"]

Array = NDArray[Any]


class LayerArrays(list[Array]):
    """Copies of the weights or of the biases, one array for each layer.

    An assignment to an entry changes the network, as in scikit-learn, where the list itself holds
    its parameters.  Pickles and copies are plain lists.

    Parameters
    ----------
    arrays : list of ndarray
        The copies.
    estimator : estimator
        The estimator.
    name : str
        Its attribute: "coefs_" or "intercepts_".
    """

    def __init__(self, arrays: Sequence[Array], estimator: Any, name: str) -> None:
        super().__init__(arrays)
        self._estimator, self._name = estimator, name

    def __setitem__(self, index: Any, value: Any) -> None:
        arrays = list(getattr(self._estimator, self._name))
        arrays[index] = value
        setattr(self._estimator, self._name, arrays)
        super().__setitem__(slice(None), getattr(self._estimator, self._name))

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()


class LayerAttributes:
    """Mixin with the attributes `coefs_` and `intercepts_`."""

    @property
    def coefs_(self) -> list[Array]:
        """Weights (n_in, n_out) of each layer: read-only copies.

        To change parameters, assign a list, or an array to an entry.
        """
        weights = [layer[0].T for layer in self._predicting_layers("coefs_")]
        return LayerArrays(weights, self, "coefs_")

    @coefs_.setter
    def coefs_(self, value: list[Array]) -> None:
        self._set_layers("coefs_", 0, value)

    @property
    def intercepts_(self) -> list[Array]:
        """Biases (n_out,) of each layer: read-only copies.

        To change parameters, assign a list, or an array to an entry.
        """
        biases = [layer[1] for layer in self._predicting_layers("intercepts_")]
        return LayerArrays(biases, self, "intercepts_")

    @intercepts_.setter
    def intercepts_(self, value: list[Array]) -> None:
        self._set_layers("intercepts_", 1, value)

    def _predicting_layers(self, name: str) -> list[tuple[Array, ...]]:
        """Return copies of the parameters that predictions come from, for an attribute."""
        layers = self._fitted_network(name).state.predicting_layers()
        for layer in layers:
            for array in layer:
                array.flags.writeable = False
        return layers

    def _set_layers(self, name: str, part: int, arrays: Sequence[Array]) -> None:
        """Replace one part of each layer that predictions come from; averages become parameters."""
        net = self._fitted_network(name)
        layers = [list(layer) for layer in net.state.predicting_layers()]
        shapes = [layer[part].T.shape for layer in layers]  # as scikit-learn has weights
        for layer, array in zip(
            layers, checks.arrays(name, list(arrays), shapes, net.dtype), strict=True
        ):
            layer[part] = array.T
        net.set_parameters(
            [layer[0] for layer in layers],
            [layer[1] for layer in layers],
            [layer[2] if len(layer) > 2 else None for layer in layers],
        )

    def _fitted_network(self, name: str) -> MLP:
        """Return the network, or raise the AttributeError of an estimator without a network."""
        try:
            return self.__dict__["network_"]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            ) from None
