"""What both estimators of tables share: fit, and the way from a table to the networks' outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import activations
from ..callbacks import require_function
from ..support import checks
from ..support.text import some_of
from ..support.user_warnings import warn_user
from .by_value import ByValue
from .columns import ENCODINGS, ISO_DATES, NoColumnError, TableEncoder
from .fitting_by_value import check_per, fit_by_value
from .folds import validation_rows
from .given import Given
from .input_tables import frame_of, numbered, remedy_of_names
from .insight import InsightMixin
from .members import Callbacks, Member, ModelJob, Rows
from .metrics import Metric
from .model_training import train_models
from .odd_cells import about_odd_cells, about_unknown_cells
from .plan import MOST_MEMBERS, QUALITIES, plan_of
from .precision import ADVICE, blurred
from .saving import SavingMixin
from .signs import signs_of, warn_of_other_signs

__all__ = ["BaseTabular"]

Array = NDArray[Any]

FRACTIONS = {"dropout": "[0, 1)", "label_smoothing": "[0, 1)"}
POSITIVE = {"learning_rate": "(0, inf)", "weight_decay": "[0, inf)"}


class BaseTabular(InsightMixin, SavingMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators of tables.

    A subclass has the constructor and the hooks

        _read_targets   y as the networks read it          _output_layer   n_outputs and loss
        _weighted       apply class weights                _metric_by_name a metric, or the default
        _true           targets as a metric takes them     _metrics        by their names
        _to_choose_by   from one network's outputs to what a metric takes, to compare its epochs
        _learn_errors   learn from the outputs for validation rows
        _predicted      from outputs to predictions        _output_names   of their columns
        _known_targets  targets of rows to be scored
    """

    _stratified = False
    _metrics: Mapping[str, Metric]
    _predicted: Callable[[Array], Array]
    by_value_: ByValue | None = None

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
        X : DataFrame of pandas or polars, Table of PyArrow, or array-like, (m, n)
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
        require_function(callbacks)
        rng = check_random_state(self.random_state)
        state = dict(self.__dict__)
        try:
            table = self._table(X, reset=True)
            given = Given.checked(table, y, sample_weight, groups, time)
            if self.per is None:
                self._fit(given, callbacks, rng)
            else:
                check_per(self, given)
                self._fit_by_value(given, callbacks, rng)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(state)
            raise
        return self

    def _fit(
        self, given: Given, callbacks: Callbacks | None, rng: np.random.RandomState
    ) -> None:
        job = self._prepare(given, callbacks, rng)
        self._report_columns(given.table)
        trained = train_models([job], self.n_threads, self.time_limit)
        trained.require_first(self.time_limit)
        (members,), n_networks = trained.members, len(job.plan.networks)
        if trained.interrupted:
            warn_user(
                f"Training was interrupted: {len(members)} of {n_networks} networks are kept, each "
                f"with its best epoch so far",
            )
        self._keep(members, job.rows)

    def _fit_by_value(
        self, given: Given, callbacks: Callbacks | None, rng: np.random.RandomState
    ) -> None:
        by_value, scores, notes = fit_by_value(self, given, callbacks, rng)
        self._adopt(by_value, scores)
        self._report_columns(given.table)
        for note in notes:
            warn_user(note)

    def _prepare(
        self, given: Given, callbacks: Callbacks | None, rng: np.random.RandomState
    ) -> ModelJob:
        """Learn what precedes the networks, and return what is to be trained."""
        self.by_value_ = None
        targets = self._read_targets(given.y)
        weights = self._weighted(targets, given.weights)
        n_outputs, loss = self._output_layer()
        self.metric_: Metric = self._metric_by_name(self.metric)
        self.plan_ = plan = plan_of(
            self.quality, len(given), n_members=self.n_members, overrides=self._overrides()
        )
        validation = validation_rows(
            len(plan.networks),
            plan.validation_fraction,
            rng,
            targets,
            stratify=self._stratified,
            groups=given.groups,
            time=given.time,
        )
        self.encoder_ = TableEncoder.learn(given.table)
        if not self.encoder_.kinds:
            raise NoColumnError(
                "X has no column that can help to predict: "
                + "; ".join(f"{name!r}: {why}" for name, why in self.encoder_.dropped.items())
            )
        rows = Rows(self.encoder_.read(given.table), targets, weights, validation)
        seed = int(rng.randint(2**31 - len(plan.networks)))
        return ModelJob(
            plan=plan,
            encoder=self.encoder_,
            rows=rows,
            n_outputs=n_outputs,
            loss=loss,
            score=self._score(rows),
            metric=self.metric_,
            patience=self.early_stopping,
            seed=seed,
            callbacks=callbacks,
        )

    def _check_parameters(self) -> None:
        checks.known("quality", self.quality, QUALITIES)
        for name in ("n_threads", "early_stopping", "batch_size", "epochs"):
            if getattr(self, name) is not None:
                checks.whole(name, getattr(self, name))
        if self.n_members is not None:
            checks.whole("n_members", self.n_members, most=MOST_MEMBERS)
        for name, interval in {**FRACTIONS, **POSITIVE, "time_limit": "(0, inf)"}.items():
            if getattr(self, name, None) is not None:
                dtype = np.dtype(np.float32) if name in POSITIVE else None  # of the networks
                checks.number(name, getattr(self, name), interval, dtype=dtype)
        if self.encoding is not None:
            checks.known("encoding", self.encoding, ENCODINGS)
        if self.per is not None:
            checks.column("per", self.per)
        if self.activation is not None:
            checks.named("activation", self.activation, activations.HIDDEN, activations.Activation)
        self._overrides()

    def _overrides(self) -> dict[str, Any]:
        """Return the parameters that replace those of the quality."""
        names = ("activation", "dropout", "learning_rate", "weight_decay", "batch_size", "epochs",
                 "label_smoothing")
        overrides = {name: getattr(self, name) for name in names
                     if getattr(self, name, None) is not None}
        if self.hidden_layer_sizes is not None:
            sizes = self.hidden_layer_sizes
            if isinstance(sizes, str) or not isinstance(sizes, (Sequence, np.ndarray)):
                overrides["hidden"] = (checks.whole("hidden_layer_sizes", sizes),)
            else:
                overrides["hidden"] = tuple(
                    checks.whole(f"hidden_layer_sizes[{i}]", n) for i, n in enumerate(sizes)
                )
        if self.encoding is not None:
            overrides["encoding"] = self.encoding
        return overrides

    def _score(self, rows: Rows) -> Callable[[Array, NDArray[np.intp]], float]:
        """Return the function from outputs for some rows to the loss by the metric."""
        metric = self.metric_

        def score(outputs: Array, scored: NDArray[np.intp]) -> float:
            weights = None if rows.weights is None else rows.weights[scored]
            targets = rows.targets[scored]
            predicted = self._to_choose_by(outputs, targets, weights)
            return metric.loss(self._true(targets), predicted, weights)

        return score

    def _scores(self, predicted: Array, targets: Array, weights: Array | None) -> dict[str, float]:
        """Return the metrics of predictions."""
        return {
            name: metric.measure(targets, predicted, weights)
            for name, metric in self._metrics.items()
        }

    def _weighted(self, targets: Array, weights: Array | None) -> Array | None:
        """Return the weights of the rows, perhaps with those of their classes."""
        return weights

    def _report_columns(self, table: pd.DataFrame) -> None:
        kinds = self.encoder_.kinds
        unclear = [name for name in kinds if kinds[name] == "number" and blurred(table[name])]
        for name in unclear[:8]:
            warn_user(f"column {name!r} has numbers that are too close to each other: {ADVICE}")
        odd = [about_odd_cells(table[name]) for name in table if kinds.get(name) != "number"]
        for about in list(filter(None, odd))[:8]:
            warn_user(about)
        local = self.encoder_.local_dates()
        if local:
            named = ", ".join(f"{name!r} ({cell!r})" for name, cell in list(local.items())[:8])
            warn_user(
                f"columns of dates are read as text, of which later dates are unknown: {named}; "
                f"{ISO_DATES}, or convert them by pandas.to_datetime",
            )
        dropped = self.encoder_.dropped
        if dropped:
            some = [f"{name!r}, {reason}" for name, reason in list(dropped.items())[:8]]
            warn_user(
                f"{len(dropped)} of {len(dropped) + len(self.encoder_.kinds)} columns are not "
                f"used: {some_of(some, len(dropped), '; ', 'more, see dropped_columns_')}",
            )

    def _keep(self, members: list[Member], rows: Rows) -> tuple[NDArray[np.intp], Array]:
        """Keep what was trained, and what the validation rows say of it.

        Returns
        -------
        known : ndarray (n,)
            The validation rows.
        predicted : ndarray (n, …)
            Their predictions by the networks that were not trained on them.
        """
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
        predicted = self._predicted(outputs)
        self.validation_scores_ = (
            self._scores(predicted, self._true(rows.targets[known]), weights) if len(known) else {}
        )
        return known, predicted

    def _adopt(self, by_value: ByValue, scores: dict[str, float]) -> None:
        """Take over the networks of all models, and what the shared one has learned otherwise."""
        of_whole_table = ("n_features_in_", "feature_names_in_")
        for name, value in vars(by_value.shared).items():
            if name.endswith("_") and name not in of_whole_table:
                setattr(self, name, value)
        models = [by_value.shared, *by_value.models.values()]
        for name in ("networks_", "encodings_", "best_epochs_", "n_epochs_"):
            of_all = [entry for model in models for entry in getattr(model, name)]
            setattr(self, name, of_all)
        self.by_value_, self.validation_scores_ = by_value, scores

    # --------------------------------------------------------------------------- prediction

    def _table(self, X: Any, reset: bool) -> pd.DataFrame:
        """Return X as a DataFrame with the columns of the training set."""
        table = numbered(frame_of(X))
        if not reset:
            check_is_fitted(self)
        named = table if hasattr(X, "columns") else X
        try:
            validate_data(self, X=named, reset=reset, skip_check_array=True)
        except ValueError as error:
            names = getattr(self, "feature_names_in_", ())
            if reset or not (remedy := remedy_of_names(names, table.columns)):
                raise
            raise ValueError(f"{str(error).rstrip()}\n{remedy}") from None
        m, n = table.shape
        if m == 0 or n == 0:
            what = "feature" if n == 0 else "sample"
            raise ValueError(
                f"Found array with 0 {what}(s) (shape=({m}, {n})) while a minimum of 1 is "
                f"required."
            )
        if reset:
            self._signs = signs_of(table)
        else:
            warn_of_other_signs(table, self._signs, self._reader().kinds)
        # As in scikit-learn columns without names, or with names that are no texts, are known by
        # their places; so is an array for a model whose columns have names.
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(n)])
        same = list(table.columns) == list(names)
        return table if same else table.set_axis(list(names), axis=1)

    def _predictions(self, X: Any) -> Array:
        """Return probabilities or values of the rows of a table."""
        return self._predictions_of(self._read_new(self._table(X, reset=False)))

    def _read_new(self, table: pd.DataFrame) -> Any:
        """Return what `_reader` reads, and warn of categories of which no cell is known."""
        reader: Any = self._reader()
        read = reader.read(table)
        for about in about_unknown_cells(table, reader.known_cells(read)):
            warn_user(about)
        return read

    def _reader(self) -> ByValue | TableEncoder:
        """Return what reads tables for `_predictions_of`, with the `kinds` of columns in use."""
        return self.by_value_ or self.encoder_

    def _predictions_of(self, read: Any) -> Array:
        if self.by_value_ is None:
            return self._predicted(self._forward_codes(read))

        def predict(model: BaseTabular, table: pd.DataFrame) -> Array:
            return self._aligned(model, model._predictions_of(model._reader().read(table)))

        return self.by_value_.assembled(read, predict)

    def _aligned(self, model: Any, predicted: Array) -> Array:
        """Return predictions of a value's model in the form of this model's own."""
        return predicted

    def _forward_codes(self, codes: Any) -> Array:
        inputs = {
            encoding: self.encoder_.inputs(codes, encoding) for encoding in set(self.encodings_)
        }
        total = np.zeros((len(codes.numbers), self.networks_[0].n_out))
        for net, encoding in zip(self.networks_, self.encodings_, strict=True):
            total += net.forward(inputs[encoding])
        return total / len(self.networks_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "networks_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
