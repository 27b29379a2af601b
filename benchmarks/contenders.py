"""fastmlp and its peers at the same work, each by the fastest way its documentation gives.

contender.py says what each of them offers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Array
from .contender import Contender, csr, real_rows

__all__ = ["CONTENDERS"]


class FastMLP(Contender):
    """Through MLP.fit and predict.  MNIST stays uint8, text CSR, as a user has them."""

    needs = ("fastmlp",)

    def prepare(self, data: dict[str, Array]) -> None:
        import fastmlp

        if self.threads is not None:
            from fastmlp.support import threads

            fastmlp.set_num_threads(self.threads)
            # However small the work: to tell whether the library's own choice is right.
            assert threads.LEAST_SHARED_STEP and threads.LEAST_SHARED_PASS
            threads.LEAST_SHARED_STEP = threads.LEAST_SHARED_PASS = 0
        self.X = csr(data) if "values" in data else data["X"]
        self.net = fastmlp.MLP(
            self.case.sizes,
            activation=self.case.activation,
            loss="squared_error" if self.case.is_regression else "cross_entropy",
            init=tuple(zip(*self.layers, strict=True)),
            batch_norm=self.case.norm,
            dropout=self.case.dropout,
            dtype=self.case.dtype,
            uint8_scale=1 / 255,
        )
        kind = {"sgd": fastmlp.GradientDescent, "adam": fastmlp.Adam}[self.case.optimizer]
        self.optimizer = kind(self.case.rate)
        self.parts: dict[int, tuple[Any, Array]] = {}  # the first rows; to cut CSR is a copy
        self.fresh = False

    def reset(self) -> None:
        self.net.set_parameters(*zip(*self.layers, strict=True))
        self.fresh = True

    def train(self, n: int, shuffle: bool = True) -> tuple[int, list[float]]:
        rows, epochs = self.whole_epochs(n)
        if rows not in self.parts:
            self.parts = {rows: (self.X[:rows], self.y[:rows])}
        history = self.net.fit(
            *self.parts[rows],
            epochs=epochs,
            batch_size=self.case.batch,
            optimizer=self.optimizer,
            shuffle=shuffle,
            reset_optimizer=self.fresh,
        )
        self.fresh = False
        return epochs * rows // self.case.batch, history.cost

    def predict_rows(self, first: int, count: int) -> Array:
        return self.net.predict(self.X[first : first + count])


class Torch(Contender):
    """Eager, fused optimizer, gradients set to None, batches by index_select."""

    needs = ("torch",)
    compiles = False

    def prepare(self, data: dict[str, Array]) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(self.threads or torch.get_num_threads())
        torch.set_flush_denormal(True)
        self.X = torch.from_numpy(real_rows(self.case, data))
        self.targets = torch.from_numpy(
            self.y if self.case.is_regression else self.y.astype(np.int64)
        )
        activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[self.case.activation]
        modules: list[Any] = []
        for W, _ in self.layers:
            n_out, n_in = W.shape
            modules.append(torch.nn.Linear(n_in, n_out, dtype=self.X.dtype))
            if W is not self.layers[-1][0]:
                if self.case.norm:
                    modules.append(torch.nn.BatchNorm1d(n_out, dtype=self.X.dtype))
                modules.append(activation())
                if self.case.dropout:
                    modules.append(torch.nn.Dropout(self.case.dropout))
        self.net = torch.nn.Sequential(*modules)
        self.linear = [one for one in modules if isinstance(one, torch.nn.Linear)]
        self.norms = [one for one in modules if isinstance(one, torch.nn.BatchNorm1d)]
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[self.case.optimizer]
        self.optimizer = kind(self.net.parameters(), lr=self.case.rate, fused=True)
        self.loss, self.label = self.loss_of, self.label_of
        if self.compiles:
            self.loss = torch.compile(self.loss_of, dynamic=False)
            self.label = torch.compile(self.label_of, dynamic=False)
        self.reset()

    def loss_of(self, X: Any, y: Any) -> Any:
        if self.case.is_regression:
            return 0.5 * self.torch.nn.functional.mse_loss(self.net(X), y)
        return self.torch.nn.functional.cross_entropy(self.net(X), y)

    def label_of(self, X: Any) -> Any:
        return self.net(X).argmax(1)

    def reset(self) -> None:
        with self.torch.no_grad():
            for norm in self.norms:
                norm.reset_parameters()
            for linear, (W, b) in zip(self.linear, self.layers, strict=True):
                linear.weight.copy_(self.torch.from_numpy(W))
                linear.bias.copy_(self.torch.from_numpy(b))
            for state in self.optimizer.state.values():
                for one in state.values():
                    if one is not None:
                        one.zero_()

    def train(self, n: int, shuffle: bool = True) -> tuple[int, list[float]]:
        costs = []
        X, y, optimizer = self.X, self.targets, self.optimizer
        for rows in self.epochs(n, shuffle):
            losses = []
            for index in self.torch.from_numpy(rows).unbind():
                optimizer.zero_grad(set_to_none=True)
                loss = self.loss(X.index_select(0, index), y.index_select(0, index))
                loss.backward()
                optimizer.step()
                if not shuffle:
                    losses.append(loss.item())
            costs += [float(np.mean(losses))] if losses else []
        return n, costs

    def predict(self, n: int) -> int:
        with self.torch.inference_mode():
            return super().predict(n)

    def labels(self) -> Array:
        with self.torch.inference_mode():
            return super().labels()

    def predict_rows(self, first: int, count: int) -> Any:
        return self.label(self.X[first : first + count])


class TorchCompiled(Torch):
    """torch.compile of forward with loss, backward from it; the fused optimizer is one call."""

    compiles = True


class Jax(Contender):
    """jit of a whole step, or a lax.scan over many of them, whichever is faster here."""

    needs = ("jax",)

    def prepare(self, data: dict[str, Array]) -> None:
        if self.threads == 1 and hasattr(os, "sched_setaffinity"):
            # The one way to hold JAX to a thread: its pool is as large as what it may run on.
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        import jax

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", self.case.dtype == "float64")
        self.jax, self.np = jax, jax.numpy
        self.X = self.np.asarray(real_rows(self.case, data))
        self.targets = self.np.asarray(
            self.y if self.case.is_regression else self.y.astype(np.int32)
        )
        self.block = self.case.few  # steps of a scan
        self.scans = False
        self.pieces: list[Any] = []
        self.reset()
        self.step = jax.jit(self.step_of, donate_argnums=0)
        self.scan = jax.jit(
            lambda state, X, y, rows: jax.lax.scan(
                lambda state, index: self.step_of(state, X, y, index), state, rows
            ),
            donate_argnums=0,
        )
        self.label = jax.jit(lambda layers, X: self.forward(layers, X).argmax(1))

    def tune(self, run: Callable[[], float]) -> None:
        super().tune(run)
        if not self.case.predicts:
            found = {}
            for self.scans in (False, True):
                run()  # compiles
                found[run()] = self.scans
            self.scans = found[min(found)]

    def reset(self) -> None:
        layers = [(self.np.array(W.T), self.np.array(b)) for W, b in self.layers]
        zeros = [tuple(self.np.zeros_like(one) for one in layer) for layer in layers]
        copies = [tuple(self.np.zeros_like(one) for one in layer) for layer in layers]
        moments = (zeros, copies) if self.case.optimizer == "adam" else ()
        self.state = layers, moments, self.np.zeros((), self.case.dtype)

    def forward(self, layers: Any, X: Any) -> Any:
        *hidden, (W, b) = layers
        for W_hidden, b_hidden in hidden:
            z = X @ W_hidden + b_hidden
            X = self.np.tanh(z) if self.case.activation == "tanh" else self.np.maximum(z, 0)
        return X @ W + b

    def step_of(self, state: Any, X: Any, y: Any, index: Any) -> Any:
        layers, moments, t = state
        jax, jnp, rate = self.jax, self.np, self.case.rate

        def loss(layers: Any) -> Any:
            if self.case.is_regression:
                return 0.5 * jnp.mean((self.forward(layers, X[index]) - y[index]) ** 2)
            log = jax.nn.log_softmax(self.forward(layers, X[index]))
            return -jnp.mean(jnp.take_along_axis(log, y[index][:, None], axis=1))

        cost, g = jax.value_and_grad(loss)(layers)
        each, t = jax.tree.map, t + 1
        if not moments:
            return (each(lambda w, g: w - rate * g, layers, g), (), t), cost
        m = each(lambda m, g: 0.9 * m + 0.1 * g, moments[0], g)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], g)
        m_scale, v_scale = 1 / (1 - 0.9**t), 1 / (1 - 0.999**t)
        layers = each(
            lambda w, m, v: w - rate * m * m_scale / (jnp.sqrt(v * v_scale) + 1e-8), layers, m, v
        )
        return (layers, (m, v), t), cost

    def train(self, n: int, shuffle: bool = True) -> tuple[int, list[float]]:
        done, costs = 0, []
        for rows in self.epochs(n, shuffle):
            rows, losses = rows.astype(np.int32), []
            if self.scans and len(rows) >= self.block:
                for block in range(0, len(rows) // self.block * self.block, self.block):
                    chosen = rows[block : block + self.block]
                    self.state, loss = self.scan(self.state, self.X, self.targets, chosen)
                    losses.append(loss)
                    done += self.block
            else:
                for index in rows:
                    self.state, loss = self.step(self.state, self.X, self.targets, index)
                    losses.append(loss)
                    done += 1
            if not shuffle:
                costs.append(float(np.mean([np.mean(loss) for loss in losses])))
        self.jax.block_until_ready(self.state)
        return done, costs

    def predict_rows(self, first: int, count: int) -> Any:
        if not self.pieces or len(self.pieces[0]) != count:  # a JAX slice is a copy
            starts = range(0, self.case.rows, count)
            self.pieces = [self.X[start : start + count] for start in starts]
        labels = self.label(self.state[0], self.pieces[first // count])
        return self.jax.block_until_ready(labels)


class ScikitLearn(Contender):
    """MLPClassifier; an epoch is a call of partial_fit.  No validation of input in predict."""

    needs = ("sklearn", "scipy")

    def prepare(self, data: dict[str, Array]) -> None:
        import sklearn
        from sklearn.neural_network import MLPClassifier

        sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
        self.X = csr(data) if "values" in data else real_rows(self.case, data)
        self.net = MLPClassifier(
            self.case.sizes[1:-1],
            solver=self.case.optimizer,
            alpha=0,
            batch_size=self.case.batch,
            learning_rate_init=self.case.rate,
            momentum=0,
            nesterovs_momentum=False,
            random_state=0,
        )
        n = min(self.case.batch, self.case.rows)
        self.net.partial_fit(self.X[:n], self.y[:n], classes=np.arange(self.case.sizes[-1]))
        self.parts: dict[int, tuple[Any, Array]] = {}
        self.reset()

    def reset(self) -> None:
        first = [(W.T, b) for W, b in self.layers]
        if self.case.sizes[-1] == 2:  # softmax of two is one sigmoid of their difference
            W, b = first[-1]
            first[-1] = W[:, 1:] - W[:, :1], b[1:] - b[:1]
        for kept, given in zip(self.net.coefs_, (W for W, _ in first), strict=True):
            kept[:] = given
        for kept, given in zip(self.net.intercepts_, (b for _, b in first), strict=True):
            kept[:] = given
        vars(self.net).pop("_optimizer", None)  # partial_fit makes a new one

    def train(self, n: int, shuffle: bool = True) -> tuple[int, list[float]]:
        rows, epochs = self.whole_epochs(n)
        if rows not in self.parts:
            self.parts = {rows: (self.X[:rows], self.y[:rows])}
        self.net.set_params(shuffle=shuffle)
        costs = []
        for _ in range(epochs):
            self.net.partial_fit(*self.parts[rows])
            costs.append(float(self.net.loss_))
        return epochs * rows // self.case.batch, costs

    def predict_rows(self, first: int, count: int) -> Array:
        return self.net.predict(self.X[first : first + count])


class OnnxRuntime(Contender):
    """A graph of Gemm, Relu and ArgMax; InferenceSession.run or bound input, the faster."""

    needs = ("onnx", "onnxruntime")

    def prepare(self, data: dict[str, Array]) -> None:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        self.X = real_rows(self.case, data)
        nodes, constants, last = [], [], "X"
        for l, (W, b) in enumerate(self.layers):
            constants += [numpy_helper.from_array(W, f"W{l}"), numpy_helper.from_array(b, f"b{l}")]
            nodes.append(helper.make_node("Gemm", [last, f"W{l}", f"b{l}"], [f"z{l}"], transB=1))
            last = f"z{l}"
            if l < len(self.layers) - 1:
                nodes.append(helper.make_node("Relu", [last], [f"a{l}"]))
                last = f"a{l}"
        nodes.append(helper.make_node("ArgMax", [last], ["label"], axis=1, keepdims=0))
        rows = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, self.case.sizes[0]])
        label = helper.make_tensor_value_info("label", TensorProto.INT64, [None])
        graph = helper.make_graph(nodes, "mlp", [rows], [label], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads or 0
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.binding = self.session.io_binding()
        self.binds = False

    def tune(self, run: Callable[[], float]) -> None:
        super().tune(run)
        found = {}
        for self.binds in (False, True):
            found[run()] = self.binds
        self.binds = found[min(found)]

    def predict_rows(self, first: int, count: int) -> Array:
        X = self.X[first : first + count]
        if not self.binds:
            return self.session.run(["label"], {"X": X})[0]
        self.binding.bind_cpu_input("X", X)
        self.binding.bind_output("label")
        self.session.run_with_iobinding(self.binding)
        return self.binding.copy_outputs_to_cpu()[0]


CONTENDERS: dict[str, type[Contender]] = {
    "fastmlp": FastMLP,
    "torch": Torch,
    "torch-compiled": TorchCompiled,
    "jax": Jax,
    "scikit-learn": ScikitLearn,
    "onnxruntime": OnnxRuntime,
}
