"""Values that no caller should pass, and the public functions with valid arguments beside them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import fastmlp
from fastmlp import activations, encodings, initializers, losses, optimizers, schedules, steps

Array = np.ndarray


class Opaque:
    """An object of a class that nothing knows."""

    def __init__(self, *_: object) -> None:
        pass

    def __repr__(self) -> str:
        return "Opaque()"


def read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


def structured() -> Array:
    return np.array([(1.0, 2), (3.0, 4)], [("value", "f4"), ("label", "i4")])


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "zero": lambda: 0,
    "minus one": lambda: -1,
    "half": lambda: 0.5,
    "minus half": lambda: -0.5,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus infinity": lambda: -float("inf"),
    "largest float64": lambda: 1.7e308,
    "subnormal": lambda: 5e-324,
    "beyond int64": lambda: 2**63,
    "beyond float64": lambda: 10**400,
    "below int64": lambda: -(10**30),
    "complex": lambda: 1j,
    "decimal": lambda: Decimal("0.1"),
    "float32 scalar": lambda: np.float32(0.3),
    "int8 scalar": lambda: np.int8(-3),
    "empty text": lambda: "",
    "text": lambda: "no such thing",
    "text of a null": lambda: "\0",
    "surrogate": lambda: "\ud800",
    "bytes": lambda: b"relu",
    "object": Opaque,
    "class": lambda: Opaque,
    "function": lambda: len,
    "empty list": list,
    "empty dict": dict,
    "set": lambda: {1, 2},
    "dict": lambda: {"a": 1},
    "list of text": lambda: ["relu", "tanh"],
    "list of None": lambda: [None, None],
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "nested": lambda: [[[[[[1.0]]]]]],
    "generator": lambda: (i for i in range(2)),
    "range": lambda: range(3),
    "0-d": lambda: np.array(1.0),
    "no rows": lambda: np.zeros((0, 3)),
    "no columns": lambda: np.zeros((4, 0)),
    "no rows as labels": lambda: np.zeros(0, np.int64),
    "objects": lambda: np.array([[1, None], ["a", 2.0]], object),
    "numbers as objects": lambda: np.ones((4, 3), object),
    "array of text": lambda: np.array([["1", "2"], ["3", "4"]]),
    "structured": structured,
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "complex array": lambda: np.ones((4, 3), complex),
    "masked": lambda: np.ma.masked_array(np.ones((4, 3)), mask=np.eye(4, 3)),
    "matrix of one": lambda: np.ones((1, 1)),
    "vector": lambda: np.ones(7),
    "three axes": lambda: np.ones((2, 3, 4)),
    "a stride of 0": lambda: np.broadcast_to(np.float32(1), (4, 1 << 50)),
}


class Case(NamedTuple):
    """A public function, valid arguments for it by their names, and other names of messages."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    also: tuple[str, ...] = ()


M, N_IN, N, N_OUT = 4, 3, 5, 2


def arrays() -> dict[str, Array]:
    """Arrays of two layers, by the names of the arguments of the steps."""
    rng = np.random.default_rng(0)

    def one(*shape: int) -> Array:
        return rng.normal(size=shape).astype(np.float32)

    return {
        "X": one(M, N_IN), "W1": one(N, N_IN), "b1": one(N), "z1": one(M, N), "W2": one(N_OUT, N),
        "b2": one(N_OUT), "z2": one(M, N_OUT), "a2": one(M, N_OUT), "y": one(M, N_OUT),
        "labels": rng.integers(N_OUT, size=M), "s": rng.random(M).astype(np.float32),
    }  # fmt: skip


def cases_of_steps() -> dict[str, Case]:
    a = arrays()
    both, weights = ["tanh", "identity"], [a["W1"], a["W2"]]
    pairs = [(a["W1"], a["b1"]), (a["W2"], a["b2"])]
    layers = ("W(", "b(", "z(", "∂J/∂", "activation")
    columns = [encodings.OneHot(2), encodings.PiecewiseLinear([-1.0, 0.0, 1.0]),
               encodings.Numeric()]
    codes = np.array([[0, 0.5, 1], [1, -2, 0], [-1, 3, 2], [0, 0, 0]], np.float32)
    return {
        "forward": Case(steps.forward, {
            "X": a["X"], "weights": weights, "biases": [a["b1"], a["b2"]], "activations": both,
        }, layers),
        "output_delta": Case(steps.output_delta, {
            "y": a["y"], "a_out": a["a2"], "z_out": a["z2"], "activation": "tanh",
            "loss": "squared_error",
        }),
        "output_delta of labels": Case(steps.output_delta, {
            "y": a["labels"], "a_out": a["a2"], "z_out": a["z2"], "activation": "softmax",
            "loss": "cross_entropy",
        }),
        "hidden_deltas": Case(steps.hidden_deltas, {
            "delta_out": a["y"], "weights": weights, "z": [a["z1"], a["z2"]], "activations": both,
        }, layers),
        "example_gradients": Case(
            steps.example_gradients, {"delta_next": a["y"], "a": a["z1"]}
        ),
        "batch_gradients": Case(steps.batch_gradients, {
            "delta_next": a["y"], "a": a["z1"], "W": a["W2"], "l2": 0.1, "sample_weight": a["s"],
        }),
        "update": Case(steps.update, {
            "parameters": pairs, "gradients": pairs, "learning_rate": 0.1,
            "bias_rate_multiplier": 2.0,
        }, layers),
        "cost": Case(steps.cost, {
            "y": a["y"], "a_out": a["a2"], "z_out": a["z2"], "weights": weights, "loss": "huber",
            "l2": 0.1, "sample_weight": a["s"],
        }, layers),
        "batch_norm": Case(steps.batch_norm, {
            "u": a["z1"], "scale": a["b1"], "shift": a["b1"], "epsilon": 1e-5,
            "sample_weight": a["s"],
        }),
        "batch_norm_delta": Case(steps.batch_norm_delta, {
            "delta": a["z1"], "normalized": a["z1"], "scale": a["b1"], "inverse": abs(a["b1"]),
            "sample_weight": a["s"],
        }),
        "encode": Case(steps.encode, {
            "X": codes, "encodings": columns, "parameters": None, "input_scale": np.ones(5),
        }, ("column",)),
        "encoding_gradients": Case(steps.encoding_gradients, {
            "delta_next": a["y"], "W": np.ones((N_OUT, 5), np.float32), "X": codes,
            "encodings": columns, "parameters": None, "input_scale": np.ones(5),
            "sample_weight": a["s"],
        }, ("column",)),
    }


def cases_of_parts() -> dict[str, Case]:
    """Losses, activations, encodings, schedules, optimizers and the like."""
    t = np.arange(10)
    found = {
        "Huber": Case(losses.Huber, {"delta": 1.0}),
        "Quantile": Case(losses.Quantile, {"quantiles": (0.1, 0.9)}),
        "CrossEntropy": Case(losses.CrossEntropy, {"groups": (2, 2)}),
        "Custom": Case(losses.Custom, {"value": min, "gradient": max}),
        "losses.from_spec": Case(losses.from_spec, {"loss": "huber"}, ("unknown",)),
        "LeakyReLU": Case(activations.LeakyReLU, {"slope": 0.1}),
        "ELU": Case(activations.ELU, {"alpha": 1.0}),
        "Softmax": Case(activations.Softmax, {"groups": (2, 2)}),
        "OneHot": Case(encodings.OneHot, {"n_levels": 3}),
        "Embedding": Case(encodings.Embedding, {"n_levels": 3, "n_out": 2}),
        "Periodic": Case(encodings.Periodic, {"n_frequencies": 4, "n_out": 2, "sigma": 0.1}),
        "PiecewiseLinear": Case(encodings.PiecewiseLinear, {"edges": [0.0, 1.0]}),
        "Normal": Case(initializers.Normal, {"sigma": 1.0}),
        "GradientDescent": Case(
            optimizers.GradientDescent, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}
        ),
        "RMSprop": Case(optimizers.RMSprop, {
            "learning_rate": 0.1, "rho": 0.9, "epsilon": 1e-8, "momentum": 0.1,
        }),
        "from_constants": Case(
            optimizers.from_constants, {"name": "adam", "constants": (0.9, 0.99, 1e-8)},
            ("optimizer", "does not have", "beta_", "epsilon"),
        ),
        "Distortion": Case(fastmlp.augment.Distortion, {
            "rotation": 10.0, "scale": 0.1, "shear": 0.1, "translation": 1.0, "elastic": 1.0,
            "smoothness": 2.0, "gentle_classes": (1,), "shape": (3, 3),
        }),
        "Distortion()": Case(fastmlp.augment.Distortion(rotation=10, elastic=1), {
            "images": np.ones((4, 9)), "labels": np.arange(4), "seed": 0, "epoch": 0,
            "dtype": "float32", "uint8_scale": 1.0,
        }),
        "EarlyStopping": Case(fastmlp.EarlyStopping, {"patience": 3, "min_delta": 0.0}),
        "Checkpoint": Case(fastmlp.Checkpoint, {"path": "net.npz", "every": 2}),
        "set_num_threads": Case(fastmlp.set_num_threads, {"n": 2}),
    }  # fmt: skip
    adam = {"learning_rate": 0.1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8,
            "epsilon_hat": False}
    found["Adam"] = Case(optimizers.Adam, adam)
    found["AdamW"] = Case(optimizers.AdamW, {**adam, "weight_decay": 0.1})
    options = {
        "Constant": {}, "Cosine": {"final": 0.0, "total_steps": 9},
        "Exponential": {"every": 2, "factor": 0.5}, "Step": {"every": 2, "factor": 0.5},
        "FlatCosine": {"flat": 0.5, "total_steps": 9}, "LogCosine": {"cycles": 2, "total_steps": 9},
        "OneCycle": {"warm_up": 0.3, "start_factor": 0.1, "final_factor": 0.01, "total_steps": 9},
    }  # fmt: skip
    for name, own in options.items():
        kind = getattr(schedules, name)
        found[name] = Case(kind, {"rate": 0.1, **own})
        found[f"{name}()"] = Case(kind(0.1, **own), {"steps": t})
    return found


def cases_of_networks() -> dict[str, Case]:
    rng = np.random.default_rng(1)
    net = fastmlp.MLP((N_IN, N, N_OUT), batch_norm=True)
    X, y, s = rng.normal(size=(M, N_IN)), rng.integers(N_OUT, size=M), rng.random(M)
    of_all = {"l2": 0.1, "sample_weight": s, "training": False}
    return {
        "MLP": Case(fastmlp.MLP, {
            "sizes": (N_IN, N, N_OUT), "activation": "tanh", "output_activation": None,
            "loss": "cross_entropy", "init": "he_normal", "batch_norm": True, "dropout": 0.1,
            "input_dropout": 0.1, "noise": 0.1, "dtype": "float32", "seed": 1, "uint8_scale": 1.0,
            "encodings": None, "input_scaling": False,
        }, ("weights", "biases", "softmax", "hidden layer")),
        "fit": Case(net.fit, {
            "X": X, "y": y, "epochs": 2, "batch_size": 2, "optimizer": "adam", "l2": 0.1,
            "validation_data": (X, y), "sample_weight": s, "callbacks": (), "cost_below": 0.0,
            "max_seconds": 1.0, "early_stopping": 2, "shuffle": True, "verbose": False,
            "label_smoothing": 0.1, "max_norm": 3.0, "clip_norm": 1.0, "ema": 0.9,
            "dropout_schedule": None, "rate_multipliers": (1, 1), "l2_multipliers": (1, 1),
            "bias_rate_multipliers": 1.0, "encoding_rate_multiplier": 1.0,
            "scaling_rate_multiplier": 1.0, "scaling_decay_multiplier": 0.0, "augment": None,
            "n_threads": 1, "reset_optimizer": False,
        }, ("chunk", "example", "validation")),
        "forward of a network": Case(net.forward, {"X": X}),
        "predict": Case(net.predict, {"X": X}),
        "predict_proba": Case(net.predict_proba, {"X": X}),
        "activations": Case(net.activations, {"X": X}),
        "cost of a network": Case(net.cost, {"X": X, "y": y, **of_all}),
        "gradients": Case(net.gradients, {"X": X, "y": y, "wrt": "parameters", **of_all}),
        "set_parameters": Case(net.set_parameters, {
            "weights": net.weights, "biases": net.biases, "scales": net.scales,
            "encoding_parameters": None, "input_scale": None,
        }),
        "freeze": Case(net.freeze, {"layers": 0}),
        "unfreeze": Case(net.unfreeze, {"layers": 0}),
        "with_head": Case(net.with_head, {"n_out": 3, "seed": 1}),
        "restore": Case(net.restore, {"snapshot": net.snapshot()}),
        "Ensemble": Case(fastmlp.Ensemble, {"networks": [net, net.with_head(N_OUT)]}),
        "predict of an ensemble": Case(
            fastmlp.Ensemble([net, net.with_head(N_OUT, seed=5)]).predict,
            {"X": X, "augment": None, "copies": 2, "seed": 0},
        ),
        "fit_many": Case(partial(fastmlp.fit_many, n_jobs=1), {
            "networks": [fastmlp.MLP((N_IN, N_OUT))], "X": X, "y": y, "options": None,
            "verbose": False, "epochs": 1,
        }, ("chunk", "example")),
    }  # fmt: skip


CASES: dict[str, Case] = {**cases_of_steps(), **cases_of_parts(), **cases_of_networks()}


@st.composite
def changed(draw: Any, array: Array) -> Array:
    """Like a valid array, but in another form, with another shape, or with other numbers."""
    array = np.array(array)
    way = draw(st.integers(0, 9))
    if way == 0:
        return array.astype(array.dtype.newbyteorder(">"))
    if way == 1:
        return np.repeat(np.repeat(array, 2, axis=0), 2, axis=-1)[::2, ..., ::2] \
            if array.ndim == 2 else np.repeat(array, 2, axis=0)[::2]
    if way == 2:
        return read_only(np.asfortranarray(array))
    if way == 3:
        return array.astype(draw(st.sampled_from(
            ["?", "i1", "u8", "f2", "f8", "g", "c16", "O", "S3", "U3", "m8[s]"])))
    if way == 4:
        return array[..., : draw(st.integers(0, 2))]
    if way == 5:
        return array[: draw(st.integers(0, 2))]
    if way == 6:
        return array[np.newaxis] if draw(st.booleans()) else array.ravel()
    if way == 7:
        return array[::-1]
    array = array.astype(np.float64)
    if array.size:
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(
            [np.nan, np.inf, -np.inf, 1e300, -1e39, 5e-324, -1.0, 0.5, 2.0**53, -(2.0**63)]))
    return array


@st.composite
def hostile(draw: Any, valid: Any) -> Any:
    """A value in the place of a valid one, which it may resemble."""
    if isinstance(valid, np.ndarray) and draw(st.booleans()):
        return draw(changed(valid))
    if isinstance(valid, (list, tuple)) and valid and draw(st.booleans()):
        items = list(valid)
        place = draw(st.integers(0, len(items) - 1))
        items[place] = draw(hostile(items[place]))
        return type(valid)(items)
    return VALUES[draw(st.sampled_from(list(VALUES)))]()
