"""Arrays that a user changes while they are in use: an error or other numbers, never a crash.

Every case runs in a process of its own, because what is tested for is the end of the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("scipy")

SETUP = """
    import sys
    import threading
    import numpy as np
    import scipy.sparse as sp
    import fastmlp

    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 40)).astype(np.float32) * (rng.random((2000, 40)) < 0.2)
    y = (np.arange(2000) % 3).astype(np.int32)

    class Act(fastmlp.Callback):
        def __init__(self, act):
            self.act = act
        def on_epoch_end(self, net, history):
            self.act()

    def fit(X, y, act=lambda: None, **options):
        net = fastmlp.MLP((40, 64, 3), seed=1)
        net.fit(X, y, epochs=4, callbacks=[Act(act)], **options)
        assert np.isfinite(net.weights[0]).all()
        return net
"""


def run(code: str) -> None:
    program = textwrap.dedent(SETUP) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("n_threads", [1, 2])
def test_labels_out_of_range_end_a_fit_with_an_error(n_threads):
    run(f"""
        for label in (3, 16, 1_000_000, 2**31 - 1, -1, -(2**31)):
            print(label, file=sys.stderr)    # the one in work, should the process end
            y[5] = 0
            def relabel():
                y[5] = label
            try:
                fit(X, y, relabel, n_threads={n_threads})
            except ValueError as error:
                assert "labels that are none of the network's classes" in str(error), error
            else:
                raise SystemExit("not refused")
    """)


def test_labels_out_of_range_are_refused_in_validation_and_with_distortions():
    run("""
        images = np.zeros((300, 64), np.float32)
        labels = (np.arange(300) % 3).astype(np.int32)
        def relabel():
            labels[5] = 10**6
        for options in (
            dict(validation_data=(images, labels)),
            dict(augment=fastmlp.augment.Distortion(rotation=9, gentle_classes=(1,))),
        ):
            labels[5] = 0
            train = labels.copy() if "validation_data" in options else labels
            net = fastmlp.MLP((64, 16, 3))
            try:
                net.fit(images, train, epochs=3, callbacks=[Act(relabel)], **options)
            except ValueError as error:
                assert "none of the network's classes" in str(error), error
            else:
                raise SystemExit("not refused")
    """)


@pytest.mark.parametrize("use_sparse", [False, True])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_codes_out_of_range_end_a_fit_with_an_error(use_sparse, n_threads):
    run(f"""
        from itertools import product
        from fastmlp.encodings import Embedding, Numeric, OneHot, PiecewiseLinear
        bins = PiecewiseLinear([0, 1, 2])
        for codes, code in product((OneHot(40), Embedding(40)), (40, -2, -1e30, np.nan, np.inf)):
            C = np.column_stack([X[:, 0], np.arange(2000) % 40, X[:, 1]])
            net = fastmlp.MLP((3, 64, 3), encodings=[Numeric(), codes, bins])
            net.state.use_sparse({use_sparse})
            def recode():
                C[5, 1] = code
            try:
                net.fit(C, y, epochs=4, callbacks=[Act(recode)], n_threads={n_threads})
            except ValueError as error:
                assert "codes of categories that are none of the network's levels" in str(error)
            else:
                raise SystemExit("not refused")
    """)


def test_any_bytes_in_encoded_columns_are_read_within_bounds():
    """Another thread writes random bits over X, numbers in bins and codes, all the while."""
    run("""
        from fastmlp.encodings import Embedding, OneHot, Periodic, PiecewiseLinear
        C = np.zeros((2000, 40), np.float32)
        encodings = [OneHot(9), PiecewiseLinear(np.arange(7)), Embedding(9, 5), Periodic()] * 10
        nets = [
            fastmlp.MLP((40, 64, 3), encodings=encodings, input_scaling=True) for _ in range(2)
        ]
        nets[1].state.use_sparse(False)
        done = threading.Event()
        def write():
            bits = C.view(np.uint32)
            while not done.wait(1e-4):      # so that the other thread gets its turn
                bits[rng.integers(2000, size=50)] = rng.integers(2**32, size=(50, 40))
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        for k in range(20):
            C[:] = 0
            try:
                nets[k % 2].fit(C, y, epochs=3, n_threads=1 + k % 2)
            except (ValueError, FloatingPointError, fastmlp.TrainingDiverged):
                pass
        done.set()
        writer.join()
    """)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_columns_out_of_range_or_order_end_a_fit_with_an_error(n_threads):
    run(f"""
        for change in (
            "S.indices[:] = 10**6", "S.indices[7] = 40", "S.indices[7] = -1", "S.indices[:] = 39",
            "S.indices[:] = S.indices[::-1].copy()",
        ):
            print(change, file=sys.stderr)    # the one in work, should the process end
            S = sp.csr_matrix(X)
            def act():
                exec(change)
            try:
                fit(S, y, act, n_threads={n_threads})
            except ValueError as error:
                assert "the columns of the sparse X are out of range" in str(error), error
            else:
                raise SystemExit("not refused")
    """)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no choice of processors")
@pytest.mark.parametrize("batch", [1, 7])
def test_a_change_that_one_thread_sees_a_batch_before_another_hangs_no_fit(batch):
    """On one processor a thread goes on into the next batch while the other has yet to wake."""
    run(f"""
        import os
        fastmlp.set_num_threads(2)
        fastmlp.support.threads.MOST_SLEPT = 2      # both go on, however long they wait
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        S = sp.csr_matrix(X)
        first = S.indptr[200 * {batch}]
        def act():
            S.indices[first:] = 10**6
        for _ in range(5):
            S = sp.csr_matrix(X)
            try:
                fit(S, y, act, batch_size=200, shuffle=False)
            except ValueError as error:
                assert "the columns of the sparse X are out of range" in str(error), error
            else:
                raise SystemExit("not refused")
    """)


def test_pointers_are_a_copy_and_other_values_are_other_values():
    run("""
        for change in ("S.indptr[:] = 10**6", "S.indptr[:] = -5", "S.data *= 2"):
            print(change, file=sys.stderr)    # the one in work, should the process end
            S = sp.csr_matrix(X)
            def act():
                exec(change)
            fit(S, y, act)
    """)


def test_dense_rows_targets_and_weights_may_change_in_another_thread():
    """Also while rows with many zeros are packed: refused or other numbers, as it happens."""
    run("""
        t = rng.normal(size=(2000, 3)).astype(np.float32)
        s = np.ones(2000, np.float32)
        done = threading.Event()
        def change():
            source = np.random.default_rng(1)
            while not done.is_set():
                X[:] = source.random(X.shape) < source.random()
                t[:] = source.random(t.shape)
                s[:] = source.random(2000) + 0.5
        threads = [threading.Thread(target=change) for _ in range(2)]
        for one in threads:
            one.start()
        for seed in range(60):
            net = fastmlp.MLP((40, 64, 3), seed=seed, loss="squared_error")
            try:
                net.fit(X, t, sample_weight=s, epochs=3, n_threads=1 + seed % 2)
                net.cost(X, t, sample_weight=s)
            except ValueError as error:
                assert "the zeros of X have changed" in str(error), error
        done.set()
    """)


def test_columns_and_labels_may_change_in_another_thread():
    run("""
        S = sp.csr_matrix(X)
        columns, labels = S.indices.copy(), y.copy()
        done = threading.Event()
        def change():
            source = np.random.default_rng(1)
            while not done.is_set():
                k = source.integers(len(columns))
                S.indices[k] = source.integers(-(2**31), 2**31 - 1)
                y[k % 2000] = source.integers(-(2**31), 2**31 - 1)
                S.indices[k] = columns[k]
                y[k % 2000] = labels[k % 2000]
        changing = threading.Thread(target=change)
        changing.start()
        for seed in range(50):
            net = fastmlp.MLP((40, 64, 3), seed=seed)
            for action in (
                lambda: net.fit(S, y, epochs=2, n_threads=1 + seed % 2),
                lambda: net.cost(S, y), lambda: net.gradients(S, y), lambda: net.predict(S),
            ):
                try:
                    action()
                except ValueError:
                    pass
        done.set()
    """)


def test_a_shuffle_may_change_what_it_returned():
    run("""
        order = np.arange(2000)
        class Later(fastmlp.Callback):
            def on_epoch_end(self, net, history):
                order[:] = 10**9
        net = fastmlp.MLP((40, 64, 3))
        try:
            net.fit(X, y, epochs=2, shuffle=lambda m: order, callbacks=[Later()])
        except ValueError as error:
            assert "shuffle must return" in str(error)
        else:
            raise SystemExit("not refused")
    """)
