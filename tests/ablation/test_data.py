"""How the values of a metric are shown."""

from __future__ import annotations

import pytest

from fastmlp.ablation.data import Metric


@pytest.mark.parametrize(("typical", "shown"), [
    (23412.7, "23413"), (341.27, "341.3"), (1.0, "1.000"), (0.3412, "0.3412"),
    (0.000341249, "0.0003412"), (-0.52, "-0.5200"),
])
def test_a_value_without_a_unit_has_four_significant_digits(typical: float, shown: str) -> None:
    decimals = Metric("rmse", "RMSE", greater_is_better=False).decimals(typical)
    assert f"{typical:.{decimals}f}" == shown


@pytest.mark.parametrize("typical", [None, 0.0])
def test_without_a_typical_value_there_are_three_decimals(typical: float | None) -> None:
    assert Metric("r2", "R²", greater_is_better=True).decimals(typical) == 3


def test_a_percentage_has_two_decimals() -> None:
    metric = Metric("accuracy", "accuracy", greater_is_better=True, unit="%")
    assert (metric.scale, metric.decimals(0.0012), metric.decimals(None)) == (100.0, 2, 2)
