"""A network, what happens to it, and the same network in NumPy beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fastmlp import MLP, Adam, Callback, GradientDescent, RMSprop, reference
from fastmlp.model import files

LOSSES = ["cross_entropy", "squared_error", "binary_cross_entropy", "huber"]
ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "silu", "softplus"]
# A large ε: where a gradient is rounding alone, the step is then small too
OPTIMIZERS = [GradientDescent(0.05), GradientDescent(0.02, momentum=0.5), Adam(0.01, epsilon=1e-2),
              RMSprop(0.01, epsilon=1e-2)]
TOLERANCE = {"float32": 2e-3, "float64": 1e-8}


class InterruptAfter(Callback):
    """Ctrl-C at the end of an epoch."""

    def __init__(self, epochs: int) -> None:
        self.remaining = epochs

    def on_epoch_end(self, net: Any, history: Any) -> None:
        self.remaining -= 1
        if self.remaining == 0:
            raise KeyboardInterrupt


class Recorder(Callback):
    """Collects the outputs of every state that a reader beside a fit may see.

    The fit's batches have all examples, so that each epoch is one step.
    """

    def __init__(self, X: Any, outputs: set[bytes]) -> None:
        self.X, self.outputs = X, outputs

    def record(self, net: Any, history: Any) -> None:
        self.outputs.add(net.forward(self.X).tobytes())

    on_fit_begin = on_epoch_end = record  # type: ignore[assignment]


def state_of(net: MLP) -> list[bytes]:
    """Everything that a network is, bit for bit."""
    header, arrays = files.pack(net.state, net.metadata, with_optimizer=True)
    return [repr(header).encode(), *(one.tobytes() for one in arrays.values())]


@dataclass
class Spec:
    """Arguments of a network, and examples for it."""

    sizes: tuple[int, ...]
    options: dict[str, Any]
    X: Any
    y: Any

    def network(self) -> MLP:
        return MLP(self.sizes, **self.options)


@st.composite
def specs(draw: Any) -> Spec:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_in = draw(st.sampled_from([3, 1, 17]))
    hidden = draw(st.lists(st.sampled_from([4, 1, 9, 33]), max_size=2))
    n_out, m = draw(st.sampled_from([2, 3, 18])), draw(st.sampled_from([12, 2, 40]))
    loss = draw(st.sampled_from(LOSSES))
    options = {
        "activation": [draw(st.sampled_from(ACTIVATIONS)) for _ in hidden],
        "loss": loss,
        "batch_norm": [draw(st.booleans()) for _ in hidden],
        "dtype": draw(st.sampled_from(list(TOLERANCE))),
        "init": "glorot_normal",
        "seed": draw(st.integers(0, 99)),
    }
    X = rng.normal(size=(m, n_in)).astype(options["dtype"])
    if loss == "cross_entropy":
        y = rng.integers(n_out, size=m)
    else:
        y = rng.random((m, n_out)).astype(options["dtype"])
    return Spec((n_in, *hidden, n_out), options, X, y)


class InNumPy:
    """The network's twin in fastmlp.reference, in float64."""

    def __init__(self, spec: Spec, net: MLP) -> None:
        functions = [f.name for f in (*net.activation, net.output_activation)]
        constants = net.loss.constants
        loss = (spec.options["loss"], *constants) if spec.options["loss"] == "huber" else \
            spec.options["loss"]
        self.net = reference.Network(
            spec.sizes, functions, loss, batch_norm=spec.options["batch_norm"]
        )
        self.optimizer: Any = None
        self.rule: reference.Optimizer | None = None
        self.take(net)

    def take(self, net: MLP) -> None:
        """Continue from the parameters of the network."""
        self.net.weights = [one.astype(np.float64) for one in net.weights]
        self.net.biases = [one.astype(np.float64) for one in net.biases]
        self.net.scales = [one if one is None else one.astype(np.float64) for one in net.scales]
        self.net.statistics = [
            one if one is None else tuple(each.astype(np.float64) for each in one)
            for one in (*net.statistics, *[None] * len(self.net.weights))
        ][: len(self.net.weights)]

    def train(self, spec: Spec, orders: list[Any], batch_size: int, optimizer: Any, l2: float,
              forget: bool) -> None:
        if forget or self.rule is None or self.optimizer != optimizer:
            self.optimizer = optimizer
            self.rule = reference.Optimizer(optimizer.name, *optimizer.constants)
        n_batches = -(-len(spec.X) // batch_size)
        for order in orders:
            rates = [optimizer.learning_rate] * n_batches
            self.net.train(spec.X, spec.y, order, batch_size, rates, self.rule, l2)

    def agrees(self, net: MLP, tolerance: float) -> None:
        """Compare the parameters, then go on from the network's own."""
        if any(net.batch_norm) and net.dtype == np.float32:
            # It divides by a standard deviation that may be rounding alone.
            self.take(net)
        for own, others in (
            (net.weights, self.net.weights), (net.biases, self.net.biases),
            (net.scales, self.net.scales),
        ):
            for one, other in zip(own, others, strict=True):
                if one is not None:
                    np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
        self.take(net)
