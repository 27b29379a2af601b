"""The seven steps of training by backpropagation, as functions of arrays.

Their order and notation are those of the report: Tao Hu, "A technical report about Deep Learning".
With layers l, weights W, biases b and activation functions f they are::

    1  forward            z(l+1) = W(l) a(l) + b(l),  a(l+1) = f(z(l+1)),  a(1) = x
    2  output_delta       δ(nl) = −(y − a(nl)) ∘ f'(z(nl))
    3  hidden_deltas      δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l))  for l = nl−1, nl−2, …, 2
    4  example_gradients  ∂J(x,y)/∂W(l) = δ(l+1) a(l)ᵀ,  ∂J(x,y)/∂b(l) = δ(l+1)
    5  batch_gradients    ∂J/∂W(l) = 1/m Σ δ(l+1) a(l)ᵀ + λ W(l),  ∂J/∂b(l) = 1/m Σ δ(l+1)
    6  update             W(l) ← W(l) − α ∂J/∂W(l),  b(l) ← b(l) − α ∂J/∂b(l)
    7  cost               again from 1, until J = 1/m Σ ½‖y − a(nl)‖² + λ/2 Σ W² is small enough

Layers are counted from 1, the input, to nl, the output.  A list begins with the first layer that
has the quantity: weights[0] is W(1), a[0] is a(1), z[0] is z(2), deltas[0] is δ(2).  Examples are
rows, so that for m examples W a + b is computed as a Wᵀ + b, and Wᵀ δ as δ W.  The seven steps
together train a network, until J is small enough or, as it may never be, for max_updates updates::

    for _ in range(max_updates):
        z, a = forward(X, weights, biases, "sigmoid")
        if cost(y, a[-1], z[-1], weights, l2=lam) < small_enough:
            break
        delta_out = output_delta(y, a[-1], z[-1], "sigmoid")
        deltas = hidden_deltas(delta_out, weights, z, "sigmoid")
        gradients = [batch_gradients(*layer, l2=lam) for layer in zip(deltas, a, weights)]
        weights, biases = zip(*update(zip(weights, biases), gradients, learning_rate))

Products and functions are computed by the same compiled kernels as in `MLP.fit`, which fuses them.
A step computes in float32 if all its arrays are float32, otherwise in float64.  docs/derivation.md
derives each step; tests/test_derivation.py compares each with central differences.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from . import losses
from .losses import Custom
from .step_arguments import (
    Array,
    Function,
    activate,
    functions_of,
    kernels_for,
    loss_and_targets,
    one_each,
    pairs,
    real,
    weights_of,
)
from .step_batch_norm import batch_norm, batch_norm_delta
from .step_encodings import encode, encoding_gradients
from .support import checks

__all__ = [
    "batch_gradients",
    "batch_norm",
    "batch_norm_delta",
    "cost",
    "encode",
    "encoding_gradients",
    "example_gradients",
    "forward",
    "hidden_deltas",
    "output_delta",
    "update",
]


def forward(
    X: ArrayLike,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    activations: Function | Sequence[Function],
) -> tuple[list[Array], list[Array]]:
    """Step 1: compute z and the activations a of every layer (forward pass).

    Parameters
    ----------
    X : array (m, n_in)
        Examples a(1), one in each row; uint8 values are not scaled.
    weights : sequence of arrays (n_out, n_in)
        Weights W(1) to W(nl−1).
    biases : sequence of arrays (n_out,)
        Biases b(1) to b(nl−1).
    activations : name or activation, or a sequence of them
        Activation functions f of the layers 2 to nl: one for all, or one for each.  "softmax" is
        for the output layer only.

    Returns
    -------
    z : list of arrays (m, n)
        z(2) … z(nl).
    a : list of arrays (m, n)
        a(1) … a(nl).

    Examples
    --------
    >>> z, a = fastmlp.steps.forward(X, net.weights, net.biases, ["relu", "softmax"])
    >>> [one.shape for one in a]
    [(1797, 64), (1797, 100), (1797, 10)]
    """
    weights = checks.items("weights", weights)
    biases = one_each("biases", biases, len(weights))
    kernels = kernels_for(X, *weights, *biases)
    functions = functions_of(activations, len(weights))
    a = [real(kernels, "X", X, None, None)]
    z: list[Array] = []
    for layer, (W, b, f) in enumerate(zip(weights, biases, functions, strict=True), start=1):
        W = real(kernels, f"W({layer})", W, None, a[-1].shape[1])
        b = real(kernels, f"b({layer})", b, len(W))
        z.append(kernels.forward(a[-1], W, b))      # z(l+1) = W(l) a(l) + b(l)      (m, n_out)
        a.append(activate(kernels, z[-1], f)[0])    # a(l+1) = f(z(l+1))             (m, n_out)
    return z, a


def output_delta(
    y: ArrayLike,
    a_out: ArrayLike,
    z_out: ArrayLike,
    activation: Function,
    loss: losses.LossSpec = "squared_error",
) -> Array:
    """Step 2: compute δ(nl), the derivative of each example's cost by z(nl).

    Parameters
    ----------
    y : array (m, n_out), or (m,)
        Targets; for "cross_entropy" also integer labels.
    a_out, z_out : arrays (m, n_out)
        a(nl) and z(nl).
    activation : name or activation
        Activation function f of the output layer, which the loss must allow: "softmax" for
        "cross_entropy", "sigmoid" for "binary_cross_entropy", "exponential" for "poisson" and
        "gamma", any but "softmax" for other losses.
    loss : name or loss, default "squared_error"
        Loss; "squared_error" is ½‖y − a(nl)‖², the loss of the report.

    Returns
    -------
    array (m, n_out)
        δ(nl).
    """
    kernels = kernels_for(a_out, z_out)
    a_out = real(kernels, "a_out", a_out, None, None)
    z_out = real(kernels, "z_out", z_out, *a_out.shape)
    kind, y = loss_and_targets(kernels, loss, y, *a_out.shape)
    f = kind.output_activation(activation, a_out.shape[1])
    _, slope = activate(kernels, z_out, f)          # f'(z(nl))                      (m, n_out)
    if kind.name == "squared_error":
        return -(y - a_out) * slope                 # −(y − a(nl)) ∘ f'(z(nl))       (m, n_out)
    return kind.output_delta(a_out, y, slope)       # ∂cost/∂a(nl) ∘ f'(z(nl))       (m, n_out)


def hidden_deltas(
    delta_out: ArrayLike,
    weights: Sequence[ArrayLike],
    z: Sequence[ArrayLike],
    activations: Function | Sequence[Function],
) -> list[Array]:
    """Step 3: compute δ(l) of every hidden layer, from the last back to the first.

    Parameters
    ----------
    delta_out : array (m, n_out)
        δ(nl).
    weights, z : sequences of arrays
        Weights as passed to `forward`, and z as it returned them.  W(1) and the z of the output
        are not used.
    activations : name or activation, or a sequence of them
        Activation functions as passed to `forward`; that of the output is not used.

    Returns
    -------
    list of arrays (m, n)
        δ(2) … δ(nl); the last is `delta_out`.

    Examples
    --------
    >>> f = ["relu", "softmax"]
    >>> z, a = fastmlp.steps.forward(X, net.weights, net.biases, f)
    >>> delta_out = fastmlp.steps.output_delta(y, a[-1], z[-1], "softmax", "cross_entropy")
    >>> [one.shape for one in fastmlp.steps.hidden_deltas(delta_out, net.weights, z, f)]
    [(1797, 100), (1797, 10)]
    """
    weights = checks.items("weights", weights)
    z = one_each("z", z, len(weights))
    kernels = kernels_for(delta_out, *weights, *z)
    functions = functions_of(activations, len(weights))
    deltas = [real(kernels, "delta_out", delta_out, None, None)]
    for layer in range(len(weights), 1, -1):
        W = real(kernels, f"W({layer})", weights[layer - 1], deltas[0].shape[1], None)
        z_l = real(kernels, f"z({layer})", z[layer - 2], len(deltas[0]), W.shape[1])
        _, slope = activate(kernels, z_l, functions[layer - 2])     # f'(z(l))        (m, n_in)
        back = kernels.hidden_delta(deltas[0], W)                   # W(l)ᵀ δ(l+1)    (m, n_in)
        deltas.insert(0, back * slope)                              # δ(l)            (m, n_in)
    return deltas


def example_gradients(delta_next: ArrayLike, a: ArrayLike) -> tuple[Array, Array]:
    """Step 4: compute the gradient of each example's cost by the parameters of layer l.

    Parameters
    ----------
    delta_next : array (m, n_out)
        δ(l+1).
    a : array (m, n_in)
        a(l).

    Returns
    -------
    weight_gradients : array (m, n_out, n_in)
        ∂J(x,y)/∂W(l) of each example.
    bias_gradients : array (m, n_out)
        ∂J(x,y)/∂b(l) of each example.

    Examples
    --------
    >>> delta, a = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0, 5.0]])
    >>> dW, db = fastmlp.steps.example_gradients(delta, a)
    >>> dW[0]
    array([[ 3.,  4.,  5.],
           [ 6.,  8., 10.]])
    """
    kernels = kernels_for(delta_next, a)
    delta_next = real(kernels, "delta_next", delta_next, None, None)
    a = real(kernels, "a", a, len(delta_next), None)
    dW = delta_next[:, :, None] * a[:, None, :]     # δ_i(l+1) a_j(l)          (m, n_out, n_in)
    db = delta_next.copy()                          # δ_i(l+1)                       (m, n_out)
    return dW, db


def batch_gradients(
    delta_next: ArrayLike,
    a: ArrayLike,
    W: ArrayLike,
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Step 5: compute the gradient of J by the parameters of layer l.

    It is the mean of the gradients of step 4, plus λ W(l) for the weights.

    Parameters
    ----------
    delta_next : array (m, n_out)
        δ(l+1).
    a : array (m, n_in)
        a(l).
    W : array (n_out, n_in)
        W(l).
    l2 : float, default 0
        Coefficient λ of the penalty on weights; there is no penalty on biases.
    sample_weight : array (m,), optional
        Weights s of the examples: the mean becomes Σ s_i … / Σ s_i, and 0 if Σ s_i is 0.

    Returns
    -------
    weight_gradient : array (n_out, n_in)
        ∂J/∂W(l).
    bias_gradient : array (n_out,)
        ∂J/∂b(l).

    Examples
    --------
    >>> f = ["relu", "softmax"]
    >>> z, a = fastmlp.steps.forward(X, net.weights, net.biases, f)
    >>> delta_out = fastmlp.steps.output_delta(y, a[-1], z[-1], "softmax", "cross_entropy")
    >>> dW, db = fastmlp.steps.batch_gradients(delta_out, a[-2], net.weights[-1])
    >>> np.allclose(dW, net.gradients(X, y)[-1][0], atol=1e-6)
    True
    """
    kernels = kernels_for(delta_next, a, W)
    delta_next = real(kernels, "delta_next", delta_next, None, None)
    a = real(kernels, "a", a, len(delta_next), None)
    W = real(kernels, "W", W, delta_next.shape[1], a.shape[1])
    s, m = weights_of(kernels, sample_weight, len(a))
    delta, lam = s[:, None] * delta_next, checks.number("l2", l2)
    dW = kernels.weight_gradient(a, delta) / m + lam * W    # 1/m Σ δ aᵀ + λ W   (n_out, n_in)
    db = kernels.bias_gradient(delta) / m                   # 1/m Σ δ                 (n_out,)
    return dW, db


def update(
    parameters: Iterable[tuple[ArrayLike, ArrayLike]],
    gradients: Iterable[tuple[ArrayLike, ArrayLike]],
    learning_rate: float,
    bias_rate_multiplier: float = 1.0,
) -> list[tuple[Array, Array]]:
    """Step 6: return the parameters after a step of gradient descent.

    Parameters
    ----------
    parameters : iterable of (array (n_out, n_in), array (n_out,))
        (W(l), b(l)) of each layer; the arrays are not changed.
    gradients : iterable of (array (n_out, n_in), array (n_out,))
        (∂J/∂W(l), ∂J/∂b(l)) of each layer.
    learning_rate : float
        Learning rate α.
    bias_rate_multiplier : float, default 1
        Factor of the learning rate of biases.

    Returns
    -------
    list of (array, array)
        The new parameters, in new arrays.

    Examples
    --------
    >>> parameters = zip(net.weights, net.biases)
    >>> weights, biases = zip(*fastmlp.steps.update(parameters, net.gradients(X, y), 0.1))
    >>> np.array_equal(biases[0], net.biases[0])
    False
    """
    updated = []
    alpha = checks.number("learning_rate", learning_rate)  # not a float64 scalar, for float32
    alpha_b = alpha * checks.number("bias_rate_multiplier", bias_rate_multiplier)
    parameters = pairs("parameters", parameters)
    gradients = one_each("gradients", pairs("gradients", gradients), len(parameters))
    for layer, ((W, b), (dW, db)) in enumerate(zip(parameters, gradients, strict=True), start=1):
        kernels = kernels_for(W, b, dW, db)
        W = real(kernels, f"W({layer})", W, None, None)
        b = real(kernels, f"b({layer})", b, len(W))
        dW = real(kernels, f"∂J/∂W({layer})", dW, *W.shape)
        db = real(kernels, f"∂J/∂b({layer})", db, *b.shape)
        updated.append((W - alpha * dW, b - alpha_b * db))
    return updated


def cost(
    y: ArrayLike,
    a_out: ArrayLike,
    z_out: ArrayLike,
    weights: Sequence[ArrayLike] = (),
    loss: losses.LossSpec = "squared_error",
    l2: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Step 7: compute J, by which the loop over the steps ends.

    Parameters
    ----------
    y : array (m, n_out), or (m,)
        Targets; for "cross_entropy" also integer labels.
    a_out, z_out : arrays (m, n_out)
        a(nl) and z(nl).
    weights : sequence of arrays, default ()
        Weights W(1) to W(nl−1), for the penalty.
    loss : name or loss, default "squared_error"
        Loss, as for `output_delta`.
    l2 : float, default 0
        Coefficient λ of the penalty.
    sample_weight : array (m,), optional
        Weights of the examples, as for `batch_gradients`.

    Returns
    -------
    float
        J = 1/m Σ cost + λ/2 Σ W².

    Examples
    --------
    >>> z, a = fastmlp.steps.forward(X, net.weights, net.biases, ["relu", "softmax"])
    >>> J = fastmlp.steps.cost(y, a[-1], z[-1], net.weights, "cross_entropy", l2=0.01)
    >>> abs(J - net.cost(X, y, l2=0.01)) < 1e-5
    True
    """
    kernels = kernels_for(a_out, z_out)
    a_out = real(kernels, "a_out", a_out, None, None)
    z_out = real(kernels, "z_out", z_out, *a_out.shape)
    kind, y = loss_and_targets(kernels, loss, y, *a_out.shape)
    s, m = weights_of(kernels, sample_weight, len(a_out))
    lam = checks.number("l2", l2)
    if isinstance(kind, Custom):
        each = kind.costs(a_out, y)
    else:
        # Losses with an output activation of their own are computed from z(nl): log a(nl) of a
        # cross-entropy would lose its digits where a(nl) is near 0 or 1.
        of = z_out if len(kind.output_activations) == 1 else a_out
        # ½‖y − a(nl)‖², or −Σ y log a(nl), …                                            (m,)
        each = kernels.loss(of, y, kind.name, constants=kind.constants)[2]
    found = [
        real(kernels_for(W), f"W({layer})", W, None, None)
        for layer, W in enumerate(checks.items("weights", weights), start=1)
    ]
    penalty = lam / 2 * sum(float(np.square(W).sum()) for W in found)
    return float(s @ each) / m + penalty            # 1/m Σ cost + λ/2 Σ W²
