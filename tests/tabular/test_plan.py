"""The plan of a model of a table: how many networks, and how each is trained."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from fastmlp.tabular.plan import Plan, plan_of  # noqa: E402


@pytest.mark.parametrize(
    ("n_rows", "batch_size"),
    [(1, 32), (959, 32), (960, 64), (1919, 64), (1920, 128), (3839, 128), (3840, 256),
     (10**6, 256)],
)  # fmt: skip
def test_an_epoch_has_at_least_15_batches_of_a_power_of_two_from_32_to_256(n_rows, batch_size):
    assert {one.batch_size for one in plan_of("good", n_rows).networks} == {batch_size}


@pytest.mark.parametrize(
    ("quality", "n_rows", "epochs"),
    [("fast", 2, 28), ("good", 10_000, 96), ("best", 40_000, 48), ("good", 90_000, 32),
     ("fast", 40_000, 14), ("good", 10**8, 8)],
)  # fmt: skip
def test_epochs_fall_with_the_root_of_the_rows_beyond_10_000_and_are_8_at_least(
    quality, n_rows, epochs
):
    assert {one.epochs for one in plan_of(quality, n_rows).networks} == {epochs}


@pytest.mark.parametrize(("quality", "n_networks"), [("fast", 2), ("good", 4), ("best", 24)])
def test_the_networks_of_a_quality_take_turns_with_encodings(quality, n_networks):
    networks = plan_of(quality, 100).networks
    assert [one.encoding for one in networks] == (
        ["piecewise_linear", "periodic"] * (n_networks // 2)
    )
    assert len({(one.hidden, one.dropout, one.learning_rate) for one in networks}) == 1


def test_the_number_of_networks_and_their_fields_can_be_chosen():
    plan = plan_of("best", 100, n_members=3, overrides={"hidden": (7,), "encoding": "quantile"})
    assert [(one.hidden, one.encoding) for one in plan.networks] == [((7,), "quantile")] * 3
    assert plan.networks[0].activation == "silu"


def test_json_keeps_a_plan():
    plan = plan_of("good", 100, n_members=2)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
