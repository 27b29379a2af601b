"""Dropout and noise: their distribution, their independence of everything but their place."""

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, kernels
from fastmlp.support import threads as team
from fastmlp.training import FitConfig, fit

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


@pytest.mark.parametrize("place", range(4), ids=["seed", "epoch", "batch", "layer"])
def test_neighbouring_places_are_as_independent_as_chance(place):
    ops = kernels.operations("float32")
    m, n, p = 200, 250, 0.3

    def centered(k: int) -> np.ndarray:
        where = [1, 1, 1, 1]
        where[place] += k
        return (ops.dropout_factors(m, n, p, *where) == 0) - p

    # five standard deviations of the mean product of independent units
    limit = 5 * p * (1 - p) / np.sqrt(m * n)
    for first, second in ((0, 1), (1, 2), (0, 2), (0, 8)):
        a, b = centered(first), centered(second)
        for rows, columns in ((0, 0), (1, 0), (0, 1), (1, 1)):
            product = a[rows:, columns:] * b[: m - rows, : n - columns]
            assert abs(product.mean()) < limit * np.sqrt(m * n / product.size)


def test_numbers_of_dropped_units_vary_as_those_of_independent_units():
    """Counts in rows, in columns and in 4 × 4 blocks have the variance n p (1 − p)."""
    m, n, p = 800, 800, 0.3
    dropped = kernels.operations("float32").dropout_factors(m, n, p, 3, 1, 4, 1) == 0
    blocks = dropped.reshape(m // 4, 4, n // 4, 4).sum(axis=(1, 3)).ravel()
    for counts, size in ((dropped.sum(axis=1), n), (dropped.sum(axis=0), m), (blocks, 16)):
        ratio = counts.var() / (size * p * (1 - p))
        assert abs(ratio - 1) < 5 * np.sqrt(2 / len(counts))


@every_isa
@every_dtype
def test_a_probability_has_a_resolution_of_two_to_the_minus_32(dtype, isa):
    """Each unit is dropped from a multiple of 2⁻³² on, and kept at the multiple below."""
    ops = kernels.operations(dtype, isa)

    def dropped(threshold: int) -> np.ndarray:
        return ops.dropout_factors(1, 19, threshold / 2**32, 5, 6, 7, 1)[0] == 0

    for unit in (0, 3, 18):
        kept_at, dropped_at = 0, 2**32 - 1
        while dropped_at - kept_at > 1:
            middle = (kept_at + dropped_at) // 2
            kept_at, dropped_at = (
                (kept_at, middle) if dropped(middle)[unit] else (middle, dropped_at)
            )
        assert not dropped(kept_at)[unit] and dropped(kept_at + 1)[unit]
        assert not dropped(kept_at + 0.999)[unit]  # p·2³² is rounded down
        assert dropped(kept_at + 2**20)[unit]


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
        for use_sparse in (True, False):
            net = fastmlp.MLP((64, 70, 70, 10), dropout=0.5, input_dropout=0.2, noise=0.1)
            net.state.use_sparse(use_sparse)
            net.fit(given, y, epochs=2, batch_size=60, n_threads=threads)
            found.add(b"".join(W.tobytes() for W in net.weights))
    assert len(found) == 1


def fit_by_row_hash(
    net: fastmlp.MLP, X: object, y: np.ndarray, s: object = None, **options: object
) -> None:
    """Train with random numbers that depend on an example's values instead of its place."""
    config = FitConfig.checked(net.state.spec, by_row_hash=True, **options)
    fit(net, X, y, config, sample_weight=s)


def trained_by_row_hash(given: object, y: np.ndarray, **options: object) -> bytes:
    """The weights of a network that was trained so."""
    net = fastmlp.MLP(
        (64, 70, 10), dropout=0.5, input_dropout=0.2, noise=0.1, dtype="float64", seed=3
    )
    fit_by_row_hash(net, given, y, epochs=3, shuffle=False, **options)
    return b"".join(W.tobytes() for W in net.weights)


def test_random_numbers_by_row_hash_do_not_depend_on_how_an_example_is_stored():
    sparse = pytest.importorskip("scipy.sparse")
    X, y = digits()
    rows = np.asarray(X[:300], np.float64)
    scarce = rows * (np.arange(64) % 8 == 0)  # so few non-zeros that training packs them
    for dense in (rows, scarce):
        given = [dense, sparse.csr_matrix(dense), dense * np.where(dense == 0, -1.0, 1.0)]
        found = {
            trained_by_row_hash(one, y[:300], batch_size=60, n_threads=n)
            for one in given
            for n in (1, 2)
        }
        assert len(found) == 1


@pytest.mark.parametrize("batch_norm", [False, True])
def test_by_row_hash_a_repeated_row_is_one_with_a_weight(batch_norm):
    X, y = digits()
    X, y = np.asarray(X[:80], np.float64), y[:80]
    s = np.random.default_rng(0).integers(0, 4, 80)
    order = np.random.default_rng(1).permutation(s.sum())
    found = []
    for rows, weight in ((np.arange(80), s), (np.repeat(np.arange(80), s)[order], None)):
        net = fastmlp.MLP((64, 40, 10), dropout=0.5, noise=0.1, input_dropout=0.1,
                          batch_norm=batch_norm, dtype="float64")
        fit_by_row_hash(net, X[rows], y[rows], weight, batch_size=len(rows), epochs=4)
        found.append(np.concatenate([W.ravel() for W in net.weights]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9, atol=1e-12)


def test_by_row_hash_different_rows_differ_and_each_batch_begins_anew():
    kept = []  # how many units of each row, in each batch
    X = np.repeat(np.random.default_rng(0).normal(size=(20, 3)), 2, axis=0)

    def loss(h: np.ndarray, y: np.ndarray) -> np.ndarray:
        return h.sum(axis=1)

    def slope(h: np.ndarray, y: np.ndarray) -> np.ndarray:
        kept.append(h[:, 0] / (1 + X.sum(axis=1)) / 2)
        return np.zeros_like(h)

    ones = [np.ones((400, 3)), np.ones((2, 400))], [np.ones(400), np.zeros(2)]
    net = fastmlp.MLP((3, 400, 2), dropout=0.5, activation="identity", loss=(loss, slope),
                      dtype="float64", init=ones)
    fit_by_row_hash(net, X, np.zeros(40), batch_size=40, epochs=3, shuffle=False)
    counts = np.round(kept, 6)
    np.testing.assert_array_equal(counts[:, ::2], counts[:, 1::2])
    assert all(len(np.unique(batch)) > 10 for batch in counts)
    assert all(len(np.unique(row)) > 1 for row in counts.T)


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
    first.save(tmp_path / "net.npz", with_optimizer=True)
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


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_derivative_by_the_input_has_the_dropout_of_the_cost(rng, n_threads, monkeypatch):
    """Of a batch of training, in which some inputs do not count and the others count more."""
    monkeypatch.setattr(team, "for_gradients", lambda *_: n_threads)
    X, y = rng.normal(size=(30, 70)), rng.integers(0, 3, 30)
    net = MLP((70, 8, 3), activation="tanh", input_dropout=0.4, dtype="float64")
    found = net.gradients(X, y, wrt="input", training=True)
    for i in zip(rng.integers(0, 30, 40), rng.integers(0, 70, 40), strict=True):
        costs = []
        for h in (1e-5, -1e-5):
            moved = X.copy()
            moved[i] += h
            costs.append(net.cost(moved, y, training=True))
        assert abs((costs[0] - costs[1]) / 2e-5 - found[i]) < 1e-9
    assert 0.3 < np.mean(found == 0) < 0.5
