"""The settings of an experiment: the arguments of `MLP` and of `MLP.fit` that it may set.

`NETWORK` and `TRAINING` are the one table of them.  Recipes and ablation studies write a
configuration of these keys in TOML, the search samples values for them, and the command line has
options for some.  `Settings.of` checks a configuration by the core's own checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import initializers, losses
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
from . import parts
from .parts import label
from .toml import check_keys

__all__ = [
    "DEFAULTS", "NETWORK", "TRAINING", "Setting", "Settings", "check_size", "checked", "label",
]  # fmt: skip


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
    "dropout_schedule": Setting(None, optional=True),
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
    dropout_schedule : Schedule or None
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
    dropout_schedule: Schedule | None
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
        value["init"] = parts.part("init", value["init"], initializers.TABLE)
        value["activation"] = parts.activations(value["activation"])
        value["optimizer"] = parts.optimizer(value["optimizer"], value["schedule"])
        value["dropout_schedule"] = parts.dropout_schedule(value["dropout_schedule"])
        value["augment"] = None if value["augment"] is None else parts.distortion(value["augment"])
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
            dropout_schedule=config.dropout_schedule,
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
        return net.fit(X, y, **self.options(**options))

    def options(self, **others: Any) -> dict[str, Any]:
        """Return these settings as keywords of `MLP.fit`.

        Parameters
        ----------
        **others
            Other keywords of `MLP.fit`; a keyword that is also a setting replaces it.

        Returns
        -------
        dict
            All keywords.
        """
        return {key: getattr(self, key) for key in TRAINING} | others

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


def _hidden(value: object) -> tuple[int, ...]:
    """Widths of the hidden layers, which have no default."""
    if value is None:
        raise ValueError("hidden is missing: the widths of the hidden layers, such as [256, 256]")
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"hidden must be a list of widths such as [256, 256], got {value!r}")
    return tuple(checks.whole(f"hidden[{i}]", width) for i, width in enumerate(value))


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
