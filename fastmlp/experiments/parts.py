"""The parts of a network and of a training, made from what a configuration has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any, TypeVar

from .. import activations as functions
from .. import optimizers, schedules
from ..activations import Activation
from ..augment import Distortion
from ..initializers import Initializer
from ..optimizers import Optimizer
from ..schedules import Schedule
from ..support import checks
from .toml import check_keys

__all__ = ["activations", "distortion", "dropout_schedule", "label", "optimizer", "part"]

Part = TypeVar("Part", bound=Activation | Initializer | Optimizer | Schedule)


def activations(value: object) -> Any:
    """One activation for all hidden layers, or one for each, as objects."""
    if isinstance(value, (list, tuple)):
        return [part("activation", one, functions.TABLE) for one in value]
    return part("activation", value, functions.TABLE)


def optimizer(value: object, schedule: object) -> Optimizer:
    """An optimizer with a learning rate schedule, whose rate is the optimizer's learning rate.

    Its weight decay may be a table that describes a schedule.
    """
    if isinstance(value, Mapping) and isinstance(value.get("learning_rate"), (Mapping, str)):
        raise TypeError(
            f"optimizer.learning_rate must be a number, got {value['learning_rate']!r}; a learning "
            f"rate schedule is the key schedule"
        )
    if isinstance(value, Mapping) and isinstance(value.get("weight_decay"), Mapping):
        decay = part("optimizer.weight_decay", value["weight_decay"], schedules.TABLE)
        value = {**value, "weight_decay": decay}
    rule = part("optimizer", value, optimizers.TABLE)
    rates = part("schedule", schedule, schedules.TABLE, rate=rule.learning_rate)
    return rule if rates.name == "constant" else replace(rule, learning_rate=rates)


def dropout_schedule(value: object) -> Schedule | None:
    """A schedule of the factor of dropout, whose first or maximum value is 1 unless it is given."""
    if value is None:
        return None
    options = value if isinstance(value, Mapping) else {"name": value}
    return part("dropout_schedule", {"rate": 1.0, **options}, schedules.TABLE)


def part(key: str, value: object, table: Mapping[str, type[Part]], **fixed: Any) -> Part:
    """A part of a network or a training, from its name or a TOML table of name and parameters.

    `fixed` are parameters that come from elsewhere and may not be in the TOML table.
    """
    options: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {"name": value}
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise TypeError(
            f'{key} must be a name or a table with one, such as {{ name = "{next(iter(table))}" }};'
            f" got {label(value) if isinstance(value, Mapping) else repr(value)}"
        )
    kind = table[checks.known(key, name, table)]
    parameters = {field.name: field for field in fields(kind) if field.name not in fixed}
    for option in options:
        if option in fixed:
            raise ValueError(f"{key}.{option} is not set: it comes from the optimizer")
        if option not in parameters:
            hint = checks.nearest(option, parameters) if parameters else "; it has no parameters"
            raise ValueError(f"unknown key {option!r} of {key} {name}{hint}")
    for option, field in parameters.items():
        if field.default is MISSING and option not in options:
            raise ValueError(f"{key} {name} needs {option}")
    with checks.within(key):
        return kind(**options, **fixed)


def distortion(value: object) -> Distortion:
    """A distortion from a TOML table of its parameters."""
    if not isinstance(value, Mapping):
        raise TypeError(f"augment must be a table such as {{ rotation = 10 }}, got {value!r}")
    options = dict(value)
    with checks.within("augment"):
        check_keys(options, [field.name for field in fields(Distortion)])
        for key, one in options.items():
            if key in ("gentle_classes", "shape"):
                if not isinstance(one, (list, tuple)):
                    raise TypeError(f"{key} must be a list of whole numbers, got {one!r}")
                options[key] = tuple(one)
        return Distortion(**options)


def label(value: object) -> str:
    """Return a short text for a value, for tables and pictures."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        rest = ", ".join(f"{key} {label(one)}" for key, one in value.items() if key != "name")
        name = str(value.get("name", ""))
        return f"{name} ({rest})" if name and rest else name or rest
    if isinstance(value, (list, tuple)):
        return "-".join(map(label, value)) or "none"
    return str(value)
