"""Networks as scikit-learn's MLPClassifier and MLPRegressor, and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import activations, losses
from ..activations import Activation
from ..model.state import Array
from ..network import MLP
from ..support import checks
from ..support.extras import imported
from ..support.labels import label_array, names_of
from ..support.text import shown
from .building import Dense, ImportedLayer, as_floats, build_network
from .inference import InferenceLayer, inference_layers, metadata_of, require_mlp

__all__ = ["from_sklearn", "to_sklearn"]

HIDDEN = {  # activations of hidden layers, in fastmlp and in scikit-learn
    "identity": "identity",
    "sigmoid": "logistic",
    "tanh": "tanh",
    "relu": "relu",
}
OURS = {
    **{theirs: ours for ours, theirs in HIDDEN.items()},
    "softmax": "softmax",
    "exp": "exponential",
}
# losses with which scikit-learn's regressors have an output activation
REGRESSION = {"identity": "squared_error", "exponential": "poisson"}


def to_sklearn(net: MLP, classes: ArrayLike | None = None) -> Any:
    """Return a network as a fitted estimator of scikit-learn.

    Parameters
    ----------
    net : MLP
        The network.  Its hidden layers have the same activation: identity, sigmoid, tanh or relu.
    classes : array-like, optional
        The class labels in the order of the outputs, which must be ascending, as in scikit-learn.
        Default: ``net.metadata["classes"]``, which `fastmlp train` writes, otherwise 0, 1, ….

    Returns
    -------
    sklearn.neural_network.MLPClassifier or MLPRegressor
        A classifier for "cross_entropy" and "binary_cross_entropy" (multilabel with several
        outputs), otherwise a regressor; in the network's dtype, batch norm folded in.
        ``partial_fit`` continues with these weights and a new optimizer.  The quantiles of a target
        are those of ``net.forward(X)``, not in ascending order.

    Raises
    ------
    ImportError
        Without scikit-learn: ``pip install "fastmlp[sklearn]"``.
    ValueError
        If scikit-learn has no such network, or the classes do not fit.

    See Also
    --------
    from_sklearn : The opposite direction.

    Notes
    -----
    A regressor's parameter ``loss`` is the network's loss.  scikit-learn itself trains with
    "squared_error" and "poisson" only.  For other losses the parameter is the loss object of
    fastmlp: the estimator predicts, and its ``fit`` and ``partial_fit`` raise an error.
    """
    layers = inference_layers(require_mlp(net))
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
    if not net.loss.classification and net.output_activation.name not in REGRESSION:
        raise ValueError(
            f"scikit-learn's regressors have output activation {' or '.join(REGRESSION)}; this "
            f"network has {net.output_activation}"
        )
    options: dict[str, Any] = {
        "hidden_layer_sizes": net.sizes[1:-1],
        "activation": HIDDEN[used.pop().name] if used else "identity",
    }
    sklearn = imported("sklearn.neural_network", "sklearn")
    # one step of training creates all attributes of a fitted estimator; then come the real values
    if net.loss.classification:
        estimator, labels = sklearn.MLPClassifier(**options), class_labels(net, classes)
        multilabel = not net.loss.single_label(net.n_out)
        y = np.eye(len(labels), dtype=np.intp) if multilabel else labels
        estimator.partial_fit(zeros(net, len(labels)), y, classes=labels)
    else:
        loss = REGRESSION[net.output_activation.name]
        estimator, n_out = sklearn.MLPRegressor(**options, loss=loss), net.n_out
        estimator.partial_fit(zeros(net, 1), np.ones((1, n_out) if n_out > 1 else 1))
        estimator.loss = loss if net.loss.name == loss else net.loss
    estimator.coefs_, estimator.intercepts_ = parameters(layers, estimator.n_outputs_)
    # scikit-learn's squared error is the mean over the outputs, fastmlp's their sum
    divisor = net.n_out if net.loss.name == "squared_error" else 1
    curve = [cost / divisor for cost in net.history.cost]
    estimator.loss_curve_ = curve
    estimator.loss_, estimator.best_loss_ = (curve[-1], min(curve)) if curve else (np.nan, np.nan)
    estimator.n_iter_, estimator.t_ = net.epochs, 0
    del estimator._optimizer  # of that step
    return estimator


def zeros(net: MLP, n_rows: int) -> Array:
    """Return examples of zeros."""
    return np.zeros((n_rows, net.n_in), net.dtype)


def class_labels(net: MLP, requested: ArrayLike | None) -> Array:
    """Return the class labels: the requested ones, those of the metadata, or numbers."""
    count = max(net.n_out, 2)
    # an estimator that has seen one class only has a single output
    counts = (count, 1) if net.n_out == 1 else (count,)
    if requested is None:
        known = label_array(metadata_of(net).get("classes"))
        labels = known if known is not None and len(known) in counts else np.arange(count)
        if labels.dtype == object:
            labels = labels.astype(str)
        requested = labels
    labels = np.asarray(requested)
    if (
        labels.ndim != 1
        or len(labels) not in counts
        or labels.dtype == object
        or (labels[1:] <= labels[:-1]).any()
    ):
        raise ValueError(f"classes must be {count} names in ascending order, got {requested!r}")
    return labels


def parameters(
    layers: Sequence[InferenceLayer], n_outputs: int
) -> tuple[list[Array], list[Array]]:
    """Return weights (n_in, n_out) and biases; a softmax of two becomes a sigmoid of one."""
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
        A fitted estimator of scikit-learn or of `fastmlp.sklearn`, or any object with their
        attributes `coefs_`, `intercepts_`, `activation` and `out_activation_`.

    Returns
    -------
    MLP
        In float64 if a weight is, otherwise in float32.  ``net.metadata`` has the class labels of a
        classifier as "classes", a list for each column of y if it has several, and the names of the
        features, if the estimator knows them, as "columns".  A classifier of two classes has one
        output, the probability of the second.

    Raises
    ------
    TypeError
        If it is not such an estimator.
    ValueError
        If it is not fitted.

    See Also
    --------
    to_sklearn : The opposite direction.
    """
    network = getattr(estimator, "network_", None)  # of fastmlp.sklearn
    if isinstance(network, MLP):
        net = copy.deepcopy(network)
    else:
        loss = getattr(estimator, "loss", None)  # scikit-learn's own follow from the output
        own = loss if isinstance(loss, losses.Loss) else None  # by to_sklearn
        net = build_network(imported_layers(estimator), own)
    classes = getattr(estimator, "classes_", None)
    if classes is not None:
        several = isinstance(classes, list)  # of several columns
        net.metadata["classes"] = (
            [names_of(one) for one in classes] if several else names_of(np.asarray(classes))
        )
    columns = getattr(estimator, "feature_names_in_", None)
    if columns is not None:
        net.metadata["columns"] = [str(name) for name in columns]
    return net


def imported_layers(estimator: Any) -> Iterator[tuple[str, ImportedLayer]]:
    """Yield the layers of an estimator with their names."""
    needed = ("activation", "coefs_", "intercepts_", "out_activation_")
    if not all(hasattr(estimator, name) for name in needed):
        if hasattr(estimator, "activation") and hasattr(estimator, "solver"):
            raise ValueError(f"{estimator} is not fitted: call its fit first")
        raise TypeError(
            f"estimator must be an MLPClassifier or MLPRegressor, got {shown(estimator)}"
        )
    hidden = activation("activation", estimator.activation)
    output = activation("out_activation_", estimator.out_activation_)
    last = len(estimator.coefs_) - 1
    for l, (W, b) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        yield f"coefs_[{l}]", Dense(as_floats(W).T, as_floats(b))
        yield f"activation {l}", output if l == last else hidden


def activation(name: str, value: object) -> Activation:
    """Return the activation function of scikit-learn's name."""
    return activations.TABLE[OURS[checks.known(name, value, OURS)]]()
