"""Arrays that another thread changes during a call: a result or a documented error, never a crash.

Each example is one call of a public function with random sizes, dtypes and options, during which a
thread writes into all of its arrays.  The environment variable FASTMLP_EXAMPLES is the number of
examples for each of the functions; CONTRIBUTING.md tells how to run many of them with sanitizers.
"""

from __future__ import annotations

import copy
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Ensemble, losses, steps
from fastmlp.encodings import OneHot, PiecewiseLinear
from fastmlp.support import threads

pytest.importorskip("hypothesis")
sparse = pytest.importorskip("scipy.sparse")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

# NumPy warns of numbers that are NaN, SciPy of indices
pytestmark = pytest.mark.filterwarnings("ignore")

ERRORS = (ValueError, TypeError, FloatingPointError)  # that the docstrings allow
N_ROWS = [50, 130, 300, 17, 2, 1, 0]
N_UNITS = [9, 36, 64, 70, 3, 1]
DISTORTION = fastmlp.augment.Distortion(rotation=30, elastic=2, gentle_classes=(1,))
EXTREMES = {
    "f": [np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0, 1e-40, 3e38],
    "i": [-(2**31), 2**31 - 1, -1, 0, 1, 10**6],
    "u": [0, 1, 200, 255],
}

examples = settings(
    max_examples=int(os.environ.get("FASTMLP_EXAMPLES", "15")),
    derandomize="FASTMLP_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # there is no use in shrinking what depends on the moment
    suppress_health_check=list(HealthCheck),
)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def threads_take_turns() -> Iterator[None]:
    """Small steps are shared among threads too, and Python's threads alternate often."""
    interval, n_threads = sys.getswitchinterval(), threads._chosen
    sys.setswitchinterval(1e-5)
    fastmlp.set_num_threads(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "LEAST_SHARED_STEP", 0)
        patch.setattr(threads, "LEAST_SHARED_PASS", 0)
        yield
    sys.setswitchinterval(interval)
    threads._chosen = n_threads


# ---------------------------------------------------------------------------- the other thread


def change(array: Any, rng: np.random.Generator, shapes: bool) -> Callable[[], None]:
    """Change an array, or with `shapes` perhaps its shape; return what undoes it."""
    before, shape, numbers = array.copy(), array.shape, EXTREMES[array.dtype.kind]

    def undo() -> None:
        array.shape = shape
        array[...] = before

    way = rng.integers(5)
    if way == 0 and shapes and array.flags.c_contiguous:
        array.shape = (array.size, 1) if array.ndim == 1 else (array.size,)
    elif way == 1:  # its zeros become other numbers, and the other numbers zeros
        array[...] = array == 0
    elif way == 2:
        array[...] = np.array(rng.choice(numbers)).astype(array.dtype)
    elif array.size:
        array.flat[rng.integers(array.size, size=3)] = rng.choice(numbers, 3).astype(array.dtype)
    return undo


@contextmanager
def changing(arrays: list[Any], seed: int, shapes: bool) -> Iterator[None]:
    """While the context lasts, a thread changes the arrays and undoes most of the changes.

    The longer it waits before a change, the more calls have checked their arrays by then.
    """
    begun, ended = threading.Event(), threading.Event()

    def run() -> None:
        rng = np.random.default_rng(seed)
        undone, pause = rng.choice([0.5, 1.0]), rng.choice([0.0, 2e-4, 1e-3, 3e-3])
        begun.set()
        while not ended.wait(pause):
            for array in arrays:
                undo = change(array, rng, shapes)
                if rng.random() < undone:
                    undo()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run)
        begun.wait()
        try:
            yield
        finally:
            ended.set()
            other.result()


def attempt(
    call: Callable[[], Any], arrays: list[Any], seed: int, *, shapes: bool = True
) -> Any:
    """The result of a call whose arrays change meanwhile, or None after a documented error."""
    own = [one for one in arrays if isinstance(one, np.ndarray)]
    for one in arrays:
        if hasattr(one, "indptr"):
            own += [one.data, one.indices, one.indptr]
    with changing(own, seed, shapes):
        try:
            return call()
        except ERRORS:
            return None


# -------------------------------------------------------------------------------- what is drawn


@dataclass
class Problem:
    """A network with examples for it."""
    net: MLP
    X: Any
    y: Any
    weight: Any
    seed: int

    @property
    def arrays(self) -> list[Any]:
        return [one for one in (self.X, self.y, self.weight) if one is not None]


LOSSES = ["cross_entropy", "binary_cross_entropy", "squared_error", "absolute_error", "huber",
          "poisson", losses.Quantile([0.1, 0.9]), losses.CrossEntropy(groups=(2, 2)),
          (lambda h, y: ((h - y) ** 2).sum(axis=1), lambda h, y: 2 * (h - y))]


def stale(X: Any, rng: np.random.Generator) -> Any:
    """A CSR matrix whose rows may be out of order and hold duplicates, whatever its flags say."""
    S = sparse.csr_matrix(X)
    S.has_sorted_indices = S.has_canonical_format = True
    kind = rng.integers(8)
    if kind == 0:
        S.indices = S.indices.astype(np.int64)
        S.indptr = S.indptr.astype(np.int64)
    elif kind == 1:
        S.indices = S.indices[::-1].copy()
    elif kind == 2 and S.nnz:
        S.indices[rng.integers(S.nnz)] = rng.choice(EXTREMES["i"])
    elif kind == 3:
        S.indptr[rng.integers(len(S.indptr))] = rng.choice(EXTREMES["i"])
    return S


def inputs(draw: Any, m: int, n_in: int, rng: np.random.Generator, with_sparse: bool) -> Any:
    zeros = rng.random((m, n_in)) < draw(st.sampled_from([0.0, 0.9, 1.0]))
    X = np.where(zeros, 0, rng.normal(size=(m, n_in)))
    dtype = draw(st.sampled_from(["float32", "float64", "uint8", "int16", "float16"]))
    X = (100 * abs(X)).astype(dtype) if dtype[0] in "ui" else X.astype(dtype)
    if with_sparse and dtype != "float16" and draw(st.booleans()):
        return stale(X, rng)
    return np.asfortranarray(X) if draw(st.booleans()) else X


def targets(draw: Any, net: MLP, m: int, rng: np.random.Generator) -> Any:
    if net.loss.name == "cross_entropy" and draw(st.booleans()):
        dtype = draw(st.sampled_from(["int32", "int64", "uint8", "float64"]))
        if net.loss.groups:
            return rng.integers(2, size=(m, 2)).astype(dtype)
        return rng.integers(net.n_out, size=m).astype(dtype)
    dtype = draw(st.sampled_from(["float32", "float64"]))
    if net.loss.name == "cross_entropy" and not net.loss.groups:
        return np.eye(net.n_out, dtype=dtype)[rng.integers(net.n_out, size=m)]
    if net.loss.groups:
        return np.array([[1, 0, 0, 1], [0, 1, 1, 0]], dtype)[rng.integers(2, size=m)]
    n_targets = net.n_out // 2 if net.loss.name == "quantile" else net.n_out
    return rng.random((m, n_targets)).astype(dtype)


@st.composite
def problems(draw: Any, with_sparse: bool = True) -> Problem:
    seed = draw(seeds)
    rng = np.random.default_rng(seed)
    loss = draw(st.sampled_from(LOSSES))
    n_out = 4 if isinstance(loss, losses.CrossEntropy) else draw(st.sampled_from([2, 4, 70]))
    encoding = draw(st.sampled_from([None, None, PiecewiseLinear([-1, 0, 1]), OneHot(2)]))
    net = MLP(
        (*draw(st.lists(st.sampled_from(N_UNITS), min_size=1, max_size=3)), n_out),
        encodings=encoding,
        activation=draw(st.sampled_from(["relu", "tanh", "gelu"])),
        loss=loss,
        batch_norm=draw(st.booleans()),
        dropout=draw(st.sampled_from([0.0, 0.5])),
        input_dropout=draw(st.sampled_from([0.0, 0.5])),
        dtype=draw(st.sampled_from(["float32", "float64"])),
    )
    m = draw(st.sampled_from(N_ROWS))
    X = inputs(draw, m, net.n_in, rng, with_sparse and encoding is None)
    if isinstance(encoding, OneHot):  # the codes of two categories
        X[...] = X != 0
    weight = rng.random(m).astype(net.dtype) if draw(st.booleans()) else None
    return Problem(net, X, targets(draw, net, m, rng), weight, seed)


def whole(net: MLP) -> None:
    """The network is finite, not locked, and trains."""
    assert all(np.isfinite(one).all() for one in (*net.weights, *net.biases))
    X = np.ones((4, net.n_in))
    columns = {"quantile": net.n_out // 2}.get(net.loss.name, net.n_out)
    y = np.full((4, columns), 0.5)
    if net.loss.name == "cross_entropy":
        y = np.tile([0, 1] if net.loss.groups else [1], (4, 1)).squeeze()
    assert net.fit(X, y, epochs=1, n_threads=1).stopped_by == "epochs"


# ----------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("source", ["arrays", "shuffled", "held out", "chunks", "distorted"])
@examples
@given(data=st.data())
def test_fit(source: str, data: Any) -> None:
    problem = data.draw(problems(with_sparse=source != "distorted"))
    net, X, y, arrays = problem.net, problem.X, problem.y, problem.arrays
    options: dict[str, Any] = {
        "batch_size": data.draw(st.sampled_from([1 + len(y) // 8, 64, 2**62])),
        "optimizer": data.draw(st.sampled_from(["gradient_descent", "adam", "rmsprop"])),
        "ema": data.draw(st.sampled_from([None, 0.9])),
        "epochs": data.draw(st.integers(2, 3)), "n_threads": data.draw(st.integers(1, 2)),
        "clip_norm": data.draw(st.sampled_from([None, 1.0])),
        "max_norm": data.draw(st.sampled_from([None, 1.0])),
    }
    if source == "shuffled":
        order = np.arange(len(y))
        arrays.append(order)
        options["shuffle"] = lambda m: order
    elif source == "held out":
        options["validation_data"] = data.draw(st.sampled_from([0.2, 0.9, (X, y)]))
    elif source == "distorted":
        options["augment"] = DISTORTION
    given: tuple[Any, ...] = (X, y)
    if source == "chunks":
        given = ([(X, y) if problem.weight is None else (X, y, problem.weight)] * 2,)
    else:
        options["sample_weight"] = problem.weight
    attempt(lambda: net.fit(*given, **options), arrays, problem.seed)
    whole(net)


PASSES: dict[str, Callable[[Problem], Any]] = {
    "forward": lambda p: p.net.forward(p.X),
    "predict": lambda p: p.net.predict(p.X),
    "predict_proba": lambda p: p.net.loss.classification and p.net.predict_proba(p.X),
    "activations": lambda p: p.net.activations(p.X)[-1],
    "cost": lambda p: p.net.cost(p.X, p.y, sample_weight=p.weight),
    "cost in training": lambda p: p.net.cost(p.X, p.y, sample_weight=p.weight, training=True),
    "gradients": lambda p: p.net.gradients(p.X, p.y, sample_weight=p.weight),
    "gradients by X": lambda p: p.net.gradients(p.X, p.y, wrt="input"),
    "gradients in training": lambda p: p.net.gradients(p.X, p.y, training=True),
}


@pytest.mark.parametrize("name", PASSES)
@examples
@given(problem=problems())
def test_passes(name: str, problem: Problem) -> None:
    attempt(lambda: PASSES[name](problem), problem.arrays, problem.seed)
    whole(problem.net)


@pytest.mark.parametrize("name", ["fit", "predict", "predict of copies"])
@examples
@given(data=st.data())
def test_ensembles(name: str, data: Any) -> None:
    problem = data.draw(problems(with_sparse=name != "predict of copies"))
    net, X = problem.net, problem.X
    other = copy.deepcopy(net)
    other.set_parameters([2 * one for one in net.weights], net.biases)
    ensemble = Ensemble([net, other])
    options = {"augment": DISTORTION, "copies": 2} if "copies" in name else {}
    calls = {"fit": lambda: ensemble.fit(X, problem.y, epochs=2, batch_size=16)}
    attempt(calls.get(name, lambda: ensemble.predict(X, **options)), problem.arrays, problem.seed)
    for one in ensemble.networks:
        whole(one)


@examples
@given(problem=problems(with_sparse=False), with_labels=st.booleans())
def test_distortions(problem: Problem, with_labels: bool) -> None:
    labels = np.arange(len(problem.X), dtype=np.int32) % 3 if with_labels else None
    arrays = [problem.X] if labels is None else [problem.X, labels]
    attempt(lambda: DISTORTION(problem.X, labels, dtype=problem.net.dtype), arrays, problem.seed)


@examples
@given(problem=problems(), in_init=st.booleans())
def test_parameters(problem: Problem, in_init: bool) -> None:
    net, start = (MLP(problem.net.sizes, dtype=problem.net.dtype) for _ in range(2))
    weights, biases = ([one.copy() for one in ones] for ones in (net.weights, net.biases))
    call = (lambda *both: MLP(net.sizes, init=both)) if in_init else net.set_parameters
    attempt(lambda: call(weights, biases), [*weights, *biases], problem.seed)
    net.set_parameters(start.weights, start.biases)
    np.testing.assert_array_equal(net.weights[0], start.weights[0])


# ---------------------------------------------------------------- the steps and the estimators

SIZES = st.sampled_from([5, 33, 2, 1, 0])


@st.composite
def layers(draw: Any) -> dict[str, Any]:
    """Arrays of two layers by the names of the steps' arguments, seldom of unequal sizes."""
    rng = np.random.default_rng(draw(seeds))
    dtypes = st.sampled_from(["float32", "float32", "float64"])
    m, n_in, n, n_out = (draw(SIZES) for _ in range(4))

    def array(*shape: int) -> Any:
        if draw(st.integers(0, 19)) == 0:
            shape = tuple(draw(SIZES) for _ in shape)
        return rng.normal(size=shape).astype(draw(dtypes))

    return {
        "X": array(m, n_in), "W1": array(n, n_in), "b1": array(n), "z1": array(m, n),
        "W2": array(n_out, n), "b2": array(n_out), "z2": array(m, n_out), "a2": array(m, n_out),
        "y": array(m, n_out), "labels": rng.integers(max(n_out, 1), size=m).astype(np.int32),
        "s": abs(array(m)), "inverse": abs(array(n)),
    }  # fmt: skip


STEPS: dict[str, Callable[..., Any]] = {
    "forward": lambda X, W1, b1, W2, b2, **_: steps.forward(
        X, [W1, W2], [b1, b2], ["tanh", "softmax"]
    ),
    "output_delta": lambda y, a2, z2, **_: steps.output_delta(y, a2, z2, "sigmoid"),
    "delta of labels": lambda labels, a2, z2, **_: steps.output_delta(
        labels, a2, z2, "softmax", "cross_entropy"
    ),
    "hidden_deltas": lambda y, W1, W2, z1, z2, **_: steps.hidden_deltas(
        y, [W1, W2], [z1, z2], "gelu"
    ),
    "example_gradients": lambda y, z1, **_: steps.example_gradients(y, z1),
    "batch_gradients": lambda y, z1, W2, s, **_: steps.batch_gradients(y, z1, W2, 0.1, s),
    "update": lambda W1, b1, **_: steps.update([(W1, b1)], [(W1, b1)], 0.1),
    "cost": lambda y, a2, z2, W2, s, **_: steps.cost(y, a2, z2, [W2], "huber", 0.1, s),
    "cost of labels": lambda labels, a2, z2, **_: steps.cost(labels, a2, z2, (), "cross_entropy"),
    "batch_norm": lambda z1, b1, inverse, s, **_: steps.batch_norm(
        z1, inverse, b1, sample_weight=s
    ),
    "batch_norm_delta": lambda z1, b1, inverse, s, **_: steps.batch_norm_delta(
        z1, z1, b1, inverse, sample_weight=s
    ),
}


@pytest.mark.parametrize("name", STEPS)
@examples
@given(arrays=layers(), seed=seeds)
def test_steps(name: str, arrays: dict[str, Any], seed: int) -> None:
    attempt(lambda: STEPS[name](**arrays), list(arrays.values()), seed)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@examples
@given(problem=problems(with_sparse=False), early_stopping=st.booleans(), warm_start=st.booleans())
def test_estimators(name: str, problem: Problem, early_stopping: bool, warm_start: bool) -> None:
    """Only numbers change here: scikit-learn itself relies on shapes."""
    pytest.importorskip("sklearn")
    estimator = getattr(fastmlp.sklearn, name)(
        hidden_layer_sizes=(9,), max_iter=2, early_stopping=early_stopping, warm_start=warm_start
    )
    X, y, first = problem.X, problem.y, {}
    if name == "MLPClassifier":
        y, first = np.arange(len(X)) % 3, {"classes": [0, 1, 2]}
    for call in (
        lambda: estimator.fit(X, y), lambda: estimator.partial_fit(X, y, **first),
        lambda: estimator.predict(X), lambda: estimator.score(X, y),
    ):  # fmt: skip
        attempt(call, [X, y], problem.seed, shapes=False)
