"""What the file of a model of a table holds, as names and values to print."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastmlp.experiments.table_models import TableModel, task_of
from fastmlp.tabular.columns import TableEncoder
from fastmlp.tabular.digest import table_digest
from fastmlp.tabular.saving import versions

from .baselines import SHOWN, written

MOST_LEVELS = 12  # of a category that are shown
MOST_VALUES = 20  # of the column of --per


def about(model: TableModel, path: Path) -> Iterator[tuple[str, str]]:
    """Yield names and values that describe a model of a table."""
    card = model.metadata_.get("card") or {}
    task = task_of(model)
    yield "task", task
    if "label" in model.metadata_:
        yield "label", str(model.metadata_["label"])
    if task == "classification":
        yield "classes", ", ".join(map(str, model.classes_))
        yield "temperature", f"{model.temperature_:.4g}"
    else:
        low, high = model.target_range_
        yield "range of values", f"{low:g} to {high:g}"
    yield from columns(model.encoder_)
    yield from networks(model)
    yield "parameters", f"{sum(net.n_parameters for net in model.networks_):,} in all"
    scores = {"test": card.get("scores") if (card.get("data") or {}).get("test rows") else None}
    scores |= card.get("baselines") or {}
    scores["validation"] = model.validation_scores_
    for place, found in scores.items():
        if found:
            yield f"scores, {place}", scores_line(model, found)
    yield "settings", ", ".join(
        f"{name}={value!r}"
        for name, value in model.get_params().items()
        if value is not None and name != "random_state"
    )
    yield "seed", str(model.random_state)
    if "command" in card:
        yield "command", str(card["command"])
    for name, value in (card.get("data") or {}).items():
        yield f"data, {name}", f"{value:,}" if isinstance(value, int) else str(value)
    yield "versions", ", ".join(f"{name} {one}" for name, one in versions().items())
    with path.open("rb") as file:
        yield "digest", table_digest(model)
        yield "SHA-256 of file", hashlib.file_digest(file, "sha256").hexdigest()


def columns(encoder: TableEncoder) -> Iterator[tuple[str, str]]:
    """Yield a line for each column."""
    for name, kind in encoder.kinds.items():
        yield f"column {name}", f"{kind}{details(encoder, name)}"
    for name, reason in encoder.dropped.items():
        yield f"column {name}", f"not used: {reason}"


def networks(model: TableModel) -> Iterator[tuple[str, str]]:
    """Yield a line for each network; with ``--per`` for each value instead."""
    by_value = model.by_value_
    if by_value is not None:
        yield "models of values", f"{len(by_value.models):,}, of {by_value.column}"
        for value, own in [*by_value.models.items()][:MOST_VALUES]:
            n = len(own.networks_)
            yield f"value {value}", f"{n} network{'s' * (n > 1)}; {scores_line(own)}"
        if len(by_value.models) > MOST_VALUES:
            yield "values", f"{len(by_value.models) - MOST_VALUES:,} more"
        for value, reason in [*by_value.reasons.items()][:MOST_VALUES]:
            yield f"value {value}", f"by the shared model: {reason}"
        if len(by_value.reasons) > MOST_VALUES:
            yield "values", f"{len(by_value.reasons) - MOST_VALUES:,} more by the shared model"
        yield "shared model", scores_line(by_value.shared)
        model = by_value.shared
    for number, (net, n, best, encoding) in enumerate(
        zip(model.networks_, model.n_epochs_, model.best_epochs_, model.encodings_, strict=True),
        start=1,
    ):
        sizes = "-".join(map(str, net.sizes))
        names = ", ".join(dict.fromkeys(f.name for f in net.activation)) or "no hidden layer"
        yield f"network {number}", f"{sizes}, {names}, {encoding}, epoch {best} of {n}"


def scores_line(model: TableModel, found: Mapping[str, float] | None = None) -> str:
    """Return scores in a line, those of validation rows by default."""
    found = model.validation_scores_ if found is None else found
    return ", ".join(
        f"{shown} {written(name, found[name])}"
        for shown, name in SHOWN[task_of(model)].items()
        if name in found
    )


def details(encoder: TableEncoder, name: str) -> str:
    """Return how a column becomes inputs, after its kind."""
    for number in encoder.numbers:
        if number.source == name and not number.part:
            missing = ", with missing values" if number.missing else ""
            return f", median {number.median:.6g}{missing}"
    for category in encoder.categories:
        if category.source == name and not category.part:
            levels = category.levels
            more = f", … ({len(levels)} levels)" if len(levels) > MOST_LEVELS else ""
            return f": {', '.join(levels[:MOST_LEVELS])}{more}"
    parts = [one.part for one in encoder.numbers if one.source == name]
    parts += [one.part for one in encoder.categories if one.source == name]
    return f" from {encoder.origins[name]}: {', '.join(parts)}"
