"""The encodings of all columns of a network: checked, side by side, and their parameters.

Parameters are arrays in the engine's order: those of each column, then the factors s of the inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..encodings import TABLE, Encoding, Numeric
from ..support import checks

__all__ = [
    "by_column",
    "check_rows",
    "checked_parameters",
    "first_outputs",
    "n_levels_of",
    "of_columns",
    "sample",
    "shapes_of",
]


def of_columns(
    encodings: Encoding | Sequence[Encoding] | None,
    n_columns: int,
    dtype: np.dtype[Any],
    input_scaling: bool = False,
) -> tuple[Encoding, ...]:
    """Return the encoding of each column, checked; none if the columns are the inputs as they are.

    Parameters
    ----------
    encodings : sequence of Encoding, Encoding or None
        An encoding for each column, or one for all.
    n_columns : int
        The number of columns of X.
    dtype : dtype
        That of the network.
    input_scaling : bool, default False
        Whether the encoded inputs are scaled: columns without encodings then get `Numeric`.

    Returns
    -------
    tuple of Encoding
        One for each column.
    """
    if encodings is None:
        return (Numeric(),) * n_columns if input_scaling else ()
    found = checks.each("encodings", encodings, n_columns, _encoding, "columns")
    for j, one in enumerate(found):
        with checks.within(f"encodings[{j}]"):
            one.check(dtype)
    return found


def _encoding(name: str, value: object) -> Encoding:
    if not isinstance(value, Encoding) or value.name not in TABLE:
        raise TypeError(
            f"{name} must be an object of fastmlp.encodings such as OneHot(5) or Numeric(), got "
            f"{value!r}"
        )
    return value


def first_outputs(encodings: Sequence[Encoding]) -> list[int]:
    """Return the number of each column's first output in a(1), and the number of all outputs."""
    return list(accumulate((one.n_outputs for one in encodings), initial=0))


def shapes_of(
    encodings: Sequence[Encoding], input_scaling: bool
) -> dict[str, tuple[int, ...]]:
    """Return a name and the shape of every array of parameters, in the engine's order.

    The names are those in files: of each column, from 1, and of the factors s.
    """
    found = {
        f"column_{j}_{name}": shape
        for j, one in enumerate(encodings, start=1)
        for name, shape in one.shapes.items()
    }
    return found | ({"input_scale": (first_outputs(encodings)[-1],)} if input_scaling else {})


def sample(
    encodings: Sequence[Encoding], input_scaling: bool, seed: int
) -> tuple[NDArray[Any], ...]:
    """Return the initial parameters, as `shapes_of` names them.

    Column j has random numbers of its own, of SeedSequence(seed, spawn_key=(0, j)), so that they
    depend on no other column and on no layer.
    """
    found: list[NDArray[Any]] = []
    for j, one in enumerate(encodings):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, j)))
        found += one.sample(rng).values()
    return (*found, np.ones(first_outputs(encodings)[-1])) if input_scaling else tuple(found)


def by_column(
    encodings: Sequence[Encoding], arrays: Sequence[NDArray[Any]]
) -> list[dict[str, NDArray[Any]]]:
    """Return the parameters of each column by their names, from arrays in the engine's order."""
    remaining = iter(arrays)
    return [{name: next(remaining) for name in one.shapes} for one in encodings]


def checked_parameters(
    encodings: Sequence[Encoding],
    parameters: Sequence[Mapping[str, ArrayLike]],
    dtype: np.dtype[Any],
) -> list[NDArray[Any]]:
    """Return arrays in the engine's order, from the parameters of each column by their names."""
    parameters = checks.items("encoding_parameters", parameters)
    if len(parameters) != len(encodings):
        raise ValueError(
            f"encoding_parameters has {len(parameters)} entries for {len(encodings)} columns"
        )
    found: list[NDArray[Any]] = []
    for j, (one, given) in enumerate(zip(encodings, parameters, strict=True)):
        if not isinstance(given, Mapping):
            raise TypeError(f"encoding_parameters[{j}] must be a dict, got {given!r}")
        if given.keys() != one.shapes.keys():
            raise ValueError(
                f"encoding_parameters[{j}] must have the entries {list(one.shapes)} of "
                f"{one.name}, got {list(given)}"
            )
        for name, shape in one.shapes.items():
            label = f"encoding_parameters[{j}][{name!r}]"
            array = checks.array(label, given[name])
            if array.shape != shape:
                raise ValueError(f"{label} has shape {array.shape}; expected {shape}")
            found.append(checks.reals(label, array, dtype))
    return found


def check_rows(X: NDArray[Any], encodings: Sequence[Encoding], dtype: np.dtype[Any]) -> None:
    """Raise an error unless the columns of X are what these encodings take."""
    if X.dtype == np.uint8:
        raise TypeError(
            f"X is uint8, which stands for images; give a network with encodings "
            f"X.astype({dtype.name!r})"
        )
    checks.codes("X", X, n_levels_of(encodings))


def n_levels_of(encodings: Sequence[Encoding]) -> Mapping[int, int]:
    """Return the number of levels of each column that holds codes of categories."""
    return {j: one.size for j, one in enumerate(encodings) if one.categorical}
