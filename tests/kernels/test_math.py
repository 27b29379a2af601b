"""exp, expm1, log1p, tanh, sigmoid, softplus and Φ: their errors in units in the last place.

The oracle is Python's `decimal`, which is exact to as many digits as it is asked for.  The
bounds are those that kernels/math.pxd states.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import cache

import numpy as np
import pytest

DIGITS = 50
PI = Decimal("3.14159265358979323846264338327950288419716939937511")

# from here down exp gives 0: the power of two in it would be denormal
EXP_ZERO = {"float32": -125.5 * np.log(2), "float64": -1021.5 * np.log(2)}
EXP_MOST = {"float32": 88.72, "float64": 709.78}


def expm1(x: Decimal) -> Decimal:
    """eˣ − 1; near 0, where the difference loses every digit, the first terms of its series."""
    if abs(x) > Decimal("1e-8"):
        return x.exp() - 1
    return x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5))))


def log1p(u: Decimal) -> Decimal:
    """log(1 + u), near 0 likewise."""
    if abs(u) > Decimal("1e-8"):
        return (1 + u).ln()
    return u * (1 - u * (Decimal(1) / 2 - u * (Decimal(1) / 3 - u * (Decimal(1) / 4 - u / 5))))


def tanh(x: Decimal) -> Decimal:
    e = expm1(-2 * abs(x))
    return (-e / (2 + e)).copy_sign(x)


def softplus(x: Decimal) -> Decimal:
    return max(x, Decimal(0)) + log1p((-abs(x)).exp())


def normal_cdf(x: Decimal) -> Decimal:
    """Φ by its power series up to 6, beyond by the continued fraction of Mills' ratio."""
    z = abs(x)
    density = (-z * z / 2).exp() / (2 * PI).sqrt()
    if z < 6:
        term = total = z
        k = 1
        while term > total.scaleb(-DIGITS):
            term *= z * z / (2 * k + 1)
            total += term
            k += 1
        tail = Decimal("0.5") - density * total
    else:
        ratio = z
        for k in range(80, 0, -1):
            ratio = z + k / ratio
        tail = density / ratio
    return 1 - tail if x > 0 else tail


EXACT: dict[str, Callable[[Decimal], Decimal]] = {
    "exp": Decimal.exp,
    "expm1_negative": expm1,
    "log1p_unit": log1p,
    "tanh": tanh,
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "softplus": softplus,
    "normal_cdf": normal_cdf,
}
# the largest error in ulp; Φ's grows as z², since e^(−z²/2) inherits the rounding of z²
BOUNDS: dict[str, Callable[[np.ndarray], np.ndarray | float]] = {
    "exp": lambda x: 2,
    "expm1_negative": lambda x: 3,
    "log1p_unit": lambda x: 3,
    "tanh": lambda x: 4,
    "sigmoid": lambda x: 4,
    "softplus": lambda x: 4,
    "normal_cdf": lambda x: 5 + x * x / 2,
}


@cache
def points(name: str, dtype: str) -> np.ndarray:
    """Where a function is compared: evenly over its range, densely about 0, and tiny numbers."""
    low, high = EXP_ZERO[dtype], EXP_MOST[dtype]
    tiny = np.geomspace(np.finfo(dtype).tiny, 1, 400)
    ends = {
        "exp": (low * 0.999999, high),
        "expm1_negative": (low, 0),
        "log1p_unit": (0, 1),
        "tanh": (-25, 25),
        "sigmoid": (-high * 0.98, 40),
        "softplus": (low * 0.999999, high),
        "normal_cdf": (-12 if dtype == "float32" else -37, 10),
    }[name]
    x = np.concatenate([np.linspace(*ends, 3001), np.linspace(-1, 1, 2001), tiny, -tiny])
    return np.unique(x[(x >= ends[0]) & (x <= ends[1])].astype(dtype))


@cache
def exact(name: str, dtype: str) -> tuple[np.ndarray, list[Decimal]]:
    """The points and the function's true values there."""
    x = points(name, dtype)
    with localcontext(prec=DIGITS):
        return x, [EXACT[name](Decimal(float(v))) for v in x]


def error_in_ulp(values: np.ndarray, truth: list[Decimal]) -> np.ndarray:
    """|value − truth| in units in the last place of the truth."""
    nearest = np.array([float(t) for t in truth]).astype(values.dtype)
    ulp = np.spacing(np.maximum(np.abs(nearest), np.finfo(values.dtype).tiny))
    with localcontext(prec=DIGITS):
        error = [abs(Decimal(float(v)) - t) for v, t in zip(values, truth, strict=True)]
        scaled = [e / Decimal(float(u)) for e, u in zip(error, ulp, strict=True)]
    return np.array([float(e) for e in scaled])


@pytest.mark.parametrize("name", EXACT)
def test_errors_stay_within_the_stated_ulp(build, name):
    x, truth = exact(name, build.dtype)
    error = error_in_ulp(build.operations.evaluate(name, x), truth)
    excess = error - BOUNDS[name](x.astype(float))
    worst = excess.argmax()
    assert excess[worst] <= 0, f"{error[worst]:.2f} ulp at {x[worst]!r}"


@pytest.mark.parametrize("name", EXACT)
def test_a_value_does_not_depend_on_its_place_in_the_vector(build, name):
    x = points(name, build.dtype)[::50].copy()
    values = build.operations.evaluate(name, x)
    differing = [
        n
        for n in range(1, 35)
        if build.operations.evaluate(name, x[-n:]).tobytes() != values[-n:].tobytes()
    ]
    assert differing == []


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_with_fused_products_gives_the_same_bits(fused_builds, name, dtype):
    first, *others = fused_builds(dtype)
    values = first.operations.evaluate(name, points(name, dtype))
    for other in others:
        assert other.operations.evaluate(name, points(name, dtype)).tobytes() == values.tobytes()


INF = np.inf
LIMITS = [
    ("exp", -INF, 0), ("exp", INF, INF), ("exp", -1e4, 0), ("exp", 1e4, INF), ("exp", 0, 1),
    ("expm1_negative", -INF, -1), ("expm1_negative", -1e4, -1), ("expm1_negative", 0, 0),
    ("log1p_unit", 0, 0),
    ("tanh", -INF, -1), ("tanh", INF, 1), ("tanh", -1e4, -1), ("tanh", 1e4, 1), ("tanh", 0, 0),
    ("sigmoid", -INF, 0), ("sigmoid", INF, 1), ("sigmoid", 1e4, 1), ("sigmoid", 0, 0.5),
    ("softplus", -INF, 0), ("softplus", INF, INF), ("softplus", 1e4, 1e4),
    ("normal_cdf", -INF, 0), ("normal_cdf", INF, 1), ("normal_cdf", 1e4, 1),
]  # fmt: skip


def test_limits_are_exact(build):
    for name, x, limit in LIMITS:
        value = build.operations.evaluate(name, np.array([x], build.dtype))
        assert value.tolist() == [limit], (name, x)


@pytest.mark.parametrize("name", EXACT)
def test_nan_stays_nan_and_alone(build, name):
    x = points(name, build.dtype)[:32].copy()
    clean = build.operations.evaluate(name, x)
    x[5] = np.nan
    values = build.operations.evaluate(name, x)
    assert np.flatnonzero(np.isnan(values)).tolist() == [5]
    assert np.delete(values, 5).tobytes() == np.delete(clean, 5).tobytes()


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("exp", 0, INF), ("expm1_negative", -1, 0), ("log1p_unit", 0, 1), ("tanh", -1, 1),
        ("sigmoid", 0, 1), ("softplus", 0, INF), ("normal_cdf", 0, 1),
    ],
)  # fmt: skip
def test_no_rounding_leaves_the_range(build, name, least, most):
    values = build.operations.evaluate(name, points(name, build.dtype))
    assert least <= values.min() and values.max() <= most


def test_exp_is_zero_where_its_power_of_two_would_be_denormal(build):
    x = np.array([EXP_ZERO[build.dtype] * 1.00001, -1e30], build.dtype)
    assert build.operations.evaluate("exp", x).tolist() == [0, 0]


def test_tanh_is_odd_to_the_bit(build):
    x = points("tanh", build.dtype)
    x = x[x != 0]
    assert np.array_equal(
        build.operations.evaluate("tanh", -x), -build.operations.evaluate("tanh", x)
    )
