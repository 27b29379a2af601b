"""What a run can be set to: the keys of a study, and the network and training that they make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import activations, initializers, optimizers, schedules
from ..activations import Activation
from ..augment import Distortion
from ..callbacks import Callback
from ..history import History, TrainingDiverged
from ..initializers import Initializer
from ..network import MLP
from ..optimizers import Optimizer
from ..schedules import Schedule
from ..support import checks

__all__ = ["DEFAULTS", "Settings", "label", "located"]

# Every key of a configuration, and what it is where a study does not say: as in MLP and fit.
NETWORK: dict[str, Any] = {
    "activation": "relu",
    "init": "he_normal",
    "batch_norm": False,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "noise": 0.0,
    "dtype": "float32",
}
TRAINING: dict[str, Any] = {
    "epochs": 15,
    "batch_size": 100,
    "optimizer": "adam",
    "l2": 0.0,
    "label_smoothing": 0.0,
    "max_norm": None,
    "clip_norm": None,
    "ema": None,
    "augment": None,
}
DEFAULTS: dict[str, Any] = {"hidden": None, **NETWORK, **TRAINING, "schedule": "constant"}

# A width such as 25600000 is a slip of the hand: refused here, not by the machine an hour later.
MOST_WEIGHTS = 10**9


Part = TypeVar("Part", bound=Activation | Initializer | Optimizer | Schedule)


@dataclass(frozen=True)
class Settings:
    """A checked configuration: all that a run depends on beside its data and its seed.

    Attributes
    ----------
    hidden : tuple of int
        Numbers of hidden units.
    activation : tuple of Activation
        One for each hidden layer.
    init : Initializer
        Of the first parameters.
    batch_norm : tuple of bool
        One for each hidden layer.
    dropout, noise : tuple of float
        One for each hidden layer.
    input_dropout, dtype : float, str
        As `MLP` takes them.
    epochs, batch_size : int
        As `MLP.fit` takes them.
    optimizer : Optimizer
        Its learning rate is the schedule, if there is one.
    l2, label_smoothing : float
        As `MLP.fit` takes them.
    max_norm, clip_norm, ema : float or None
        As `MLP.fit` takes them.
    augment : fastmlp.augment.Distortion or None
        Of the images in training.
    """

    hidden: tuple[int, ...]
    activation: tuple[Activation, ...]
    init: Initializer
    batch_norm: tuple[bool, ...]
    dropout: tuple[float, ...]
    input_dropout: float
    noise: tuple[float, ...]
    dtype: str
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
    def of(cls, given: Mapping[str, object], n_in: int, n_out: int) -> Settings:
        """Check a configuration as TOML has it.

        Parameters
        ----------
        given : mapping
            Values by the keys of `DEFAULTS`; all but "hidden" may be missing.
        n_in, n_out : int
            Sizes of the network's input and output.

        Returns
        -------
        Settings
            Checked.

        Raises
        ------
        TypeError, ValueError
            Naming the key, what came and what was expected.
        """
        for key in given:
            if key not in DEFAULTS:
                raise ValueError(f"unknown key {key!r}{checks.nearest(key, DEFAULTS)}")
        hidden = _hidden(given.get("hidden"))
        weights = sum(a * b for a, b in pairwise((n_in, *hidden, n_out)))
        if weights > MOST_WEIGHTS:
            raise ValueError(
                f"hidden = {list(hidden)} makes {weights:,} weights; at most {MOST_WEIGHTS:,}"
            )
        value: dict[str, Any] = {**DEFAULTS, **given}
        for key in ("max_norm", "clip_norm", "ema", "augment"):  # TOML has no None
            if value[key] is False:
                value[key] = None
        value["init"] = _part("init", value["init"], initializers.TABLE)
        value["activation"] = _activations(value["activation"])
        value["optimizer"] = _optimizer(value["optimizer"], value["schedule"])
        augment = None if value["augment"] is None else _distortion(value["augment"])
        epochs = checks.whole("epochs", value["epochs"])
        batch_size = checks.whole("batch_size", value["batch_size"])
        net = _rehearse(value, len(hidden))
        return cls(
            hidden=hidden,
            activation=net.activation,
            init=value["init"],
            batch_norm=net.batch_norm,
            dropout=net.dropout,
            input_dropout=net.input_dropout,
            noise=net.noise,
            dtype=net.dtype.name,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=value["optimizer"],
            l2=float(value["l2"]),
            label_smoothing=float(value["label_smoothing"]),
            max_norm=None if value["max_norm"] is None else float(value["max_norm"]),
            clip_norm=None if value["clip_norm"] is None else float(value["clip_norm"]),
            ema=None if value["ema"] is None else float(value["ema"]),
            augment=augment,
        )

    def network(self, n_in: int, n_out: int, seed: int) -> MLP:
        """Make the network that these settings describe.

        Parameters
        ----------
        n_in, n_out : int
            Sizes of its input and output.
        seed : int
            Its seed.

        Returns
        -------
        MLP
            Not trained yet.
        """
        options = {key: getattr(self, key) for key in NETWORK}
        return MLP((n_in, *self.hidden, n_out), seed=seed, **options)

    def fit(
        self, net: MLP, X: NDArray[Any], y: NDArray[Any], callbacks: Sequence[Callback] = ()
    ) -> History:
        """Train a network as these settings say, on one thread.

        Parameters
        ----------
        net : MLP
            The network, as `network` made it.
        X, y : ndarray
            Examples and targets.
        callbacks : sequence of Callback, default ()
            As in `MLP.fit`.

        Returns
        -------
        History
            As of `MLP.fit`.
        """
        options = {key: getattr(self, key) for key in TRAINING}
        return net.fit(X, y, callbacks=callbacks, n_threads=1, **options)

    @property
    def plain(self) -> dict[str, Any]:
        """All settings as JSON has them: defaults filled in, so equal settings look equal."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @property
    def text(self) -> str:
        """All settings as one line that identifies them."""
        return json.dumps(self.plain, sort_keys=True)


def label(value: object) -> str:
    """Write a value as TOML has it in a few characters, for a table or a picture."""
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
    """Widths of the hidden layers; the one key that every study has to give."""
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


def _optimizer(value: object, course: object) -> Optimizer:
    """An optimizer whose learning rate takes a course, `schedule`, over the steps."""
    if isinstance(value, Mapping) and isinstance(value.get("learning_rate"), (Mapping, str)):
        raise TypeError(
            f"optimizer.learning_rate must be a number, got {value['learning_rate']!r}; the course "
            f"it takes over the steps is the key schedule"
        )
    optimizer = _part("optimizer", value, optimizers.TABLE)
    rate = optimizer.learning_rate
    schedule: Schedule = _part("schedule", course, schedules.TABLE, rate=rate)
    return optimizer if schedule.name == "constant" else replace(optimizer, learning_rate=schedule)


def _part(key: str, value: object, table: Mapping[str, type[Part]], **given: Any) -> Part:
    """A row of a table by its name, or by a TOML table of its name and parameters.

    `given` are parameters that come from elsewhere and may not stand there.
    """
    options: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {"name": value}
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise TypeError(
            f'{key} must be a name or a table with one, such as {{ name = "{next(iter(table))}" }};'
            f" got {label(value) if isinstance(value, Mapping) else repr(value)}"
        )
    kind = table[checks.known(key, name, table)]
    takes = {field.name: field for field in fields(kind) if field.name not in given}
    for option in options:
        if option in given:
            raise ValueError(f"{key}.{option} is not set: it comes from the optimizer")
        if option not in takes:
            close = checks.nearest(option, takes) if takes else "; it has no parameters"
            raise ValueError(f"unknown key {option!r} of {key} {name}{close}")
    for option, field in takes.items():
        if field.default is MISSING and option not in options:
            raise ValueError(f"{key} {name} needs {option}")
    with checks.within(key):
        return kind(**options, **given)


def _distortion(value: object) -> Distortion:
    """A distortion from a TOML table of its parameters."""
    if not isinstance(value, Mapping):
        raise TypeError(f"augment must be a table such as {{ rotation = 10 }}, got {value!r}")
    options = dict(value)
    takes = [field.name for field in fields(Distortion)]
    for key, one in options.items():
        if key not in takes:
            raise ValueError(f"augment: unknown key {key!r}{checks.nearest(key, takes)}")
        if key in ("gentle_classes", "shape"):
            if not isinstance(one, (list, tuple)):
                raise TypeError(f"augment: {key} must be a list of whole numbers, got {one!r}")
            options[key] = tuple(one)
    with checks.within("augment"):
        return Distortion(**options)


def _rehearse(value: Mapping[str, Any], n_hidden: int) -> MLP:
    """Have the core check all that it takes, by a network of as many layers, two units each.

    It is made and trained for a step as the true one will be, so nothing is checked by two rules.
    """
    options = {key: value[key] for key in NETWORK}
    net = MLP((2,) * (n_hidden + 2), **options)
    X, y = np.eye(2, dtype=np.float32), np.arange(2)
    options = {key: value[key] for key in TRAINING}
    options |= {"epochs": 1, "batch_size": 2, "augment": None}  # which has no image here
    with suppress(TrainingDiverged):  # which is a result, not a mistake
        net.fit(X, y, n_threads=1, **options)
    return net


def _plain(value: object) -> Any:
    if is_dataclass(value):  # whose numbers are floats to the core
        name = {"name": value.name} if hasattr(value, "name") else {}  # of a row of a table
        return name | {
            field.name: float(one) if isinstance(one, int) and not isinstance(one, bool) else one
            for field in fields(value)
            if (one := _plain(getattr(value, field.name))) is not None
        }
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


@contextmanager
def located(place: str) -> Iterator[None]:
    """Whatever a check finds wrong here is a ValueError that says where in the file it stands."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from None
