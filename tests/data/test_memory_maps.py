"""Files mapped into memory: read in pieces, to the bits of arrays, in constant memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastmlp import MLP, Adam, Ensemble, fit_many, schedules


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.int16, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_maps_give_the_bits_of_arrays(rng, tmp_path, small_chunks, kind, order, state, mapped):
    X = rng.integers(0, 256, (230, 6)).astype(kind, order=order)
    y, s = rng.integers(0, 3, 230), rng.random(230)
    given = mapped(tmp_path / "X.npy", X)
    assert isinstance(given, np.memmap)
    whole, read = (MLP((6, 16, 3)) for _ in range(2))
    options = {"epochs": 2, "batch_size": 50, "shuffle": False, "sample_weight": s}
    whole.fit(X, y, **options)
    read.fit(given, y, **options)
    assert state(read) == state(whole)
    for function in (whole.forward, whole.predict, whole.predict_proba):
        np.testing.assert_array_equal(function(given), function(X))
    cost = whole.cost(X, y, 0.1, sample_weight=s)
    assert whole.cost(given, y, 0.1, sample_weight=s) == pytest.approx(cost, rel=1e-14)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_map_that_fits_into_a_chunk_gives_the_bits_of_an_array(
    classes, tmp_path, shuffle, state, mapped
):
    X, y = classes
    whole, read = (MLP((6, 16, 3)) for _ in range(2))
    rate = schedules.OneCycle(0.01)  # the number of examples is known
    whole.fit(X, y, epochs=3, shuffle=shuffle, optimizer=Adam(rate))
    read.fit(mapped(tmp_path / "X.npy", X), y, epochs=3, shuffle=shuffle, optimizer=Adam(rate))
    assert state(read) == state(whole)


@pytest.mark.parametrize("y_in_file", [False, True])
@pytest.mark.parametrize("train", ["Ensemble", "fit_many", "executor"])
def test_many_networks_are_trained_on_a_map_to_the_bits_of_one(
    rng, tmp_path, small_chunks, state, mapped, train, y_in_file
):
    X, y, s = rng.normal(size=(230, 6)), rng.integers(0, 3, 230), rng.random(230)
    given = mapped(tmp_path / "X.npy", X)
    targets = mapped(tmp_path / "y.npy", y) if y_in_file else y
    options = {"epochs": 2, "sample_weight": s, "validation_data": (given, targets)}
    alone, nets = ([MLP((6, 16, 3), seed=seed) for seed in range(2)] for _ in range(2))
    if train == "Ensemble":
        Ensemble(nets).fit(given, targets, **options)
    elif train == "fit_many":
        fit_many(nets, given, targets, options=options)
    else:
        with ThreadPoolExecutor(1) as executor:
            fit_many(nets, given, targets, options=options, executor=executor)
    for net, one in zip(nets, alone, strict=True):
        one.fit(given, targets, **options)
        assert state(net) == state(one)
        assert net.history.validation_cost == one.history.validation_cost


def test_shuffled_chunks_of_a_map_are_made_of_blocks_from_all_over_it(
    classes, tmp_path, small_chunks, state, mapped
):
    """By the epoch's stream and its first child: tried with the rows put there by hand."""
    X, y = classes
    stream = np.random.default_rng([0, 0])
    blocks = stream.spawn(1)[0].permutation(np.arange(0, 230, 10))
    order = []
    for first in range(0, 23, 8):
        rows = np.concatenate([np.arange(one, one + 10) for one in np.sort(blocks[first:][:8])])
        order.append(stream.permutation(rows))
    order = np.concatenate(order)
    assert sorted(order) == list(range(230))
    assert np.ptp(order[:80]) > 150
    whole, read = (MLP((6, 16, 3)) for _ in range(2))
    read.fit(mapped(tmp_path / "X.npy", X), y, epochs=1, batch_size=30)
    whole.fit(X[order], y[order], epochs=1, batch_size=30, shuffle=False)
    assert state(read) == state(whole)


def test_targets_may_lie_in_a_file_too(rng, tmp_path, small_chunks, state, mapped):
    X = rng.normal(size=(230, 6))
    given = mapped(tmp_path / "X.npy", X)
    whole, read = (MLP((6, 3, 6), loss="squared_error") for _ in range(2))
    whole.fit(X, X, epochs=2, shuffle=False)
    read.fit(given, given, epochs=2, shuffle=False)
    assert state(read) == state(whole)


def test_array_of_a_map_is_read_as_an_array(classes, tmp_path, small_chunks, state, mapped):
    X, y = classes
    whole, read = (MLP((6, 16, 3)) for _ in range(2))
    whole.fit(X, y, epochs=2, validation_data=0.2)
    read.fit(np.asarray(mapped(tmp_path / "X.npy", X)), y, epochs=2, validation_data=0.2)
    assert state(read) == state(whole)


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_what_was_written_into_a_map_is_read_and_stays(
    classes, tmp_path, small_chunks, mode, state, mapped
):
    X, y = classes
    given = mapped(tmp_path / "X.npy", X * 0, mode)
    given[:] = X
    whole, read = (MLP((6, 16, 3)) for _ in range(2))
    whole.fit(X, y, epochs=2, shuffle=False)
    read.fit(given, y, epochs=2, shuffle=False)
    assert state(read) == state(whole)
    np.testing.assert_array_equal(given, X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, :5], y), "^X has 5 columns; this network has 6 inputs"),
        (lambda X, y: (X[0], y), r"^X has shape \(6,\); expected \(m, 6\)"),
        (lambda X, y: (X, y[:9]), "^y has 9 entries for 230 examples in X"),
        (lambda X, y: (X, np.array(y[:9])), "^y has 9 entries for 230 examples in X"),
        (lambda X, y: (X, np.array(y) + 1), r"^y must hold labels from 0 to 2"),
        (lambda X, y: (X, y + 0.5), r"^y must hold whole labels"),
    ],
)
def test_bad_maps_are_refused_before_anything_happens(
    net, classes, tmp_path, change, message, mapped
):
    given = mapped(tmp_path / "X.npy", classes[0]), mapped(tmp_path / "y.npy", classes[1])
    with pytest.raises(ValueError, match=message):
        net.fit(*change(*given))
    assert net.epochs == 0


def test_bad_rows_of_a_map_are_named(net, classes, tmp_path, small_chunks, mapped):
    X, y = classes
    X[123, 4] = np.inf
    given = mapped(tmp_path / "X.npy", X)
    for fails in (lambda: net.fit(given, y), lambda: net.cost(given, y)):
        with pytest.raises(ValueError, match=r"129, here numbered from 0: .*X\[3, 4\] is inf"):
            fails()
    with pytest.raises(ValueError, match=r"rows 80 to 159, .*: .*X\[43, 4\] is inf"):
        net.predict(given)
    X[123] = 3e38
    given = mapped(tmp_path / "large.npy", X)
    with pytest.raises(FloatingPointError, match=r"rows 80 to 159, .*: .* output for X\[43\]"):
        net.predict(given)


MEASURED = """
    import sys
    import numpy as np
    from fastmlp import MLP

    def status(name):
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith(name))

    X = np.memmap(sys.argv[1], np.float32, "r").reshape(-1, 256)
    y = np.memmap(sys.argv[2], np.float32, "r").reshape(-1, 1)
    net = MLP((256, 64, 1), loss="squared_error")
    net.fit(np.array(X[:1000]), y[:1000], epochs=1)
    before = status("VmRSS")
    net.fit(X, y, epochs=1, batch_size=1000, validation_data=(X, y))
    net.predict(X)
    net.cost(X, y)
    print(status("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_the_file(rng, tmp_path):
    """224 MiB in a file, read in chunks of 32, of which there may be four."""
    block = rng.normal(size=(1024, 256)) * (rng.random((1024, 256)) < 0.1)
    with open(tmp_path / "X", "wb") as file:
        for _ in range(224):
            file.write(block.astype(np.float32).tobytes())
    np.zeros(224 * 1024, np.float32).tofile(tmp_path / "y")
    program = [sys.executable, "-c", textwrap.dedent(MEASURED), tmp_path / "X", tmp_path / "y"]
    grown = int(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
    assert grown < 140 << 20
