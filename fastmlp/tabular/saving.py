"""The file of an estimator of tables: what it holds beside the networks, and how it is restored."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import DTypeLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ..model import files, rounding
from ..network import MLP
from ..support import checks
from ..version import __version__
from .by_value import ByValue
from .columns import ENCODINGS, TableEncoder
from .parameters import kept
from .plan import Plan

__all__ = ["SavingMixin", "versions"]


def versions() -> dict[str, str]:
    """Return the versions of the packages that a model depends on."""
    return {
        "fastmlp": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "scikit-learn": sklearn.__version__,
    }


class SavingMixin:
    """Saving of a fitted estimator of tables; fastmlp/tabular/loading.py reads what it writes."""

    by_value_: ByValue | None
    dropped_columns_: dict[str, str]
    encoder_: TableEncoder
    encodings_: list[str]
    best_epochs_: list[int]
    n_epochs_: list[int]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    metadata_: dict[str, Any]
    networks_: list[MLP]
    _signs: dict[str, str] | None  # of the columns of the training set
    plan_: Plan
    validation_scores_: dict[str, float]
    get_params: Callable[[], dict[str, Any]]
    _adopt: Callable[[ByValue, dict[str, float]], None]

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: DTypeLike | None = None,
        compress: bool = False,
    ) -> None:
        """Write the model to one file without pickle, which `fastmlp.tabular.load` reads.

        Parameters
        ----------
        path : path-like
            The file, which appears whole or not at all; no ending is added to its name.
        dtype : {"float16", "float32"}, optional
            Round the weights in the file, as in `MLP.save`.
        compress : bool, default False
            Compress the file, without loss.

        Raises
        ------
        ValueError
            If a weight is beyond the range of dtype; if a parameter is an object that a file
            without pickle cannot keep: a function as `metric`, or a generator as `random_state`.
        """
        check_is_fitted(self)
        members = [(net.state, net.metadata) for net in self.networks_]
        stored = rounding.checked_dtype(dtype, with_optimizer=False)
        compress = checks.flag("compress", compress)
        packed = files.pack_ensemble(members, self._file_metadata(), False, stored)
        files.write_npz(path, packed, compress)

    def _file_metadata(self) -> dict[str, Any]:
        """Return everything beside the networks that a file has, in JSON's types."""
        return {**self.metadata_, "table": {**self._to_json(), "versions": versions()}}

    def _to_json(self) -> dict[str, Any]:
        """Return everything beside the networks and versions in JSON's types."""
        return {
            "estimator": type(self).__name__,
            "parameters": {name: kept(name, value) for name, value in self.get_params().items()},
            "validation_scores": self.validation_scores_,
            "n_features": self.n_features_in_,
            "columns": getattr(self, "feature_names_in_", np.zeros(0)).tolist(),
            "signs": self._signs,
            **(self._own_json() if self.by_value_ is None else self.by_value_.to_json()),
        }

    def _own_json(self) -> dict[str, Any]:
        """Return what describes the networks of a model without `per`."""
        return {
            "plan": self.plan_.to_json(),
            "encoder": self.encoder_.to_json(),
            "encodings": self.encodings_,
            "best_epochs": self.best_epochs_,
            "n_epochs": self.n_epochs_,
        }

    def _restore(self, entry: dict[str, Any], networks: list[MLP]) -> None:
        """Become the model that `_to_json` described."""
        scores = {name: float(value) for name, value in entry["validation_scores"].items()}
        if "by_value" in entry:
            self._adopt(ByValue.from_json(entry, networks, type(self)), scores)
        else:
            self._restore_own(entry, networks)
            self.validation_scores_ = scores
        self.n_features_in_ = int(entry["n_features"])
        signs = entry.get("signs")  # which older files do not have
        self._signs = signs if signs is None else {str(k): str(v) for k, v in signs.items()}
        if entry["columns"]:
            self.feature_names_in_ = np.array(entry["columns"], dtype=object)

    def _restore_own(self, entry: dict[str, Any], networks: list[MLP]) -> None:
        """Restore what `_own_json` described."""
        self.networks_ = networks
        self.metadata_ = {}
        self.plan_ = Plan.from_json(entry["plan"])
        self.encoder_ = TableEncoder.from_json(entry["encoder"])
        self.dropped_columns_ = dict(self.encoder_.dropped)
        self.encodings_ = [
            checks.known("encoding", one, ENCODINGS) for one in entry["encodings"]
        ]
        for net, encoding in zip(networks, self.encodings_, strict=True):
            if net.encodings != tuple(self.encoder_.encodings(encoding)):
                raise ValueError("a network has not the encodings of the table's columns")
        self.best_epochs_ = [int(one) for one in entry["best_epochs"]]
        self.n_epochs_ = [int(one) for one in entry["n_epochs"]]
