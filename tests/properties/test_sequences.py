"""Random sequences of calls of one network, after each of which it is what it should be.

A second network gets the same calls but none that should change nothing: it is neither copied nor
saved, nothing is predicted or interrupted, all its fits run on one thread and on arrays.  Both have
the same bits after every call.  A network in NumPy agrees within rounding.  The environment
variable FASTMLP_EXAMPLES is the number of sequences.
"""

from __future__ import annotations

import copy
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp

pytest.importorskip("hypothesis")
sparse = pytest.importorskip("scipy.sparse")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import (  # noqa: E402
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sequences import (  # noqa: E402
    OPTIMIZERS,
    TOLERANCE,
    InNumPy,
    InterruptAfter,
    Recorder,
    Spec,
    specs,
    state_of,
)

pytestmark = pytest.mark.filterwarnings("ignore")

examples = settings(
    max_examples=int(os.environ.get("FASTMLP_EXAMPLES", "25")),
    stateful_step_count=12,
    phases=[Phase.generate, Phase.shrink],
    derandomize="FASTMLP_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def small_steps_are_shared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastmlp.support.threads, "LEAST_SHARED_STEP", 0)
    monkeypatch.setattr(fastmlp.support.threads, "LEAST_SHARED_PASS", 0)


def through_a_file(net: fastmlp.MLP) -> fastmlp.MLP:
    with tempfile.TemporaryDirectory() as folder:
        net.save(Path(folder) / "net.npz", with_optimizer=True)
        found: fastmlp.MLP = fastmlp.load(Path(folder) / "net.npz")
    return found


COPIES: dict[str, Callable[[fastmlp.MLP], fastmlp.MLP]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "file": through_a_file,
}
FORMS: dict[str, Callable[[Any], Any]] = {
    "array": lambda X: X,
    "Fortran order": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
    "CSR": sparse.csr_matrix,
    "list": lambda X: X.tolist(),
}


class Calls(RuleBasedStateMachine):
    """The calls of one network."""

    @initialize(spec=specs())
    def begin(self, spec: Spec) -> None:
        self.spec = spec
        self.net, self.twin = spec.network(), spec.network()
        self.in_numpy = InNumPy(spec, self.net)
        self.tolerance = TOLERANCE[spec.options["dtype"]]
        self.snapshots: list[tuple[Any, ...]] = []
        self.has_average = self.forget = False

    @rule(
        seed=st.integers(0, 2**32 - 1), epochs=st.integers(1, 3),
        batch_size=st.sampled_from([2, 5, 100]), optimizer=st.sampled_from(OPTIMIZERS),
        l2=st.sampled_from([0.0, 0.1]), ema=st.sampled_from([None, None, 0.9]),
        n_threads=st.integers(1, 3), form=st.sampled_from([*FORMS, "chunks"]),
        after=st.integers(1, 4), interrupted=st.booleans(),
    )
    def fit(self, seed: int, epochs: int, batch_size: int, optimizer: Any, l2: float,
            ema: float | None, n_threads: int, form: str, after: int, interrupted: bool) -> None:
        X, y, m = self.spec.X, self.spec.y, len(self.spec.X)
        if any(self.net.batch_norm) and m % batch_size == 1:
            batch_size += 1
        rng = np.random.default_rng(seed)
        orders = [np.arange(m) if form == "chunks" else rng.permutation(m) for _ in range(epochs)]
        options = {"batch_size": batch_size, "optimizer": optimizer, "l2": l2, "ema": ema,
                   "reset_optimizer": self.forget}
        last = min(after, epochs) if interrupted else epochs
        callbacks = [InterruptAfter(after)] if interrupted else []
        if form == "chunks":
            cut = int(rng.integers(1, m))
            chunks = [(X[:cut], y[:cut]), (X[cut:], y[cut:])]
            self.net.fit(chunks, epochs=epochs, shuffle=False, callbacks=callbacks,
                         n_threads=n_threads, **options)
        else:
            given = iter(orders)
            self.net.fit(FORMS[form](X), y, epochs=epochs, shuffle=lambda _: next(given),
                         callbacks=callbacks, n_threads=n_threads, **options)
        given = iter(orders)
        self.twin.fit(X, y, epochs=last, shuffle=lambda _: next(given), n_threads=1, **options)
        self.has_average = ema is not None
        if self.net.frozen:  # which the network in NumPy knows nothing of
            self.in_numpy.take(self.net)
            self.forget = True
        else:
            self.in_numpy.train(self.spec, orders[:last], batch_size, optimizer, l2, self.forget)
            self.forget = False

    @rule(bad=st.sampled_from(["rows", "NaN", "option"]))
    def refused(self, bad: str) -> None:
        X, options = self.spec.X.copy(), {"epochs": 1}
        if bad == "rows":
            X = X[1:]
        elif bad == "NaN":
            X[-1, -1] = np.nan
        else:
            options["l2"] = -1
        with pytest.raises(ValueError):
            self.net.fit(X, self.spec.y, **options)

    @rule(n_threads=st.integers(1, 3), form=st.sampled_from(list(FORMS)))
    def read(self, n_threads: int, form: str) -> None:
        fastmlp.support.threads._chosen = n_threads
        X, y = FORMS[form](self.spec.X), self.spec.y
        outputs = self.net.forward(X)
        np.testing.assert_array_equal(self.net.activations(X)[-1], outputs)
        labels = self.net.predict(X)
        if self.net.loss.classification:
            np.testing.assert_array_equal(self.net.predict_proba(X), outputs)
        assert len(labels) == len(y)
        cost, gradients = self.net.cost(X, y, 0.1), self.net.gradients(X, y, 0.1)
        fastmlp.support.threads._chosen = 1
        np.testing.assert_array_equal(outputs, self.twin.forward(self.spec.X))
        if self.net.use_average or (any(self.net.batch_norm) and self.tolerance > 1e-6):
            return
        close = {"rtol": self.tolerance, "atol": self.tolerance}
        of = self.in_numpy.net
        np.testing.assert_allclose(outputs, of.forward(self.spec.X), **close)
        np.testing.assert_allclose(cost, of.cost(self.spec.X, y, 0.1), **close)
        for own, other in zip(gradients, of.gradients(self.spec.X, y, 0.1), strict=True):
            for one, two in zip(own, other, strict=True):
                np.testing.assert_allclose(one, two, **close)

    @rule(way=st.sampled_from(list(COPIES)))
    def copied(self, way: str) -> None:
        self.net = COPIES[way](self.net)

    @rule(data=st.data(), on=st.booleans())
    def freeze_or_unfreeze(self, data: Any, on: bool) -> None:
        n_layers = len(self.net.weights)
        layer = data.draw(st.integers(0, n_layers - 1))
        if on and len({*self.net.frozen, layer}) == n_layers:
            return  # nothing would be left to train
        for one in (self.net, self.twin):
            (one.freeze if on else one.unfreeze)(layer)

    @rule(seed=st.integers(0, 2**32 - 1))
    def set_parameters(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        weights = [rng.normal(size=one.shape) / len(one.T) ** 0.5 for one in self.net.weights]
        biases = [rng.normal(size=one.shape) for one in self.net.biases]
        for one in (self.net, self.twin):
            one.set_parameters(weights, biases)
        self.has_average = False
        self.in_numpy.net.weights, self.in_numpy.net.biases = weights, biases

    @precondition(lambda self: self.has_average)
    @rule(on=st.booleans())
    def use_average(self, on: bool) -> None:
        self.net.use_average = self.twin.use_average = on

    @rule()
    def snapshot(self) -> None:
        self.snapshots.append((
            self.net.snapshot(), self.twin.snapshot(), copy.deepcopy(self.in_numpy.net),
            self.has_average,
        ))  # fmt: skip

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def restore(self, data: Any) -> None:
        of_net, of_twin, in_numpy, self.has_average = data.draw(st.sampled_from(self.snapshots))
        self.net.restore(of_net)
        self.twin.restore(of_twin)
        self.in_numpy.net = copy.deepcopy(in_numpy)

    @invariant()
    def has_the_bits_of_its_twin(self) -> None:
        if hasattr(self, "spec"):
            assert self.net.frozen == self.twin.frozen
            assert state_of(self.net) == state_of(self.twin)

    @invariant()
    def agrees_with_numpy_within_rounding(self) -> None:
        if hasattr(self, "spec"):
            self.in_numpy.agrees(self.net, self.tolerance)


def test_any_sequence_of_calls_leaves_what_the_same_calls_leave_alone_and_in_numpy() -> None:
    run_state_machine_as_test(Calls, settings=examples)


# ----------------------------------------------------------------------------- several threads

READS: dict[str, Callable[[fastmlp.MLP, Any], Any]] = {
    "forward": lambda net, X: net.forward(X),
    "activations": lambda net, X: net.activations(X)[-1],
    "deepcopy": lambda net, X: copy.deepcopy(net).forward(X),
    "pickle": lambda net, X: pickle.loads(pickle.dumps(net)).forward(X),
    "file": lambda net, X: through_a_file(net).forward(X),
    "snapshot": lambda net, X: net.forward_rows(X, net.snapshot()),
}


def write(net: fastmlp.MLP, call: tuple[str, int], spec: Spec, begin: Any, **options: Any) -> None:
    """One call that changes a network."""
    name, seed = call
    rng = np.random.default_rng(seed)
    if name.startswith("fit"):
        net.fit(spec.X, spec.y, epochs=6, batch_size=len(spec.X), optimizer=OPTIMIZERS[seed % 4],
                ema=0.9 if "average" in name else None, **options)
    elif name == "set_parameters":
        net.set_parameters([rng.normal(size=one.shape) for one in net.weights], net.biases)
    elif name == "freeze":
        net.unfreeze()
        if len(net.weights) > 1:
            net.freeze(seed % len(net.weights))
    else:
        net.restore(begin)


@settings(examples, max_examples=int(os.environ.get("FASTMLP_EXAMPLES", "6")))
@given(
    spec=specs(),
    calls=st.lists(
        st.tuples(
            st.sampled_from(["fit", "fit with average", "set_parameters", "freeze", "restore"]),
            st.integers(0, 99),
        ),
        min_size=2, max_size=6,
    ),
    reads=st.lists(st.sampled_from(list(READS)), min_size=2, max_size=3),
)
def test_readers_in_other_threads_see_states_of_the_sequence_and_do_not_change_it(
    spec: Spec, calls: list[tuple[str, int]], reads: list[str]
) -> None:
    net, twin, X = spec.network(), spec.network(), spec.X
    allowed = {twin.forward(X).tobytes()}
    begin = twin.snapshot()
    for call in calls:
        write(twin, call, spec, begin, n_threads=1, callbacks=[Recorder(X, allowed)])
        allowed.add(twin.forward(X).tobytes())
    ended = threading.Event()

    def read(name: str) -> set[bytes]:
        seen = set()
        while not ended.is_set():
            seen.add(np.asarray(READS[name](net, X), net.dtype).tobytes())
        return seen

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(len(reads)) as pool:
            readers = [pool.submit(read, name) for name in reads]
            try:
                begin = net.snapshot()
                for call in calls:
                    write(net, call, spec, begin, n_threads=2)
            finally:
                ended.set()
            for one in readers:
                assert one.result(timeout=60) <= allowed
    finally:
        sys.setswitchinterval(interval)
    assert state_of(net) == state_of(twin)
