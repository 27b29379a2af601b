"""Dropout and noise: their distribution, their independence of everything but their place."""

import numpy as np
import pytest

import fastmlp
from fastmlp import kernels

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_isa = pytest.mark.parametrize("isa", kernels.isas())


@every_isa
@every_dtype
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_fraction_p_is_dropped_and_the_rest_scaled(p, dtype, isa):
    found = kernels.operations(dtype, isa).dropout_factors(500, 401, p, 1, 2, 3, 1)
    kept = found > 0
    np.testing.assert_allclose(found[kept], 1 / (1 - p), rtol=1e-6)
    # five standard deviations of the binomial distribution
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / kept.size)


@every_dtype
def test_rows_and_columns_are_as_independent_as_chance(dtype):
    kept = kernels.operations(dtype).dropout_factors(400, 300, 0.5, 9, 0, 0, 2) > 0
    centered = kept - 0.5
    for lag in (1, 2, 7):
        for a, b in ((centered[lag:], centered[:-lag]), (centered[:, lag:], centered[:, :-lag])):
            assert abs((a * b).mean()) < 5 * 0.25 / np.sqrt(a.size)
    assert np.abs(kept.mean(axis=0) - 0.5).max() < 6 * 0.5 / np.sqrt(400)
    assert np.abs(kept.mean(axis=1) - 0.5).max() < 6 * 0.5 / np.sqrt(300)


@pytest.mark.parametrize("place", range(4), ids=["seed", "epoch", "batch", "level"])
def test_each_place_has_draws_of_its_own(place):
    ops = kernels.operations("float32")
    where = [1, 1, 1, 1]
    first = ops.dropout_factors(50, 60, 0.5, *where)
    where[place] = 2
    other = ops.dropout_factors(50, 60, 0.5, *where)
    assert 0.4 < np.mean((first > 0) == (other > 0)) < 0.6


@every_dtype
def test_every_build_draws_the_same_units(dtype):
    found = {
        (kernels.operations(dtype, isa).dropout_factors(30, 77, 0.3, 5, 6, 7, 1) > 0).tobytes()
        for isa in kernels.isas()
    }
    single = kernels.operations("float32").dropout_factors(30, 77, 0.3, 5, 6, 7, 1) > 0
    assert found == {single.tobytes()}


@every_isa
@every_dtype
def test_noise_is_normal(dtype, isa):
    x = kernels.operations(dtype, isa).noise(1000, 333, 2.0, 1, 2, 3, 1).ravel() / 2
    n = x.size
    assert abs(x.mean()) < 5 / np.sqrt(n)
    assert abs(x.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((x**3).mean()) < 5 * np.sqrt(15 / n)
    assert abs((x**4).mean() - 3) < 5 * np.sqrt(96 / n)
    for bound, part in ((1, 0.682689), (2, 0.954500), (3, 0.997300)):
        assert abs(np.mean(np.abs(x) < bound) - part) < 5 * np.sqrt(part * (1 - part) / n)
    assert 4 < np.abs(x).max() < 6.5


def digits() -> tuple[np.ndarray, np.ndarray]:
    data = fastmlp.datasets.digits()
    return data.X, data.y


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "CSR"])
def test_dropout_gives_the_same_bits_on_any_threads_and_paths(sparse):
    X, y = digits()
    rows = np.asarray(X, np.float32)
    given = pytest.importorskip("scipy.sparse").csr_matrix(rows) if sparse else rows
    found = set()
    for threads in (1, 2, 3):
        for skip_zeros in (True, False):
            net = fastmlp.MLP((64, 70, 70, 10), dropout=0.5, input_dropout=0.2, noise=0.1)
            net._engine.skip_zeros = skip_zeros
            net.fit(given, y, epochs=2, batch_size=60, n_threads=threads)
            found.add(b"".join(W.tobytes() for W in net.weights))
    assert len(found) == 1


def test_prediction_draws_nothing():
    X, y = digits()
    net = fastmlp.MLP((64, 40, 10), dropout=0.5, input_dropout=0.5, noise=1.0)
    plain = fastmlp.MLP((64, 40, 10))
    np.testing.assert_array_equal(net.forward(X), plain.forward(X))
    assert net.cost(X, y) == plain.cost(X, y)
    assert net.cost(X, y, training=True) != plain.cost(X, y, training=True)


def test_training_resumed_from_a_file_draws_what_it_would_have_drawn(tmp_path):
    X, y = digits()

    def make() -> fastmlp.MLP:
        return fastmlp.MLP((64, 40, 30, 10), dropout=[0.5, 0.2], noise=0.2, batch_norm=True)

    whole, first = make(), make()
    whole.fit(X, y, epochs=4)
    first.fit(X, y, epochs=2)
    first.save(tmp_path / "net.npz")
    second = fastmlp.load(tmp_path / "net.npz")
    assert (second.dropout, second.noise, second.batch_norm) == (
        (0.5, 0.2), (0.2, 0.2), (True, True))
    second.fit(X, y, epochs=2)
    for one, other in zip(whole.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.forward(X), second.forward(X))


@pytest.mark.parametrize("name", ["dropout", "input_dropout"])
@pytest.mark.parametrize("value", [1.0, -0.1, float("nan")])
def test_a_probability_is_checked(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\)"):
        fastmlp.MLP((4, 3, 2), **{name: value})
