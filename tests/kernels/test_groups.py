"""Cross-entropy in groups of outputs: each group has the bits of a cross-entropy of its own."""

from itertools import pairwise, product

import numpy as np
import pytest

GROUPS = [
    (2,), (10,), (33,), (2, 2), (3, 4), (4, 3), (16, 16), (5, 16, 3), (15, 17), (1, 2, 1),
    (64, 2, 65), (2,) * 20, tuple(range(2, 12)),
]  # fmt: skip
every_grouping = pytest.mark.parametrize("groups", GROUPS, ids=str)


def parts(x: np.ndarray, groups: tuple[int, ...]) -> list[np.ndarray]:
    """The columns of each group, C-contiguous."""
    ends = np.cumsum([0, *groups])
    return [np.ascontiguousarray(x[:, first:end]) for first, end in pairwise(ends)]


def outputs_and_targets(groups, m, rng, dtype):
    """z and target probabilities of m examples; half of the targets are certain."""
    z = (3 * rng.normal(size=(m, sum(groups)))).astype(dtype)
    y = np.hstack([rng.dirichlet(np.ones(n), m) for n in groups]).astype(dtype)
    y[: m // 2] = np.hstack([np.eye(n)[rng.integers(0, n, m // 2)] for n in groups])
    return z, y


def test_a_group_is_a_cross_entropy_of_its_own(build, rng):
    for groups, smoothing, m in product(GROUPS, (0.0, 0.1), (0, 1, 7)):
        z, y = outputs_and_targets(groups, m, rng, build.dtype)
        a, delta, cost = build.operations.loss(
            z, y, "cross_entropy", smoothing=smoothing, constants=groups
        )
        alone = [
            build.operations.loss(*part, "cross_entropy", smoothing=smoothing)
            for part in zip(parts(z, groups), parts(y, groups), strict=True)
        ]
        case = groups, smoothing, m
        assert a.tobytes() == np.hstack([one[0] for one in alone]).tobytes(), case
        assert delta.tobytes() == np.hstack([one[1] for one in alone]).tobytes(), case
        assert cost.tobytes() == sum(one[2] for one in alone).tobytes(), case


def test_prediction_has_the_same_bits(build, rng):
    """The other kernel, without targets: one layer whose z is its input."""
    for groups in GROUPS:
        z, y = outputs_and_targets(groups, 9, rng, build.dtype)
        n = sum(groups)
        engine = build.engine.Engine(
            (n, n), [("softmax", 0.0)], "cross_entropy", 1.0, loss_constants=groups
        )
        engine.set_layers([(np.eye(n, dtype=build.dtype), np.zeros(n, build.dtype))])
        expected, _, costs = build.operations.loss(z, y, "cross_entropy", constants=groups)
        found = engine.forward(build.engine.Data(engine, z), 1)
        assert found.tobytes() == expected.tobytes(), groups
        cost, weight = engine.evaluate(build.engine.Data(engine, z, y), 1)[:2]
        assert (cost, weight) == (pytest.approx(costs.sum(), rel=1e-14), 9), groups


def test_what_runs_away_stays_in_its_example_and_group(build, rng):
    for groups in GROUPS:
        z, y = outputs_and_targets(groups, 3, rng, build.dtype)
        calm = build.operations.loss(z, y, "cross_entropy", constants=groups)
        z[1, -1] = np.nan
        a, delta, cost = build.operations.loss(z, y, "cross_entropy", constants=groups)
        assert np.isnan(cost).tolist() == [False, True, False], groups
        others = slice(0, sum(groups[:-1]))
        for values, before in ((a, calm[0]), (delta, calm[1])):
            assert values[:, others].tobytes() == before[:, others].tobytes(), groups
            assert np.isnan(values[1, others.stop :]).all(), groups


def test_certain_and_hopeless_outputs_are_finite(build):
    z = np.array([[1000, -1000, 1e30, -1e30, 0]], build.dtype)
    y = np.array([[0, 1, 0, 0, 1]], build.dtype)
    a, delta, cost = build.operations.loss(z, y, "cross_entropy", constants=(2, 3))
    assert a.tolist() == [[1, 0, 1, 0, 0]]
    assert delta.tolist() == [[1, -1, 1, 0, -1]]
    assert cost == pytest.approx([2000 + float(z[0, 2])])


def test_delta_is_the_derivative_of_the_cost(build, rng):
    if build.dtype != "float64":
        pytest.skip("central differences need the digits of float64")
    z, y = outputs_and_targets((3, 2, 4), 5, rng, "float64")
    options = {"smoothing": 0.2, "constants": (3, 2, 4)}
    _, delta, _ = build.operations.loss(z, y, "cross_entropy", **options)
    for j, step in enumerate(1e-6 * np.eye(9)):
        above, below = (
            build.operations.loss(z + shift, y, "cross_entropy", **options)[2]
            for shift in (step, -step)
        )
        assert delta[:, j] == pytest.approx((above - below) / 2e-6, rel=1e-7, abs=1e-8)


@every_grouping
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_with_fused_products_gives_the_same_bits(fused_builds, rng, dtype, groups):
    z, y = outputs_and_targets(groups, 9, rng, dtype)
    first, *others = [
        b.operations.loss(z, y, "cross_entropy", smoothing=0.1, constants=groups)
        for b in fused_builds(dtype)
    ]
    for other in others:
        assert all(x.tobytes() == t.tobytes() for x, t in zip(other, first, strict=True))
