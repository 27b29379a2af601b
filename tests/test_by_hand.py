"""The numbers of docs/by_hand.md are those of its script, of steps, of the reference and of MLP."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fastmlp
from fastmlp import steps

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "by_hand.md").read_text("utf-8")
X, Y = np.array([[1.0, 0.5], [-1.0, 2.0]]), np.array([[1.0], [0.0]])
WEIGHTS = [np.array([[0.4, -0.6], [0.9, 0.2]]), np.array([[0.7, -0.5]])]
BIASES = [np.array([0.1, -0.3]), np.array([0.2])]
LAM, ALPHA = 0.1, 0.5


@pytest.fixture(scope="module")
def by_hand() -> ModuleType:
    spec = spec_from_file_location("by_hand", DOCS / "by_hand.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_its_script_computes(by_hand: ModuleType) -> None:
    assert by_hand.page() == PAGE


def test_the_picture_is_what_its_script_draws(by_hand: ModuleType) -> None:
    assert by_hand.svg() == (DOCS / "by_hand.svg").read_text("utf-8")


def test_the_program_of_the_page_prints_what_stands_under_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    printed = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert code and printed
    exec(code[1], {})
    assert capsys.readouterr().out == printed[1]


def by_steps() -> dict[str, float]:
    """The numbers of the page by the names of the script, from `fastmlp.steps`."""
    z, a = steps.forward(X, WEIGHTS, BIASES, "sigmoid")
    delta = steps.hidden_deltas(
        steps.output_delta(Y, a[-1], z[-1], "sigmoid"), WEIGHTS, z, "sigmoid"
    )
    layers = list(zip(delta, a[:-1], WEIGHTS, strict=True))
    each = [steps.example_gradients(d, one) for d, one, _ in layers]
    mean = [steps.batch_gradients(*layer, l2=LAM) for layer in layers]
    data_mean = [steps.batch_gradients(*layer) for layer in layers]
    new = steps.update(zip(WEIGHTS, BIASES, strict=True), mean, ALPHA)
    found: dict[str, float] = {}
    for k in (0, 1):
        for l in (1, 2, 3):
            found |= named(f"a{l}", f"_{k + 1}", a[l - 1][k])
        for l in (2, 3):
            found |= named(f"z{l}", f"_{k + 1}", z[l - 2][k])
            found |= named(f"d{l}", f"_{k + 1}", delta[l - 2][k])
            found |= named(f"f{l}", f"_{k + 1}", a[l - 1][k] * (1 - a[l - 1][k]))
        for l in (1, 2):
            found |= named(f"gW{l}", f"_{k + 1}", each[l - 1][0][k])
            found |= named(f"gb{l}", f"_{k + 1}", each[l - 1][1][k])
        found[f"J_{k + 1}"] = steps.cost(Y[k : k + 1], a[-1][k : k + 1], z[-1][k : k + 1])
    for l in (1, 2):
        for end, (W, b) in (("_m", mean[l - 1]), ("_new", new[l - 1]),
                            ("", (WEIGHTS[l - 1], BIASES[l - 1]))):
            found |= named(f"W{l}", end, W) | named(f"b{l}", end, b)
        found |= named(f"meanW{l}", "", data_mean[l - 1][0])
    squares = sum(float((W**2).sum()) for W in WEIGHTS)
    norm = sum(float((g**2).sum()) for pair in mean for g in pair)
    J = steps.cost(Y, a[-1], z[-1], WEIGHTS, l2=LAM)
    J_new = J_of(*zip(*new, strict=True))
    shift = np.array([[0, 0], [1e-3, 0]])
    above, below = (J_of([WEIGHTS[0] + s, WEIGHTS[1]], BIASES) for s in (shift, -shift))
    return found | {
        "squares": squares, "penalty": LAM / 2 * squares, "error_m": steps.cost(Y, a[-1], z[-1]),
        "J": J, "J_new": J_new, "change": J_new - J, "norm": norm, "predicted": -ALPHA * norm,
        "above": above, "below": below, "difference": (above - below) / 2e-3,
    }


def named(start: str, end: str, values: np.ndarray) -> dict[str, float]:
    """The elements of an array by name: start, then indices from 1, then end."""
    return {
        start + "".join(str(i + 1) for i in index) + end: float(value)
        for index, value in np.ndenumerate(values)
    }


def J_of(weights: object, biases: object) -> float:
    net = fastmlp.MLP((2, 2, 1), activation="sigmoid", output_activation="sigmoid",
                      loss="squared_error", dtype="float64")
    net.set_parameters(list(weights), list(biases))
    return net.cost(X, Y, l2=LAM)


def test_every_number_of_the_page_is_that_of_steps(by_hand: ModuleType) -> None:
    found, expected = by_hand.numbers(), by_steps()
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value == pytest.approx(expected[name], rel=1e-9), name


def test_the_products_of_lambda_and_weights_are_those_of_the_table(by_hand: ModuleType) -> None:
    row = r"^\| \$W_\{(\d\d)\}\^\{\((\d)\)\}\$ \|(?:[^|]*\|){2} ([−\d.]+) \|"
    rows = re.findall(row, PAGE, re.MULTILINE)
    assert len(rows) == 6
    for index, l, product in rows:
        i, j = (int(digit) - 1 for digit in index)
        assert float(product.replace("−", "-")) == pytest.approx(LAM * WEIGHTS[int(l) - 1][i, j])


def test_examples_and_penalty_have_the_signs_that_the_page_names(by_hand: ModuleType) -> None:
    found = by_hand.numbers()
    weights = ("W111", "W112", "W121", "W122", "W211", "W212")
    assert sum(found[f"g{name}_1"] * found[f"g{name}_2"] < 0 for name in weights) == 4
    decided = {name for name in weights if found[f"mean{name}"] * found[f"{name}_m"] < 0}
    assert decided == {"W111", "W112", "W122", "W211"}
