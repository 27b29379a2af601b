"""Tables with columns of every kind."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def mixed():
    """Return 400 rows of numbers, text, booleans and dates with missing cells, and two targets."""
    rng = np.random.default_rng(0)
    m = 400
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 90, m).astype(float),
            "income": rng.lognormal(10, 1, m),
            "city": rng.choice(["Oslo", "Bergen", "Tromsø"], m),
            "member": rng.random(m) < 0.5,
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 1500, m), "D"),
        }
    )
    value = (
        table["age"] / 20
        + np.log(table["income"])
        + (table["city"] == "Oslo") * 2
        + table["member"]
        + (table["since"] - table["since"].min()).dt.days / 700
        + rng.normal(0, 0.2, m)
    )
    label = np.where(value > value.median(), "high", "low")
    table.loc[rng.random(m) < 0.1, "age"] = np.nan
    table.loc[rng.random(m) < 0.1, "city"] = None
    return table, value.to_numpy(), label
