"""Encodings as values: their outputs, and what is refused when a network is made or reads X."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse
from scipy import stats

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.augment import Distortion
from fastmlp.encodings import TABLE, Embedding, Numeric, OneHot, Periodic, PiecewiseLinear

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("encoding", "n_outputs"),
    [(Numeric(), 1), (PiecewiseLinear([0, 1]), 1), (PiecewiseLinear((0, 1, 4)), 2), (OneHot(7), 7),
     (Embedding(7), 8), (Embedding(7, 3), 3), (Periodic(), 4), (Periodic(8, 5), 6)],
    ids=str,
)  # fmt: skip
def test_an_encoding_knows_its_number_of_outputs(encoding, n_outputs):
    assert encoding.n_outputs == n_outputs
    assert MLP((1, 3), encodings=[encoding]).weights[0].shape == (3, n_outputs)


@pytest.mark.parametrize(
    ("encoding", "size"),
    [(Numeric(), 0), (PiecewiseLinear([0, 1, 4]), 2), (OneHot(7), 7), (Embedding(7, 3), 7),
     (Periodic(8, 5), 8)],
    ids=str,
)  # fmt: skip
def test_the_size_is_the_number_of_bins_levels_or_frequencies(encoding, size):
    assert encoding.size == size


def test_initial_parameters_have_their_distributions(rng):
    periodic = Periodic(400, 1000, 0.3).sample(rng)
    bound = 1 / np.sqrt(400)
    expected = {
        "frequencies": stats.norm(0, 0.3),
        "phases": stats.uniform(-np.pi, 2 * np.pi),
        "weight": stats.uniform(-bound, 2 * bound),
        "bias": stats.uniform(-bound, 2 * bound),
    }
    assert periodic.keys() == expected.keys()
    for name, distribution in expected.items():
        assert stats.kstest(periodic[name].ravel(), distribution.cdf).pvalue > 1e-3
    table = Embedding(500, 8).sample(rng)["table"]
    assert stats.kstest(table.ravel(), stats.norm().cdf).pvalue > 1e-3


def test_bins_have_a_width_that_can_be_divided_by():
    width = np.finfo(np.float64).smallest_normal
    assert PiecewiseLinear([0, width]).edges == (0, width)
    with pytest.raises(ValueError, match="edges must increase"):
        PiecewiseLinear([0, width / 2])


def test_encodings_compare_by_value():
    assert PiecewiseLinear(np.array([0, 1, 2])) == PiecewiseLinear((0.0, 1.0, 2.0))
    assert PiecewiseLinear([0, 1]) != PiecewiseLinear([0, 2])
    assert OneHot(3) == OneHot(np.int64(3)) != OneHot(4)
    assert len({Numeric(), Numeric(), OneHot(3)}) == 2
    assert repr(OneHot(3)) == "OneHot(n_levels=3)"


def test_defaults_are_those_of_the_docstrings():
    assert Embedding(7) == Embedding(7, n_out=8)
    assert Periodic() == Periodic(n_frequencies=16, n_out=3, sigma=0.1)


def test_levels_are_those_that_float32_counts():
    assert OneHot(2**24).n_levels == Embedding(2**24).n_levels == 2**24


def test_one_encoding_stands_for_all_columns():
    assert MLP((3, 2), encodings=Numeric()).encodings == (Numeric(),) * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PiecewiseLinear([1.0]), "at least two numbers"),
        (lambda: PiecewiseLinear([[0, 1]]), "at least two numbers"),
        (lambda: PiecewiseLinear([0, 1, 1]), "edges[1] is 1.0 and edges[2] is 1.0"),
        (lambda: PiecewiseLinear([0, 2, 1]), "edges must increase"),
        (lambda: PiecewiseLinear(10), "got 10; of n bins they may be quantiles of the column"),
        (lambda: PiecewiseLinear([0, NAN]), "edges[1] is nan"),
        (lambda: PiecewiseLinear([0, INF]), "edges[1] is inf"),
        (lambda: OneHot(0), "n_levels must be at least 1"),
        (lambda: OneHot(2**24 + 1), "n_levels must be at most 16777216"),
        (lambda: Embedding(0), "n_levels must be at least 1"),
        (lambda: Embedding(3, 0), "n_out must be at least 1"),
        (lambda: Periodic(0), "n_frequencies must be at least 1"),
        (lambda: Periodic(3, 0), "n_out must be at least 1"),
        (lambda: Periodic(sigma=0), "sigma must be in (0, inf)"),
        (lambda: MLP((1, 3), encodings=[Periodic(sigma=1e-60)]), "encodings[0]: sigma is 9.99"),
        (lambda: MLP((2, 3), encodings=[Numeric()]), "encodings has 1 entries for 2 columns"),
        (lambda: MLP((1, 3), encodings=[PiecewiseLinear([1, 1 + 1e-9])]), "encodings[0]: edges"),
        (lambda: MLP((1, 3), encodings=[PiecewiseLinear([0, 1e300])]), "encodings[0]: edges[1]"),
        (lambda: MLP((1, 3), encodings=[PiecewiseLinear([-3e38, 3e38])]), "encodings[0]: edges"),
    ],
)
def test_a_wrong_value_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("value", ["one_hot", OneHot, 3, None])
def test_what_is_no_encoding_is_refused(value):
    with pytest.raises(TypeError, match=r"encodings\[1\] must be an object of fastmlp.encodings"):
        MLP((2, 3), encodings=[Numeric(), value])


@pytest.mark.parametrize("code", [5, -2, 2.5, 1e9, -0.5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_code_that_is_none_names_row_and_column(table, code, dtype):
    net = MLP((4, 8, 3), encodings=table.encodings, dtype=dtype)
    table.X[17, 1] = code
    calls = {
        "forward": lambda: net.forward(table.X),
        "activations": lambda: net.activations(table.X),
        "fit": lambda: net.fit(table.X, table.y),
        "cost": lambda: net.cost(table.X, table.y),
        "steps": lambda: fastmlp.steps.encode(table.X, table.encodings),
    }
    for call in calls.values():
        with pytest.raises(ValueError, match=r"X\[17, 1\] is .* column 1 must hold codes of its 5"):
            call()


def test_codes_may_be_integers(table):
    codes = table.X[:, [1, 3]].astype(np.int64)
    net = MLP((2, 3), encodings=[OneHot(5), OneHot(40)])
    np.testing.assert_array_equal(net.forward(codes), net.forward(codes.astype(np.float64)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda net, X, y: net.forward(scipy.sparse.csr_array(X)), TypeError, "X.toarray()"),
        (lambda net, X, y: net.fit(scipy.sparse.csr_array(X), y), TypeError, "X.toarray()"),
        (lambda net, X, y: net.forward(X.astype(np.uint8)), TypeError, "X.astype('float32')"),
        (lambda net, X, y: net.gradients(X, y, wrt="input"), ValueError, "wrt must be"),
        (lambda net, X, y: net.fit(X, y, augment=Distortion(rotation=5)), ValueError, "augment"),
    ],
    ids=["sparse", "fit sparse", "uint8", "wrt", "augment"],
)
def test_what_does_not_go_with_encodings_is_refused(table, call, error, message):
    net = MLP((4, 8, 3), encodings=table.encodings)
    with pytest.raises(error, match=re.escape(message)):
        call(net, np.abs(table.X), table.y)


@pytest.mark.parametrize("n_columns", [1, 3, 5])
def test_x_has_a_column_for_each_encoding(table, n_columns):
    net = MLP((4, 3), encodings=table.encodings)
    with pytest.raises(ValueError, match=f"X has {n_columns} columns; this network has 4 inputs"):
        net.forward(np.zeros((2, n_columns)))


def test_networks_with_other_encodings_predict_together(table):
    raw, encoded = MLP((4, 3)), MLP((4, 3), encodings=table.encodings, seed=1)
    mean = (raw.forward(table.X).astype(float) + encoded.forward(table.X)) / 2
    np.testing.assert_allclose(Ensemble([raw, encoded]).forward(table.X), mean, atol=1e-7)


def test_the_summary_shows_the_encoded_inputs(table):
    lines = MLP((4, 8, 3), encodings=table.encodings).summary().splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["input", "4"], ["encoding", "50"], ["hidden", "8"]
    ]  # fmt: skip


def test_scaling_alone_takes_the_columns_as_they_are(table):
    net = MLP((4, 8, 3), input_scaling=True)
    assert net.encodings == (Numeric(),) * 4
    np.testing.assert_array_equal(net.input_scale, np.ones(4))
    np.testing.assert_array_equal(net.forward(table.X), MLP((4, 8, 3)).forward(table.X))
    assert net.n_parameters == MLP((4, 8, 3)).n_parameters + 4


def test_derivatives_by_parameters_that_there_are_not_are_refused(table):
    for options in ({}, {"encodings": table.encodings}):
        with pytest.raises(ValueError, match="encodings have no parameters"):
            MLP((4, 3), **options).gradients(table.X, table.y, wrt="encoding")


@pytest.mark.parametrize(
    "name",
    ["encoding_rate_multiplier", "scaling_rate_multiplier", "scaling_decay_multiplier"],
)
@pytest.mark.parametrize("value", [-1, NAN, INF, "1"])
def test_a_wrong_multiplier_is_refused(table, name, value):
    net = MLP((4, 3), input_scaling=True)
    with pytest.raises((ValueError, TypeError), match=name):
        net.fit(table.X, table.y, **{name: value})


def test_the_table_names_every_encoding():
    assert all(kind.name == name for name, kind in TABLE.items())


def test_networks_of_an_ensemble_may_differ_in_their_encodings_alone(table):
    bins = [[0, 1, 2], [0, 1, 3]]
    networks = [MLP((4, 3), encodings=PiecewiseLinear(edges)) for edges in bins]
    Ensemble(networks).fit(table.X, table.y, epochs=1)
    with pytest.raises(ValueError, match="are alike"):
        Ensemble([MLP((4, 3), encodings=table.encodings) for _ in range(2)]).fit(table.X, table.y)
