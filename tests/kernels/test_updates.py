"""Step 6 of every optimizer, against its formula in NumPy, one parameter array at a time."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

Arrays = list[np.ndarray]
Rule = Callable[..., tuple[np.ndarray, Arrays]]


def descend(w, g, slots, alpha, t, decays, momentum, nesterov):
    """v ← μ v + g;  W ← W − α v, or W − α (g + μ v)."""
    if momentum == 0:
        return w - alpha * g, []
    v = momentum * slots[0] + g
    return w - alpha * (g + momentum * v if nesterov else v), [v]


def adam(w, g, slots, alpha, t, decays, beta_1, beta_2, epsilon, weight_decay=0.0):
    """W ← (1 − αω) W − α m̂ / (√v̂ + ε)."""
    m = beta_1 * slots[0] + (1 - beta_1) * g
    v = beta_2 * slots[1] + (1 - beta_2) * g * g
    step = alpha * m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return (1 - alpha * weight_decay * decays) * w - step, [m, v]


def adam_hat(w, g, slots, alpha, t, decays, beta_1, beta_2, epsilon, *rest):
    """W ← (1 − αω) W − α √(1−β₂ᵗ)/(1−β₁ᵗ) m / (√v + ε), Kingma and Ba's second form."""
    m = beta_1 * slots[0] + (1 - beta_1) * g
    v = beta_2 * slots[1] + (1 - beta_2) * g * g
    step = alpha * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)
    weight_decay = rest[0] if len(rest) == 2 else 0.0
    return (1 - alpha * weight_decay * decays) * w - step, [m, v]


def rmsprop(w, g, slots, alpha, t, decays, rho, epsilon, momentum):
    """s ← ρ s + (1−ρ) g²;  v ← μ v + g/(√s + ε);  W ← W − α v."""
    s = rho * slots[0] + (1 - rho) * g * g
    v = momentum * slots[1] + g / (np.sqrt(s) + epsilon)
    return w - alpha * v, [s, v]


RULES: dict[str, tuple[str, Rule, tuple[float, ...], int]] = {  # name, rule, constants, slots
    "descent": ("gradient_descent", descend, (0.0, 0.0), 0),
    "momentum": ("gradient_descent", descend, (0.9, 0.0), 1),
    "nesterov": ("gradient_descent", descend, (0.9, 1.0), 1),
    "adam": ("adam", adam, (0.9, 0.999, 1e-8), 2),
    "adam, large epsilon": ("adam", adam, (0.5, 0.9, 0.1), 2),
    "adam, epsilon beside √v": ("adam", adam_hat, (0.5, 0.9, 0.1, 1.0), 2),
    "adamw": ("adamw", adam, (0.9, 0.999, 1e-8, 0.1), 2),
    "adamw, epsilon beside √v": ("adamw", adam_hat, (0.5, 0.9, 0.1, 0.1, 1.0), 2),
    "rmsprop": ("rmsprop", rmsprop, (0.99, 1e-8, 0.0), 2),
    "rmsprop, momentum": ("rmsprop", rmsprop, (0.9, 1e-4, 0.9), 2),
}
every_rule = pytest.mark.parametrize("case", RULES)


@pytest.fixture
def state(sparse):
    """Slots of an optimizer in the middle of training: a signed mean and a mean of squares."""

    def state(case: str, n: int) -> Arrays:
        slots = [sparse(n) for _ in range(RULES[case][3])]
        if RULES[case][0] == "rmsprop":
            slots[0] **= 2
        elif len(slots) == 2:
            slots[1] **= 2
        return slots

    return state


def test_the_formula(build, sparse, state):
    """g = Σ/m + λW for weights, Σ/m for biases; all within 16 ε of the largest number at hand."""
    for case, is_weight, step in product(RULES, (True, False), (1, 2, 1000)):
        name, rule, constants, _ = RULES[case]
        of = case, is_weight, step
        n, alpha, l2, mean = 67, 0.05, 0.3, 1 / 128
        w, total, slots = sparse(n), 128 * sparse(n), state(case, n)
        got, got_slots = build.operations.update_step_on(
            w, total, slots, name, constants, alpha, l2, mean, step, is_weight
        )
        w, slots = w.astype(float), [slot.astype(float) for slot in slots]
        g = total.astype(float) * mean + (l2 * w if is_weight else 0)
        expected, expected_slots = rule(w, g, slots, alpha, step, is_weight, *constants)
        assert got.dtype == build.dtype and len(got_slots) == len(expected_slots), of
        for x, y in zip([got, *got_slots], [expected, *expected_slots], strict=True):
            assert x == pytest.approx(y, rel=16 * build.eps, abs=16 * build.eps), of


def test_many_steps_from_an_empty_state(build, sparse):
    for case in RULES:
        name, rule, constants, n_slots = RULES[case]
        w, slots = sparse(33), [np.zeros(33, build.dtype)] * n_slots
        expected, expected_slots = w.astype(float), [np.zeros(33)] * n_slots
        for step in range(1, 31):
            g = sparse(33)
            w, slots = build.operations.update_step_on(
                w, g, slots, name, constants, 0.01, step=step
            )
            expected, expected_slots = rule(
                expected, g.astype(float), expected_slots, 0.01, step, True, *constants
            )
        assert w == pytest.approx(expected, rel=200 * build.eps, abs=200 * build.eps), case


def test_a_parameter_does_not_depend_on_its_place(build, sparse, state):
    for case in RULES:
        name, _, constants, _ = RULES[case]
        w, g, slots = sparse(70), sparse(70), state(case, 70)
        whole, _ = build.operations.update_step_on(w, g, slots, name, constants, 0.01, 0.1, 0.5, 3)
        for n in range(1, 35):
            part, _ = build.operations.update_step_on(
                w[-n:], g[-n:], [slot[-n:] for slot in slots], name, constants, 0.01, 0.1, 0.5, 3
            )
            assert part.tobytes() == whole[-n:].tobytes(), (case, n)


def test_without_a_gradient_only_memory_and_decay_act(build, sparse):
    for case in RULES:
        name, _, constants, n_slots = RULES[case]
        w, slots = sparse(40), [np.zeros(40, build.dtype)] * n_slots
        got, got_slots = build.operations.update_step_on(w, 0 * w, slots, name, constants, 0.5)
        decay = 0.5 * constants[3] if name == "adamw" else 0
        assert got == pytest.approx(w.astype(float) * (1 - decay), rel=2 * build.eps), case
        assert not np.any(got_slots), case


def test_a_learning_rate_of_zero_moves_nothing(build, sparse, state):
    for case in RULES:
        name, _, constants, _ = RULES[case]
        w = sparse(40)
        got, _ = build.operations.update_step_on(
            w, sparse(40), state(case, 40), name, constants, 0.0, 0.1
        )
        assert got.tobytes() == w.tobytes(), case


def test_the_first_step_of_adam_is_the_learning_rate(build, sparse):
    """m̂ = g and √v̂ = |g| at t = 1, so W moves by α sign(g): the correction of bias at work."""
    w, signs = np.zeros(40, build.dtype), np.sign(sparse(40))
    g = signs * (1 + abs(sparse(40)))  # far above ε
    got, _ = build.operations.update_step_on(w, g, [w, w], "adam", (0.9, 0.999, 1e-8), 0.25)
    assert got == pytest.approx(-0.25 * signs, rel=1e-6)


def test_a_matrix_keeps_its_shape_and_the_arguments_their_values(build, sparse):
    W, g, slots = sparse(5, 7), sparse(5, 7), [sparse(5, 7)]
    before = [x.copy() for x in (W, g, *slots)]
    got, got_slots = build.operations.update_step_on(
        W, g, slots, "gradient_descent", (0.9, 0.0), 0.1
    )
    assert got.shape == got_slots[0].shape == (5, 7)
    assert all(np.array_equal(x, y) for x, y in zip((W, g, *slots), before, strict=True))


@every_rule
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_with_fused_products_gives_the_same_bits(fused_builds, rng, dtype, case):
    name, _, constants, n_slots = RULES[case]
    w, g, *slots = (rng.random(101).astype(dtype) for _ in range(2 + n_slots))
    first, *others = [
        b.operations.update_step_on(w, g, slots, name, constants, 0.01, 0.1, 0.3, 7)
        for b in fused_builds(dtype)
    ]
    for new, new_slots in others:
        for x, y in zip([new, *new_slots], [first[0], *first[1]], strict=True):
            assert x.tobytes() == y.tobytes()
