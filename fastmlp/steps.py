"""The seven steps of training by backpropagation, in the report's order, each alone on arrays.

They are, with the layers l, weights W, biases b and activations f of docs/derivation.md::

    1  forward            z(l+1) = W(l) a(l) + b(l),  a(l+1) = f(z(l+1)),  a(1) = x
    2  output_delta       δ(nl) = −(y − a(nl)) ∘ f'(z(nl))
    3  hidden_deltas      δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l))  for l = nl−1, nl−2, …, 2
    4  example_gradients  ∂J(x,y)/∂W(l) = δ(l+1) a(l)ᵀ,  ∂J(x,y)/∂b(l) = δ(l+1)
    5  batch_gradients    ∂J/∂W(l) = 1/m Σ δ(l+1) a(l)ᵀ + λ W(l),  ∂J/∂b(l) = 1/m Σ δ(l+1)
    6  update             W(l) ← W(l) − α ∂J/∂W(l),  b(l) ← b(l) − α ∂J/∂b(l)
    7  cost               again from 1, until J = 1/m Σ ½‖y − a(nl)‖² + λ/2 Σ W² is small enough

Layers count from 1, the input, to nl, the output.  Lists begin with the first that exists:
weights[0] is W(1), a[0] is a(1), z[0] is z(2), deltas[0] is δ(2).  An example is a row, so that
m examples at once read z = a Wᵀ + b and (Wᵀ δ) becomes δ W.  All seven together::

    while True:
        z, a = forward(X, weights, biases, "sigmoid")
        if cost(y, a[-1], z[-1], weights) < small_enough:
            break
        delta_out = output_delta(y, a[-1], z[-1], "sigmoid")
        deltas = hidden_deltas(delta_out, weights, z, "sigmoid")
        gradients = [batch_gradients(*layer) for layer in zip(deltas, a, weights)]
        weights, biases = zip(*update(zip(weights, biases), gradients, learning_rate))

Products and functions are the compiled kernels that the engine runs fused.  Arrays of float32
stay float32; with any other real dtype among a step's arrays it computes in float64.
docs/derivation.md derives each step; its test settles each by central differences.
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
    real,
    shares,
    weights_of,
)

__all__ = [
    "batch_gradients",
    "batch_norm",
    "batch_norm_delta",
    "cost",
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
    """Step 1: run the network forward.

    Parameters
    ----------
    X : array (m, n_in)
        One example a row; it is a(1).  Taken as it is: bytes are not scaled here.
    weights : sequence of arrays (n_out, n_in)
        W(1), W(2) and so on.
    biases : sequence of arrays (n_out,)
        b(1), b(2) and so on.
    activations : name or activation, or a sequence of them
        f of layers 2 to nl: one for all, or one each.  "softmax" at the output only.

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
    kernels = kernels_for(X, *weights, *biases)
    biases = one_each("biases", biases, len(weights))
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
    """Step 2: δ(nl), how the cost of each example changes with z(nl).

    Parameters
    ----------
    y : array (m, n_out), or (m,)
        Targets; integer labels too with "cross_entropy".
    a_out, z_out : arrays (m, n_out)
        a(nl) and z(nl).
    activation : name or activation
        f of the output layer: "softmax" with "cross_entropy", "sigmoid" with
        "binary_cross_entropy", any other with "squared_error".
    loss : name or loss, default "squared_error"
        The report's ½‖y − a(nl)‖², or a cross-entropy.

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
    """Step 3: δ(l) of every hidden layer, from the last back to the second.

    Parameters
    ----------
    delta_out : array (m, n_out)
        δ(nl).
    weights, z : sequences of arrays
        As given to and returned by `forward`; W(1) and the output's z are not used.
    activations : name or activation, or a sequence of them
        As given to `forward`; the output's is not used.

    Returns
    -------
    list of arrays (m, n)
        δ(2) … δ(nl), the last being `delta_out`.

    Examples
    --------
    >>> f = ["relu", "softmax"]
    >>> z, a = fastmlp.steps.forward(X, net.weights, net.biases, f)
    >>> delta_out = fastmlp.steps.output_delta(y, a[-1], z[-1], "softmax", "cross_entropy")
    >>> [one.shape for one in fastmlp.steps.hidden_deltas(delta_out, net.weights, z, f)]
    [(1797, 100), (1797, 10)]
    """
    kernels = kernels_for(delta_out, *weights, *z)
    z = one_each("z", z, len(weights))
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
    """Step 4: the gradient of each example's own cost by the parameters of layer l.

    Parameters
    ----------
    delta_next : array (m, n_out)
        δ(l+1).
    a : array (m, n_in)
        a(l).

    Returns
    -------
    weight_gradients : array (m, n_out, n_in)
        ∂J(x,y)/∂W(l) of every example.
    bias_gradients : array (m, n_out)
        ∂J(x,y)/∂b(l) of every example.

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
    """Step 5: the gradient of J by the parameters of layer l, the mean of step 4 plus λ W(l).

    Parameters
    ----------
    delta_next : array (m, n_out)
        δ(l+1).
    a : array (m, n_in)
        a(l).
    W : array (n_out, n_in)
        W(l).
    l2 : float, default 0
        λ; biases have none.
    sample_weight : array (m,), optional
        s, of which the mean makes a weighted one: Σ s_i … / Σ s_i, and 0 if Σ s_i is 0.

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
    delta, lam = s[:, None] * delta_next, float(l2)
    dW = kernels.weight_gradient(a, delta) / m + lam * W    # 1/m Σ δ aᵀ + λ W   (n_out, n_in)
    db = kernels.bias_gradient(delta) / m                   # 1/m Σ δ                 (n_out,)
    return dW, db


def update(
    parameters: Iterable[tuple[ArrayLike, ArrayLike]],
    gradients: Iterable[tuple[ArrayLike, ArrayLike]],
    learning_rate: float,
) -> list[tuple[Array, Array]]:
    """Step 6: one step of gradient descent.

    Parameters
    ----------
    parameters : iterable of (array (n_out, n_in), array (n_out,))
        (W(1), b(1)), (W(2), b(2)), …; left as they are.
    gradients : iterable of the same
        (∂J/∂W(1), ∂J/∂b(1)) and so on.
    learning_rate : float
        α.

    Returns
    -------
    list of (array, array)
        The new parameters, as new arrays.

    Examples
    --------
    >>> parameters = zip(net.weights, net.biases)
    >>> weights, biases = zip(*fastmlp.steps.update(parameters, net.gradients(X, y), 0.1))
    >>> np.array_equal(biases[0], net.biases[0])
    False
    """
    updated = []
    alpha = float(learning_rate)  # a NumPy scalar would turn float32 into float64
    parameters = list(parameters)
    gradients = one_each("gradients", gradients, len(parameters))
    for layer, ((W, b), (dW, db)) in enumerate(zip(parameters, gradients, strict=True), start=1):
        kernels = kernels_for(W, b, dW, db)
        W = real(kernels, f"W({layer})", W, None, None)
        b = real(kernels, f"b({layer})", b, len(W))
        dW = real(kernels, f"∂J/∂W({layer})", dW, *W.shape)
        db = real(kernels, f"∂J/∂b({layer})", db, *b.shape)
        updated.append((W - alpha * dW, b - alpha * db))
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
    """Step 7: J, small enough or not.

    Parameters
    ----------
    y : array (m, n_out), or (m,)
        Targets; integer labels too with "cross_entropy".
    a_out, z_out : arrays (m, n_out)
        a(nl) and z(nl).
    weights : sequence of arrays, default ()
        W(1), W(2), …, for the penalty.
    loss : name or loss, default "squared_error"
        As for `output_delta`.
    l2 : float, default 0
        λ.
    sample_weight : array (m,), optional
        As for `batch_gradients`.

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
    if isinstance(kind, Custom):
        each = kind.costs(a_out, y)
    else:
        # a cross-entropy comes from z(nl): log a(nl) has lost its digits where a(nl) is near 0 or
        # 1; so does whatever has an activation of its own
        of = z_out if len(kind.outputs) == 1 else a_out
        # ½‖y − a(nl)‖², or −Σ y log a(nl), …                                            (m,)
        each = kernels.loss(of, y, kind.name, constants=kind.constants)[2]
    penalty = l2 / 2 * sum(float(np.square(W).sum()) for W in weights)
    return float(s @ each) / m + penalty            # 1/m Σ cost + λ/2 Σ W²


# ------------------------------------------------------------------------- batch normalization


def batch_norm(
    u: ArrayLike,
    scale: ArrayLike,
    shift: ArrayLike,
    epsilon: float = 1e-5,
    sample_weight: ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """Between the parts of step 1: normalize u = W(l) a(l) over the batch (Ioffe and Szegedy 2015).

    Parameters
    ----------
    u : array (m, n), m ≥ 2
        W(l) a(l) of every example, without bias.
    scale, shift : arrays (n,)
        γ, and β, for which the engine takes the bias b(l).
    epsilon : float, default 1e-5
        ε.
    sample_weight : array (m,), optional
        s: an example of weight 2 counts as two of them, in μ and σ² as well.

    Returns
    -------
    z : array (m, n)
        γ ∘ û + β: z(l+1).
    normalized : array (m, n)
        û = (u − μ)/√(σ² + ε), with μ and σ² the batch's mean and (biased) variance,
        Σ s u / Σ s and Σ s (u − μ)² / Σ s.
    inverse : array (n,)
        1/√(σ² + ε).
    """
    kernels = kernels_for(u, scale, shift)
    u = real(kernels, "u", u, None, None)
    if len(u) < 2:
        raise ValueError(f"batch norm needs at least 2 examples, got {len(u)}")
    scale = real(kernels, "scale", scale, u.shape[1])
    shift = real(kernels, "shift", shift, u.shape[1])
    s, total = weights_of(kernels, sample_weight, len(u))
    found: tuple[Array, Array, Array] = kernels.batch_norm(
        u, scale, shift, float(epsilon), shares(s, total)
    )
    return found


def batch_norm_delta(
    delta: ArrayLike,
    normalized: ArrayLike,
    scale: ArrayLike,
    inverse: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """After step 3: from δ = ∂J/∂z behind the normalization to ∂J/∂u before it.

    Parameters
    ----------
    delta : array (m, n)
        δ(l), as `hidden_deltas` gives it.
    normalized : array (m, n)
        As `batch_norm` returned it.
    scale : array (n,)
        γ.
    inverse : array (n,)
        As `batch_norm` returned it.
    sample_weight : array (m,), optional
        s, as `batch_norm` had it.

    Returns
    -------
    delta_u : array (m, n)
        γ/√(σ² + ε) ∘ (δ − 1/m Σ δ − û ∘ 1/m Σ δ ∘ û), which goes on in δ's place; with weights the
        means are Σ s δ / Σ s and Σ s δ ∘ û / Σ s, and an example of weight 0 gets 0.
    scale_gradient, shift_gradient : arrays (n,)
        Σ s δ ∘ û and Σ s δ over the examples: ∂J/∂γ and ∂J/∂β times m, or Σ s.
    """
    kernels = kernels_for(delta, normalized, scale, inverse)
    delta = real(kernels, "delta", delta, None, None)
    normalized = real(kernels, "normalized", normalized, *delta.shape)
    scale = real(kernels, "scale", scale, delta.shape[1])
    inverse = real(kernels, "inverse", inverse, delta.shape[1])
    s, total = weights_of(kernels, sample_weight, len(delta))
    delta_u, scale_gradient, shift_gradient = kernels.batch_norm_delta(
        s[:, None] * delta, normalized, scale, inverse, shares(s, total)
    )
    delta_u = np.divide(delta_u, s[:, None], out=np.zeros_like(delta_u), where=s[:, None] != 0)
    return delta_u, scale_gradient, shift_gradient
