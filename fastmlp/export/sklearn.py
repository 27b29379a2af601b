"""To scikit-learn's MLPClassifier and MLPRegressor, and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import activations
from ..activations import Activation
from ..model.state import Array
from ..network import MLP
from ..support import checks
from ..support.extras import imported
from .assembly import Dense, Part, assembled, real
from .networks import Layer, plain, single

__all__ = ["from_sklearn", "to_sklearn"]

def to_sklearn(net: MLP, classes: ArrayLike | None = None) -> Any:
    """Return a network as a fitted estimator of scikit-learn.

    Parameters
    ----------
    net : MLP
        The network.  Its hidden layers share one activation: identity, sigmoid, tanh or relu.
    classes : array-like, optional
        The names of the classes, in the order of the outputs and ascending, as scikit-learn has
        them.  Default: ``net.metadata["classes"]``, which ``fastmlp train`` writes, else 0, 1, ….

    Returns
    -------
    sklearn.neural_network.MLPClassifier or MLPRegressor
        A classifier for "cross_entropy" and "binary_cross_entropy" (of several labels for each
        example, with several outputs), else a regressor; in the network's dtype, batch norm folded
        in.  `partial_fit` goes on with its weights and a new optimizer.  The quantiles of a target
        come as from ``net.forward(X)``, not in ascending order.

    Raises
    ------
    ImportError
        Without scikit-learn: ``pip install "fastmlp[sklearn]"``.
    ValueError
        If the network has what scikit-learn's have not, or the classes do not fit.
    """
    layers = plain(single(net))
    if net.loss.groups:
        raise ValueError(
            f"scikit-learn's MLPClassifier has one softmax over all outputs; this network has one "
            f"in each of the groups {net.loss.groups}"
        )
    used = {layer.activation for layer in layers[:-1]}
    unknown = [f for f in used if f.name not in HIDDEN]
    if unknown or len(used) > 1:
        raise ValueError(
            f"scikit-learn's networks have one activation for all hidden layers, "
            f"{', '.join(HIDDEN)}; this network has {', '.join(map(str, net.activation))}"
        )
    options: dict[str, Any] = {
        "hidden_layer_sizes": net.sizes[1:-1],
        "activation": HIDDEN[used.pop().name] if used else "identity",
    }
    if not net.loss.classification and net.output_activation.name not in REGRESSION:
        raise ValueError(
            f"scikit-learn's regressors have output activation {' or '.join(REGRESSION)}; this "
            f"network has {net.output_activation}"
        )
    sklearn = imported("sklearn.neural_network", "sklearn")
    if net.loss.classification:
        estimator, y = sklearn.MLPClassifier(**options), class_names(net, classes)
        several = not net.loss.single_label(net.n_out)
        targets = np.eye(len(y), dtype=np.intp) if several else y  # yes and no for each label
        estimator.partial_fit(zeros(net, len(y)), targets, classes=y)
    else:
        estimator = sklearn.MLPRegressor(**options, **REGRESSION[net.output_activation.name])
        n_out = net.n_out
        estimator.partial_fit(zeros(net, 1), np.ones((1, n_out) if n_out > 1 else 1))
    # a step of training has made all that a fitted estimator has; here is what it learned
    estimator.coefs_, estimator.intercepts_ = parameters(layers, estimator.n_outputs_)
    estimator.n_iter_, estimator.t_, estimator.loss_curve_ = net.epochs, 0, list(net.history.cost)
    del estimator._optimizer  # of that step
    return estimator


def zeros(net: MLP, n_rows: int) -> Array:
    """So many examples of zeros."""
    return np.zeros((n_rows, net.n_in), net.dtype)


def class_names(net: MLP, given: ArrayLike | None) -> Array:
    """The classes' names: as given, by the metadata, or by number."""
    count = max(net.n_out, 2)
    if given is None:
        known = net.metadata.get("classes")
        given = known if isinstance(known, list) and len(known) == count else range(count)
    names = np.asarray(given)
    if names.shape != (count,) or (names[1:] <= names[:-1]).any():
        raise ValueError(f"classes must be {count} names in ascending order, got {given!r}")
    return names


def parameters(layers: Sequence[Layer], n_outputs: int) -> tuple[list[Array], list[Array]]:
    """Weights (n_in, n_out) and biases; a softmax of two is the sigmoid of their difference."""
    weights = [np.ascontiguousarray(layer.weight.T) for layer in layers]
    biases = [layer.bias for layer in layers]
    if n_outputs == 1 and len(biases[-1]) == 2:
        weights[-1], biases[-1] = np.diff(weights[-1], axis=1), np.diff(biases[-1])
    return weights, biases


def from_sklearn(estimator: Any) -> MLP:
    """Return a fitted estimator of scikit-learn as a network.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Of scikit-learn or of `fastmlp.sklearn`, fitted; or anything with their attributes `coefs_`,
        `intercepts_`, `activation` and `out_activation_`.

    Returns
    -------
    MLP
        In float64 if a weight is, else in float32.  ``net.metadata["classes"]`` has the names of a
        classifier's classes, a list for each column of its y if there are several.  A classifier of
        two classes has one output, the probability of the second.

    Raises
    ------
    TypeError
        If it is not such an estimator.
    ValueError
        If it is not fitted.
    """
    network = getattr(estimator, "network_", None)  # of fastmlp.sklearn
    if isinstance(network, MLP):
        net = copy.deepcopy(network)
    else:
        net = assembled(parts(estimator), None)
    classes = getattr(estimator, "classes_", None)
    if classes is not None:
        several = isinstance(classes, list)  # of several columns of classes
        net.metadata["classes"] = (
            [one.tolist() for one in classes] if several else np.asarray(classes).tolist()
        )
    return net


def parts(estimator: Any) -> Iterator[tuple[str, Part]]:
    """The layers of an estimator."""
    needed = ("coefs_", "intercepts_", "out_activation_")
    if not hasattr(estimator, "activation"):
        raise TypeError(
            f"estimator must be an MLPClassifier or MLPRegressor, got {type(estimator).__name__}"
        )
    if not all(hasattr(estimator, name) for name in needed):
        raise ValueError(f"{estimator} is not fitted: call its fit first")
    hidden = activation("activation", estimator.activation)
    output = activation("out_activation_", estimator.out_activation_)
    last = len(estimator.coefs_) - 1
    for l, (W, b) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        yield f"coefs_[{l}]", Dense(real(W).T, real(b))
        yield f"activation {l}", output if l == last else hidden


def activation(name: str, value: object) -> Activation:
    """The activation function that scikit-learn calls so."""
    return activations.TABLE[NAMES[checks.known(name, value, NAMES)]]()


HIDDEN = {  # activations of hidden layers, here and there
    "identity": "identity",
    "sigmoid": "logistic",
    "tanh": "tanh",
    "relu": "relu",
}
NAMES = {
    **{there: here for here, there in HIDDEN.items()},
    "softmax": "softmax",
    "exp": "exponential",
}
REGRESSION: dict[str, dict[str, str]] = {  # options of a regressor, by its output activation
    "identity": {},
    "exponential": {"loss": "poisson"},
}
