"""Checks of names, and of arguments with one value for all layers or one value for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from ..text import shown

Part = TypeVar("Part")

# names of other libraries, by what they are called here
SYNONYMS = {
    "mse": ("squared_error",), "mean_squared_error": ("squared_error", "rmse"),
    "mae": ("absolute_error",), "mean_absolute_error": ("absolute_error", "mae"),
    "l1": ("absolute_error",), "l2": ("squared_error",), "pinball": ("quantile",),
    "categorical_crossentropy": ("cross_entropy",),
    "sparse_categorical_crossentropy": ("cross_entropy",), "nll": ("cross_entropy",),
    "log_loss": ("cross_entropy",), "crossentropy": ("cross_entropy",),
    "logloss": ("log_loss", "cross_entropy"), "kl_divergence": ("cross_entropy",),
    "bce": ("binary_cross_entropy",), "binary_crossentropy": ("binary_cross_entropy",),
    "smooth_l1": ("huber",), "swish": ("silu",), "linear": ("identity",), "logistic": ("sigmoid",),
    "none": ("identity",), "exp": ("exponential",), "sgd": ("gradient_descent",),
    "xavier": ("glorot_uniform",), "xavier_uniform": ("glorot_uniform",),
    "xavier_normal": ("glorot_normal",), "kaiming": ("he_normal",),
    "kaiming_uniform": ("he_uniform",), "kaiming_normal": ("he_normal",), "zero": ("zeros",),
    "he": ("he_normal",), "lecun": ("lecun_normal",), "random_normal": ("normal",),
    "gd": ("gradient_descent",), "momentum": ("gradient_descent",),
    "nesterov": ("gradient_descent",), "val_loss": ("validation_cost",), "loss": ("cost",),
    "val_acc": ("validation_accuracy", "validation_error"),
    "val_accuracy": ("validation_accuracy", "validation_error"),
    "acc": ("accuracy", "validation_accuracy", "validation_error"),
    "accuracy": ("validation_accuracy", "validation_error"), "lr": ("learning_rate", "optimizer"),
    "learning_rate": ("optimizer",), "hidden_layer_sizes": ("hidden",), "sizes": ("hidden",),
    "roc_auc": ("auc",), "neg_log_loss": ("log_loss",),
    "neg_root_mean_squared_error": ("rmse",), "root_mean_squared_error": ("rmse",),
}  # fmt: skip
NAMING = "columns of a DataFrame get such names by X.columns = X.columns.map(str)"


def named(
    name: str,
    value: object,
    table: dict[str, type[Part]],
    kind: type[Part],
    otherwise: str = "",
) -> Part:
    """Return the object that a name in a table stands for, or an object of class `kind` as is.

    `otherwise` says what else the argument accepts.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        if value in table:
            return table[value]()
        raise ValueError(f"unknown {name} {value!r}{nearest(value, table)}")
    if isinstance(value, type) and issubclass(value, kind):
        raise TypeError(f"{name} must be an object, got a class: write {value.__name__}(…)")
    example = next(iter(table.values())).__name__
    library = type(value).__module__.partition(".")[0]
    of = "" if library in ("builtins", "numpy", "fastmlp", "__main__") else f" of {library}"
    raise TypeError(
        f"{name} must be one of {', '.join(map(repr, table))}, or an object such as {example}()"
        f"{otherwise}; got {shown(value)}{of}"
    )


@contextmanager
def within(name: str) -> Iterator[None]:
    """Return a context in which the message of a failed check begins with an argument's name."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except FloatingPointError as error:
        raise FloatingPointError(f"{name}: {error}") from None


def items(name: str, value: object, n: int | None = None) -> list[Any]:
    """Return a list of the items of an iterable, of which there must be n if given."""
    try:
        found: list[Any] = list(value)  # type: ignore[call-overload]
    except TypeError:
        raise TypeError(f"{name} must be a sequence, got {shown(value)}") from None
    if n is not None and len(found) != n:
        raise ValueError(f"{name} must have {n} entries, got {len(found)}")
    return found


def known(name: str, value: object, names: Collection[str]) -> str:
    """Return a string that is one of some names."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(map(repr, names))}; got {shown(value)}")
    if value not in names:
        raise ValueError(f"unknown {name} {value!r}{nearest(value, names)}")
    return value


def column(name: str, value: object) -> str:
    """Return the name of a column, which is text."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be the name of a column, a text, got {shown(value)}; {NAMING}"
        )
    return value


def columns(name: str, value: object) -> list[str]:
    """Return a list of names of columns."""
    if isinstance(value, str):
        raise TypeError(f"{name} must be a list of names of columns: write [{value!r}]")
    return [column(f"{name}[{i}]", one) for i, one in enumerate(items(name, value))]


def nearest(value: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known name, and all names."""
    from difflib import get_close_matches  # imported here because only a mistake needs it

    known = list(known)
    key = value.lower().replace("-", "_").replace(" ", "_")
    close = [name for name in SYNONYMS.get(key, ()) if name in known][:1]
    close = close or get_close_matches(key, known, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else "."
    return f"{guess} Known: {', '.join(known)}"


def one_or_each(
    name: str, value: object, count: int, table: dict[str, type[Part]], kind: type[Part]
) -> tuple[Part, ...]:
    """Return an object for each of `count` hidden layers, as `named` does.

    The argument is one value for all layers, or a sequence with a value for each.
    """
    if not isinstance(value, (list, tuple)):
        return (named(name, value, table, kind),) * count
    if len(value) != count:
        raise ValueError(
            f"{name} has {len(value)} entries for {count} hidden layers; give one for each, or "
            f"one for all"
        )
    return tuple(named(f"{name}[{i}]", one, table, kind) for i, one in enumerate(value))


def each(
    name: str, value: object, count: int, check: Callable[[str, object], Part], of: str
) -> tuple[Part, ...]:
    """Return a checked value for each of `count` layers, which messages call `of`.

    The argument is one value for all layers, or a sequence with a value for each.
    """
    if not isinstance(value, (list, tuple, np.ndarray)) or getattr(value, "shape", None) == ():
        return (check(name, value),) * count
    if len(value) != count:
        raise ValueError(
            f"{name} has {len(value)} entries for {count} {of}; give one for each, or one for all"
        )
    return tuple(check(f"{name}[{i}]", one) for i, one in enumerate(value))
