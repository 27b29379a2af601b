"""The settings of an experiment: the arguments of `MLP` and of `MLP.fit` that it may set.

`NETWORK` and `TRAINING` are the one table of them.  Recipes and ablation studies write a
configuration of these keys in TOML, the search samples values for them, and the command line has
options for some.  `Settings.of` checks a configuration by the core's own checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .. import activations, initializers, losses, optimizers, schedules
from ..activations import Activation
from ..augment import Distortion
from ..history import History
from ..initializers import Initializer
from ..model.spec import NetworkSpec
from ..network import MLP
from ..optimizers import Optimizer
from ..schedules import Schedule
from ..support import checks
from ..training import FitConfig
from .toml import check_keys

__all__ = [
    "DEFAULTS", "NETWORK", "TRAINING", "Setting", "Settings", "check_size", "checked", "label",
]  # fmt: skip

Part = TypeVar("Part", bound=Activation | Initializer | Optimizer | Schedule)


class Setting(NamedTuple):
    """A keyword of `MLP` or `MLP.fit`."""

    default: Any  # as there
    numbers: str = ""  # "real" or "whole" if a search may take its values from an interval
    optional: bool = False  # None turns it off; TOML, which has no None, has false instead


NETWORK: dict[str, Setting] = {
    "activation": Setting("relu"),
    "init": Setting("he_normal"),
    "batch_norm": Setting(False),
    "dropout": Setting(0.0, "real"),
    "input_dropout": Setting(0.0, "real"),
    "noise": Setting(0.0, "real"),
    "dtype": Setting("float32"),
    "uint8_scale": Setting(1.0),
}
TRAINING: dict[str, Setting] = {
    "epochs": Setting(15),
    "batch_size": Setting(100, "whole"),
    "optimizer": Setting("adam"),
    "l2": Setting(0.0, "real"),
    "label_smoothing": Setting(0.0, "real"),
    "max_norm": Setting(None, "real", optional=True),
    "clip_norm": Setting(None, "real", optional=True),
    "ema": Setting(None, "real", optional=True),
    "augment": Setting(None, optional=True),
}
TABLE = {**NETWORK, **TRAINING}

# All keys of a configuration.  `hidden` has to be given; `schedule` is the learning rate schedule
# of the optimizer.
DEFAULTS: dict[str, Any] = {
    "hidden": None,
    **{key: setting.default for key, setting in TABLE.items()},
    "schedule": "constant",
}

# A width such as 25600000 is a typing error: refused here, before a long experiment begins.
MAX_WEIGHTS = 10**9


@dataclass(frozen=True)
class Settings:
    """A checked configuration: all that a training depends on except for its data and its seed.

    Attributes
    ----------
    hidden : tuple of int
        Numbers of hidden units.
    activation : tuple of Activation
        One for each hidden layer.
    init : Initializer
        The initializer of the parameters.
    batch_norm : tuple of bool
        One for each hidden layer.
    dropout, noise : tuple of float
        One for each hidden layer.
    input_dropout, dtype, uint8_scale : float, str, float
        As in `MLP`.
    epochs, batch_size : int
        As in `MLP.fit`.
    optimizer : Optimizer
        With the schedule, if there is one, as its learning rate.
    l2, label_smoothing : float
        As in `MLP.fit`.
    max_norm, clip_norm, ema : float or None
        As in `MLP.fit`.
    augment : fastmlp.augment.Distortion or None
        The distortion of the images in training.
    """

    hidden: tuple[int, ...]
    activation: tuple[Activation, ...]
    init: Initializer
    batch_norm: tuple[bool, ...]
    dropout: tuple[float, ...]
    input_dropout: float
    noise: tuple[float, ...]
    dtype: str
    uint8_scale: float
    epochs: int
    batch_size: int
    optimizer: Optimizer
    l2: float
    label_smoothing: float
    max_norm: float | None
    clip_norm: float | None
    ema: float | None
    augment: Distortion | None

    @classmethod
    def of(
        cls,
        given: Mapping[str, object],
        n_in: int,
        n_out: int,
        loss: losses.LossSpec = "cross_entropy",
    ) -> Settings:
        """Check a configuration.

        Parameters
        ----------
        given : mapping
            Values as TOML or Python has them, by the keys of `DEFAULTS`; all but "hidden" may be
            missing.
        n_in, n_out : int
            Sizes of the network's input and output.
        loss : str, Loss or pair of functions, default "cross_entropy"
            As in `MLP`.

        Returns
        -------
        Settings
            Checked.

        Raises
        ------
        TypeError, ValueError
            Naming the key, the value and what was expected.
        """
        check_keys(given, DEFAULTS)
        value: dict[str, Any] = {**DEFAULTS, **given}
        for key, setting in TABLE.items():
            if setting.optional and value[key] is False:
                value[key] = None
        hidden = _hidden(value["hidden"])
        check_size(n_in, hidden, n_out)
        value["init"] = _part("init", value["init"], initializers.TABLE)
        value["activation"] = _activations(value["activation"])
        value["optimizer"] = _optimizer(value["optimizer"], value["schedule"])
        value["augment"] = None if value["augment"] is None else _distortion(value["augment"])
        spec = NetworkSpec.checked(
            (n_in, *hidden, n_out),
            output_activation=None,
            loss=loss,
            seed=0,
            **{key: value[key] for key in NETWORK if key != "init"},
        )
        config = FitConfig.checked(spec, **{key: value[key] for key in TRAINING})
        return cls(
            hidden=hidden,
            activation=spec.activation,
            init=value["init"],
            batch_norm=spec.batch_norm,
            dropout=spec.dropout,
            input_dropout=spec.input_dropout,
            noise=spec.noise,
            dtype=spec.dtype.name,
            uint8_scale=spec.uint8_scale,
            epochs=config.epochs,
            batch_size=config.batch_size,
            optimizer=config.optimizer,
            l2=config.step.l2,
            label_smoothing=config.step.label_smoothing,
            max_norm=_float_or_none(value["max_norm"]),
            clip_norm=_float_or_none(value["clip_norm"]),
            ema=_float_or_none(value["ema"]),
            augment=value["augment"],
        )

    def network(
        self, n_in: int, n_out: int, seed: int, *, loss: losses.LossSpec = "cross_entropy"
    ) -> MLP:
        """Make the network that these settings describe.

        Parameters
        ----------
        n_in, n_out : int
            Sizes of its input and output.
        seed : int
            Its seed.
        loss : str, Loss or pair of functions, default "cross_entropy"
            As in `MLP`.

        Returns
        -------
        MLP
            Not trained yet.
        """
        options = {key: getattr(self, key) for key in NETWORK}
        return MLP((n_in, *self.hidden, n_out), loss=loss, seed=seed, **options)

    def fit(self, net: MLP, X: checks.Examples, y: ArrayLike, **options: Any) -> History:
        """Train a network by these settings.

        Parameters
        ----------
        net : MLP
            The network, as `network` made it.
        X, y : array-like
            Examples and targets, as in `MLP.fit`.
        **options
            Other keywords of `MLP.fit`, such as ``callbacks``; a keyword that is also a setting
            replaces it.

        Returns
        -------
        History
            As of `MLP.fit`.
        """
        return net.fit(X, y, **{key: getattr(self, key) for key in TRAINING} | options)

    def to_json(self) -> dict[str, Any]:
        """Return all settings, defaults included, as JSON's types.

        Returns
        -------
        dict
            Values by the names of the attributes.  Equal settings have equal values, however they
            were written.
        """
        return {field.name: _to_json(getattr(self, field.name)) for field in fields(self)}


def checked(key: str, value: object) -> Any:
    """Check the value of one setting, and return it as a plain number, name, bool or None.

    Parameters
    ----------
    key : str
        A key of `NETWORK` or `TRAINING`, or "schedule".
    value : object
        A single value, the same for all layers.

    Returns
    -------
    bool, int, float, str or None
        The value; a float if the setting is a real number.
    """
    if isinstance(value, (list, tuple, Mapping)):
        raise TypeError(f"{key} must be a single value, got {value!r}")
    Settings.of({"hidden": (2,), key: value}, 2, 2)
    setting = TABLE.get(key, Setting(None))
    if value is None or (setting.optional and value is False):
        return None
    kind = {"real": float, "whole": int}.get(setting.numbers)
    if kind is None:
        return value.item() if isinstance(value, np.generic) else value
    return kind(value)


def check_size(n_in: int, hidden: tuple[int, ...], n_out: int) -> None:
    """Raise ValueError if a network would have more than `MAX_WEIGHTS` weights."""
    weights = sum(a * b for a, b in pairwise((n_in, *hidden, n_out)))
    if weights > MAX_WEIGHTS:
        raise ValueError(
            f"hidden layers of {label(hidden)} units make {weights:,} weights; at most "
            f"{MAX_WEIGHTS:,}"
        )


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


def _hidden(value: object) -> tuple[int, ...]:
    """Widths of the hidden layers, which have no default."""
    if value is None:
        raise ValueError("hidden is missing: the widths of the hidden layers, such as [256, 256]")
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"hidden must be a list of widths such as [256, 256], got {value!r}")
    return tuple(checks.whole(f"hidden[{i}]", width) for i, width in enumerate(value))


def _activations(value: object) -> Any:
    """One activation for all hidden layers, or one for each, as objects."""
    if isinstance(value, (list, tuple)):
        return [_part("activation", one, activations.TABLE) for one in value]
    return _part("activation", value, activations.TABLE)


def _optimizer(value: object, schedule: object) -> Optimizer:
    """An optimizer with a learning rate schedule, whose rate is the optimizer's learning rate."""
    if isinstance(value, Mapping) and isinstance(value.get("learning_rate"), (Mapping, str)):
        raise TypeError(
            f"optimizer.learning_rate must be a number, got {value['learning_rate']!r}; a learning "
            f"rate schedule is the key schedule"
        )
    optimizer = _part("optimizer", value, optimizers.TABLE)
    rates = _part("schedule", schedule, schedules.TABLE, rate=optimizer.learning_rate)
    return optimizer if rates.name == "constant" else replace(optimizer, learning_rate=rates)


def _part(key: str, value: object, table: Mapping[str, type[Part]], **fixed: Any) -> Part:
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


def _distortion(value: object) -> Distortion:
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


def _float_or_none(value: Any) -> float | None:
    return None if value is None else float(value)


def _to_json(value: object) -> Any:
    if is_dataclass(value):  # its numbers are floats, whether written as 1 or as 1.0
        name = {"name": value.name} if hasattr(value, "name") else {}  # of a part
        return name | {
            field.name: float(one) if isinstance(one, int) and not isinstance(one, bool) else one
            for field in fields(value)
            if (one := _to_json(getattr(value, field.name))) is not None
        }
    return [_to_json(one) for one in value] if isinstance(value, tuple) else value
