"""What both estimators of tables share: fit, and the way from a table to the networks' outputs."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from .. import activations
from ..model import files, rounding
from ..network import MLP
from ..support import checks
from ..version import __version__
from .columns import ENCODINGS, TableEncoder
from .folds import row_values, validation_rows
from .frames import frame_of, target_column
from .insight import InsightMixin
from .members import Callbacks, Job, Member, Rows, train_members
from .metrics import Metric
from .parameters import kept
from .plan import QUALITIES, Plan, plan_of

__all__ = ["BaseTabular"]

Array = NDArray[Any]

FRACTIONS = {"dropout": "[0, 1)", "label_smoothing": "[0, 1)"}
POSITIVE = {"learning_rate": "(0, inf)", "weight_decay": "[0, inf)"}


class BaseTabular(InsightMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators of tables.

    A subclass has the constructor and the hooks

        _read_targets   y as the networks read it          _output_layer   n_outputs and loss
        _weighted       apply class weights                _metric_by_name a metric, or the default
        _true           targets as a metric takes them     _scores         metrics of outputs
        _outputs_of     from outputs of networks to what a metric takes
        _to_choose_by   the same of one network, whose epochs are compared
        _learn_errors   learn from the outputs for validation rows
        _predicted      from outputs to predictions        _output_names   of their columns
        _known_targets  targets of rows to be scored
    """

    _stratified = False

    # ------------------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        time: ArrayLike | None = None,
        callbacks: Callbacks | None = None,
    ) -> Self:
        """Fit the model to a table.

        Parameters
        ----------
        X : DataFrame of pandas or polars, or array-like, (m, n)
            The table: numbers, text, categories, booleans and dates, with missing values.
        y : array-like, (m,)
            Labels of classes, or numbers.
        sample_weight : array-like, (m,), optional
            Sample weights ≥ 0.
        groups : array-like, (m,), optional
            Rows with equal entries, such as those of one patient, are never divided between
            training and validation.
        time : array-like, (m,), optional
            Numbers or dates.  The networks are validated on the latest rows.  `groups` and `time`
            exclude each other.
        callbacks : callable, optional
            Called with each network in turn, before training; returns the callbacks of its fit, as
            in `Ensemble.fit`.  The metric of each epoch is in `History.metrics`.

        Returns
        -------
        object
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If X has no column that can help to predict, or cells that cannot be read; if y has
            missing values or, in classification, a single class.

        Notes
        -----
        Ctrl-C ends training with the best epoch so far of each network, and a warning.  If it
        comes before the first epoch, or if fit fails, the estimator stays as it was.
        """
        self._check_parameters()
        if callbacks is not None and not callable(callbacks):
            raise TypeError(
                f"callbacks must be a function from a network to its callbacks, got {callbacks!r}"
            )
        rng = check_random_state(self.random_state)
        state = dict(self.__dict__)
        try:
            table = self._table(X, reset=True)
            self._fit(table, y, sample_weight, groups, time, callbacks, rng)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(state)
            raise
        return self

    def _fit(
        self,
        table: pd.DataFrame,
        y: Any,
        sample_weight: Any,
        groups: Any,
        time: Any,
        callbacks: Callbacks | None,
        rng: np.random.RandomState,
    ) -> None:
        y = target_column(y, len(table))
        groups = None if groups is None else row_values("groups", groups, len(table))
        time = None if time is None else row_values("time", time, len(table))
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, y, ensure_non_negative=True)
            counts = weights > 0  # rows of weight 0 are as if they were not there
            table, y, weights = table[counts], y[counts], weights[counts]
            groups = None if groups is None else groups[counts]
            time = None if time is None else time[counts]
        if len(table) < 2:
            raise ValueError(f"n_samples={len(table)}: a model needs at least two rows")
        if groups is not None and time is not None:
            raise ValueError("groups and time exclude each other: pass one of them")
        targets = self._read_targets(y)
        weights = self._weighted(targets, weights)
        n_outputs, loss = self._output_layer()
        self.metric_: Metric = self._metric_by_name(self.metric)
        self.plan_ = plan = plan_of(
            self.quality, len(table), n_members=self.n_members, overrides=self._overrides()
        )
        validation = validation_rows(
            len(plan.networks),
            plan.validation_fraction,
            rng,
            targets,
            stratify=self._stratified,
            groups=groups,
            time=time,
        )
        self.encoder_ = TableEncoder.learn(table)
        self._report_dropped()
        rows = Rows(self.encoder_.read(table), targets, weights, validation)
        seed = int(rng.randint(2**31 - len(plan.networks)))
        job = Job(
            self.encoder_,
            rows,
            n_outputs,
            loss,
            self._score(rows),
            self.metric_,
            self.early_stopping,
            seed,
            callbacks,
        )
        members, interrupted = train_members(job, plan, self.n_threads, self.time_limit)
        if not members:
            if interrupted:
                raise KeyboardInterrupt
            raise ValueError(
                f"time_limit={self.time_limit:g} seconds are too few for an epoch of one network; "
                f"allow more, or use fewer rows"
            )
        if interrupted:
            warnings.warn(
                f"Training was interrupted: {len(members)} of {len(plan.networks)} networks are "
                f"kept, each with its best epoch so far",
                stacklevel=3,
            )
        self._keep(members, rows)

    def _check_parameters(self) -> None:
        checks.known("quality", self.quality, QUALITIES)
        for name in ("n_members", "n_threads", "early_stopping", "batch_size", "epochs"):
            if getattr(self, name) is not None:
                checks.whole(name, getattr(self, name))
        for name, interval in {**FRACTIONS, **POSITIVE, "time_limit": "(0, inf)"}.items():
            if getattr(self, name, None) is not None:
                checks.number(name, getattr(self, name), interval)
        if self.encoding is not None:
            checks.known("encoding", self.encoding, ENCODINGS)
        if self.activation is not None:
            checks.named("activation", self.activation, activations.TABLE, activations.Activation)

    def _overrides(self) -> dict[str, Any]:
        """Return the parameters that replace those of the quality."""
        names = ("activation", "dropout", "learning_rate", "weight_decay", "batch_size", "epochs",
                 "label_smoothing")
        found = {name: getattr(self, name) for name in names
                 if getattr(self, name, None) is not None}
        if self.hidden_layer_sizes is not None:
            sizes = self.hidden_layer_sizes
            sizes = sizes if isinstance(sizes, Sequence) else (sizes,)
            found["hidden"] = tuple(
                checks.whole(f"hidden_layer_sizes[{i}]", n) for i, n in enumerate(sizes)
            )
        if self.encoding is not None:
            found["encoding"] = self.encoding
        return found

    def _score(self, rows: Rows) -> Callable[[Array, NDArray[np.intp]], float]:
        """Return the function from outputs for some rows to the loss by the metric."""
        metric = self.metric_

        def score(outputs: Array, of: NDArray[np.intp]) -> float:
            weights = None if rows.weights is None else rows.weights[of]
            targets = rows.targets[of]
            predicted = self._to_choose_by(outputs, targets, weights)
            return metric.loss(self._true(targets), predicted, weights)

        return score

    def _report_dropped(self) -> None:
        dropped = self.encoder_.dropped
        if not self.encoder_.kinds:
            raise ValueError(
                "X has no column that can help to predict: "
                + "; ".join(f"{name!r}: {reason}" for name, reason in dropped.items())
            )
        if dropped:
            some = list(dropped.items())[:8]
            more = ""
            if len(dropped) > len(some):
                more = f"; and {len(dropped) - len(some)} more, see dropped_columns_"
            warnings.warn(
                f"{len(dropped)} of {len(dropped) + len(self.encoder_.kinds)} columns are not "
                f"used: " + "; ".join(f"{name!r}, {reason}" for name, reason in some) + more,
                stacklevel=4,
            )

    def _keep(self, members: list[Member], rows: Rows) -> None:
        """Keep what was trained, and what the validation rows say of it."""
        self.networks_ = [member.network for member in members]
        self.metadata_: dict[str, Any] = {}
        self.encodings_ = [member.encoding for member in members]
        self.best_epochs_ = [member.best_epoch for member in members]
        self.n_epochs_ = [member.epochs for member in members]
        self.dropped_columns_ = dict(self.encoder_.dropped)
        total = np.zeros((len(rows), members[0].network.n_out))
        count = np.zeros(len(rows))
        for member in members:
            total[member.validation_rows] += member.validation_outputs
            count[member.validation_rows] += 1
        known = np.flatnonzero(count)
        outputs = total[known] / count[known, None]
        weights = None if rows.weights is None else rows.weights[known]
        self._learn_errors(outputs, rows.targets[known], weights)
        self.validation_scores_ = (
            self._scores(self._outputs_of(outputs), self._true(rows.targets[known]), weights)
            if len(known)
            else {}
        )

    # --------------------------------------------------------------------------- prediction

    def _table(self, X: Any, reset: bool) -> pd.DataFrame:
        """Return X as a DataFrame with the columns of the training set."""
        table = frame_of(X)
        if not reset:
            check_is_fitted(self)
        named = table if hasattr(X, "columns") else X
        validate_data(self, X=named, reset=reset, skip_check_array=True)
        m, n = table.shape
        if m == 0 or n == 0:
            what = "feature" if n == 0 else "sample"
            raise ValueError(
                f"Found array with 0 {what}(s) (shape=({m}, {n})) while a minimum of 1 is "
                f"required."
            )
        # As in scikit-learn columns without names, or with names that are no texts, are known by
        # their places; so is an array for a model whose columns have names.
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(n)])
        same = list(table.columns) == list(names)
        return table if same else table.set_axis(list(names), axis=1)

    def _forward(self, X: Any) -> Array:
        """Return the mean of the networks' outputs (m, n_out)."""
        table = self._table(X, reset=False)
        return self._forward_codes(self.encoder_.read(table))

    def _forward_codes(self, codes: Any) -> Array:
        inputs = {one: self.encoder_.inputs(codes, one) for one in set(self.encodings_)}
        total = np.zeros((len(codes.numbers), self.networks_[0].n_out))
        for net, encoding in zip(self.networks_, self.encodings_, strict=True):
            total += net.forward(inputs[encoding])
        return total / len(self.networks_)

    # -------------------------------------------------------------------------------- files

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
        metadata = {**self.metadata_, "table": self._to_json()}
        stored = rounding.checked_dtype(dtype, with_optimizer=False)
        compress = checks.flag("compress", compress)
        files.write_npz(path, files.pack_ensemble(members, metadata, False, stored), compress)

    def _to_json(self) -> dict[str, Any]:
        """Return everything beside the networks in JSON's types."""
        return {
            "estimator": type(self).__name__,
            "parameters": {name: kept(name, value) for name, value in self.get_params().items()},
            "plan": self.plan_.to_json(),
            "encoder": self.encoder_.to_json(),
            "encodings": self.encodings_,
            "best_epochs": self.best_epochs_,
            "n_epochs": self.n_epochs_,
            "validation_scores": self.validation_scores_,
            "n_features": self.n_features_in_,
            "columns": getattr(self, "feature_names_in_", np.zeros(0)).tolist(),
            "versions": {
                "fastmlp": __version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "pandas": pd.__version__,
                "scikit-learn": sklearn.__version__,
            },
        }

    def _restore(
        self, entry: dict[str, Any], networks: list[MLP], metadata: dict[str, Any]
    ) -> None:
        """Become the model that `_to_json` described."""
        self.networks_, self.metadata_ = networks, metadata
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
        self.validation_scores_ = {
            name: float(value) for name, value in entry["validation_scores"].items()
        }
        self.n_features_in_ = int(entry["n_features"])
        if entry["columns"]:
            self.feature_names_in_ = np.array(entry["columns"], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "networks_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
