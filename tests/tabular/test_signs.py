"""Signs of percent and currencies in one file and not in the next."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from fastmlp import tabular
from fastmlp.tabular import TabularRegressor
from fastmlp.tabular.reading import read_table

Write = Callable[..., pd.DataFrame]
OTHER = {  # of a share that has the sign of percent in training, and a price in dollars
    "no percent": ("{share}", "${price}", "'share' have no sign here and the sign '%' in the"),
    "percent": ("{share}%", "{price}%", "'price' have the sign '%' here and the sign '\\$' in the"),
    "euros": ("{share}%", "€{price}", "'price' have the sign '€' here and the sign '\\$' in the"),
}
ALIKE = {
    "the same": ("{share}%", "${price}"),
    "a space": ("{share} %", "$ {price}"),
    "no dollars": ("{share}%", "{price}"),
    "missing": ("", "${price}"),
}


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """A table of 60 rows, read from a file in which two columns are written in some way."""

    def written(share: str, price: str) -> pd.DataFrame:
        lines = ["share,price,shop"]
        for i in range(60):
            numbers = {"share": i / 2, "price": 3 + i % 7}
            lines.append(f"{share.format(**numbers)},{price.format(**numbers)},{'abc'[i % 3]}")
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return read_table(path)

    return written


@pytest.fixture(params=["fitted", "loaded", "per"])
def model(request: pytest.FixtureRequest, written: Write, tmp_path: Path) -> TabularRegressor:
    table = written("{share}%", "${price}")
    per = "shop" if request.param == "per" else None
    model = fitted(table.iloc[:55], np.arange(55.0), per=per)
    if request.param != "loaded":
        return model
    model.save(tmp_path / "model.npz")
    loaded = tabular.load(tmp_path / "model.npz")
    assert isinstance(loaded, TabularRegressor)
    return loaded


def fitted(table: pd.DataFrame, y: NDArray[Any], **options: Any) -> TabularRegressor:
    options = {"quality": "fast", "n_members": 1, "hidden_layer_sizes": (4,), **options}
    model = TabularRegressor(epochs=2, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no value of `per` has rows enough
        return model.fit(table, y)


@pytest.mark.parametrize(("share", "price", "message"), OTHER.values(), ids=OTHER)
def test_another_sign_than_in_training_is_reported(
    model: TabularRegressor, written: Write, share: str, price: str, message: str
) -> None:
    table = written(share, price)
    with pytest.warns(UserWarning, match=message) as caught:
        model.predict(table)
    assert len(caught) == 1


@pytest.mark.parametrize(("share", "price"), ALIKE.values(), ids=ALIKE)
def test_numbers_of_the_same_unit_are_not(
    model: TabularRegressor, written: Write, share: str, price: str
) -> None:
    model.predict(written(share, price))


def test_a_sign_that_training_did_not_have_is_reported(written: Write) -> None:
    model = fitted(written("{share}", "{price}"), np.arange(60.0))
    with pytest.warns(UserWarning, match="'share' have the sign '%' here and no sign in the"):
        model.predict(written("{share}%", "${price}"))


def test_tables_that_were_not_read_from_text_have_unknown_signs(
    model: TabularRegressor, written: Write
) -> None:
    table = written("{share}%", "${price}")
    frame = pd.DataFrame({name: table[name].to_numpy() for name in table})
    model.predict(frame)
    fitted(frame, np.arange(60.0)).predict(table)
