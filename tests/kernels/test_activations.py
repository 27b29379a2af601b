"""f beside f' of every activation, against their formulas evaluated number by number."""

import math
from collections.abc import Callable

import numpy as np
import pytest

SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
Function = Callable[[float, float], float]


def sigma(z: float) -> float:
    """1 / (1 + e⁻ᶻ) with an exponential that cannot overflow."""
    e = math.exp(-abs(z))
    return (1 if z > 0 else e) / (1 + e)


def ratio(z: float) -> float:
    """tanh(log(1 + eᶻ))."""
    return math.tanh(max(z, 0) + math.log1p(math.exp(-abs(z))))


def cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


# f(z, p) and f'(z, p), p being the parameter of those that have one
TABLE: dict[str, tuple[Function, Function]] = {
    "identity": (lambda z, p: z, lambda z, p: 1),
    "sigmoid": (lambda z, p: sigma(z), lambda z, p: sigma(z) * sigma(-z)),
    "relu": (lambda z, p: max(z, 0), lambda z, p: float(z > 0)),
    "leaky_relu": (lambda z, p: z if z > 0 else p * z, lambda z, p: 1 if z > 0 else p),
    "tanh": (lambda z, p: math.tanh(z), lambda z, p: 4 * sigma(2 * z) * sigma(-2 * z)),
    "softplus": (
        lambda z, p: max(z, 0) + math.log1p(math.exp(-abs(z))),
        lambda z, p: sigma(z),
    ),
    "elu": (
        lambda z, p: z if z > 0 else p * math.expm1(z),
        lambda z, p: 1 if z > 0 else p * math.exp(z),
    ),
    "selu": (
        lambda z, p: SCALE * (z if z > 0 else ALPHA * math.expm1(z)),
        lambda z, p: SCALE * (1 if z > 0 else ALPHA * math.exp(z)),
    ),
    "silu": (lambda z, p: z * sigma(z), lambda z, p: sigma(z) * (1 + z * sigma(-z))),
    "gelu": (lambda z, p: z * cdf(z), lambda z, p: cdf(z) + z * density(z)),
    "mish": (
        lambda z, p: z * ratio(z),
        lambda z, p: ratio(z) + z * (1 - ratio(z)) * (1 + ratio(z)) * sigma(z),
    ),
    "exponential": (lambda z, p: math.exp(z), lambda z, p: math.exp(z)),
}
PARAMETERS = {"leaky_relu": (0.01, 0.25), "elu": (1.0, 0.5)}
CASES = [(name, p) for name in TABLE for p in PARAMETERS.get(name, (0.0,))]
IDS = [f"{name}({p})" if name in PARAMETERS else name for name, p in CASES]
every_activation = pytest.mark.parametrize(("name", "p"), CASES, ids=IDS)


@pytest.fixture
def z(build):
    """Densely from −8 to 8, both zeros, tiny numbers, and further out."""
    ends = [-30.0, -15.0, -0.0, 0.0, 1e-20, -1e-20, 15.0, 30.0]
    return np.concatenate([np.linspace(-8, 8, 997), ends]).astype(build.dtype)


@every_activation
def test_value_and_slope_follow_the_formulas(build, z, name, p):
    """f to 8 ε of itself, GELU's to z² ε more (Φ's tail, see math.pxd); f' to 16 ε."""
    z = z[np.abs(z) <= 8] if name == "gelu" else z
    p = float(np.dtype(build.dtype).type(p))
    a, slope = build.operations.activate(z, name, p)
    exact, exact_slope = (np.array([f(float(x), p) for x in z]) for f in TABLE[name])
    tolerance = (8 + (z * z if name == "gelu" else 0)) * build.eps
    assert a.dtype == slope.dtype == build.dtype
    assert (np.abs(a - exact) <= tolerance * np.abs(exact)).all()
    assert (np.abs(slope - exact_slope) <= 16 * build.eps * np.maximum(1, exact_slope)).all()


@every_activation
def test_the_formulas_above_are_derivatives_of_one_another(name, p):
    f, derivative = TABLE[name]
    h = 1e-5
    for x in np.linspace(-5, 5, 100):  # 0 is not among them
        slope = (f(x + h, p) - f(x - h, p)) / (2 * h)
        assert derivative(x, p) == pytest.approx(slope, rel=1e-10, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "p", "slope"),
    [
        ("relu", 0.0, 0), ("leaky_relu", 0.25, 0.25), ("elu", 0.5, 0.5), ("elu", 1.0, 1),
        ("selu", 0.0, SCALE * ALPHA), ("sigmoid", 0.0, 0.25), ("tanh", 0.0, 1),
    ],
)  # fmt: skip
def test_the_slope_at_zero_is_the_one_from_below(build, name, p, slope):
    for zero in (0.0, -0.0):
        got = build.operations.activate(np.array([zero], build.dtype), name, p)[1]
        assert got == pytest.approx([slope], rel=4 * build.eps)


@pytest.mark.parametrize(
    ("name", "below", "above"),
    [
        ("identity", -1e4, 1e4), ("sigmoid", 0, 1), ("relu", 0, 1e4), ("leaky_relu", -1e3, 1e4),
        ("tanh", -1, 1), ("softplus", 0, 1e4), ("elu", -0.1, 1e4),
        ("selu", -SCALE * ALPHA, SCALE * 1e4), ("silu", 0, 1e4), ("gelu", 0, 1e4),
        ("mish", 0, 1e4),
    ],
)  # fmt: skip
def test_far_out_nothing_overflows(build, name, below, above):
    a, slope = build.operations.activate(np.array([-1e4, 1e4], build.dtype), name, 0.1)
    assert a == pytest.approx([below, above], rel=4 * build.eps)
    f = TABLE[name][1]
    assert slope == pytest.approx([f(-1e4, 0.1), f(1e4, 0.1)], rel=4 * build.eps, abs=build.eps)


def test_nan_passes_through(build):
    for name, p in CASES:
        z = np.array([1, np.nan, -1], build.dtype)
        a, _ = build.operations.activate(z, name, p)
        assert np.isnan(a).tolist() == [False, True, False], (name, p)


def test_a_value_does_not_depend_on_its_place(build, z):
    for name, p in CASES:
        a, slope = build.operations.activate(z, name, p)
        for n in range(35):
            got = build.operations.activate(z[:n], name, p)
            assert got[0].tobytes() == a[:n].tobytes(), (name, p, n)
            assert got[1].tobytes() == slope[:n].tobytes(), (name, p, n)


@pytest.mark.parametrize("shape", [(0,), (0, 5), (1, 1), (3, 7), (1, 64), (5, 1, 3)])
def test_shapes_are_kept(build, sparse, shape):
    a, slope = build.operations.activate(sparse(*shape), "tanh")
    assert a.shape == slope.shape == shape


def test_the_argument_is_left_as_it_is(build, z):
    before = z.copy()
    z.flags.writeable = False
    build.operations.activate(z, "sigmoid")
    assert z.tobytes() == before.tobytes()


@every_activation
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_with_fused_products_gives_the_same_bits(fused_builds, rng, dtype, name, p):
    z = (rng.standard_normal(1001) * 3).astype(dtype)
    first, *others = [b.operations.activate(z, name, p) for b in fused_builds(dtype)]
    for a, slope in others:
        assert a.tobytes() == first[0].tobytes() and slope.tobytes() == first[1].tobytes()
