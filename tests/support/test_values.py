"""Optimizers, schedules, losses, activations and initializers compare by all their attributes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from fastmlp import activations, augment, initializers, losses, optimizers, schedules
from fastmlp.activations import Activation
from fastmlp.initializers import Initializer
from fastmlp.losses import Loss
from fastmlp.optimizers import Adam, GradientDescent, Optimizer
from fastmlp.schedules import Cosine, Schedule, Step
from fastmlp.support.values import Value

MODULES = (activations, augment, initializers, losses, optimizers, schedules)
DEFAULTS = [
    *(kind() for kind in activations.TABLE.values()),
    *(kind() for kind in initializers.TABLE.values()),
    *(kind() for kind in losses.TABLE.values()),
    *(kind() for kind in optimizers.TABLE.values()),
    schedules.Constant(0.1), Step(0.1, 5), schedules.Exponential(0.1, 5), Cosine(0.1),
    schedules.OneCycle(0.1), schedules.LogCosine(0.1), augment.Distortion(rotation=5),
]


class Triangle(Schedule):
    """A user's schedule that is not a dataclass."""

    name = "triangle"

    def __init__(self, period):
        self.period = period


class Pieces(Schedule):
    """A user's schedule with arrays."""

    name = "pieces"

    def __init__(self, *rates):
        self.rates = np.array(rates)


class Restarts(Cosine):
    """A user's schedule on top of one of fastmlp's."""

    def __init__(self, rate, period):
        super().__init__(rate)
        object.__setattr__(self, "period", period)


@dataclass(frozen=True)
class Dataclass(Schedule):
    """A user's schedule that is a dataclass."""

    name = "dataclass"
    period: int


OWN = {
    base: type("Own", (base,), {"name": "own"})
    for base in (Activation, Initializer, Loss, Optimizer, Schedule)
}


def own(base, **attributes):
    """An object of a user's subclass, with attributes that the base class does not know."""
    one = object.__new__(OWN[base])
    for name, value in attributes.items():
        object.__setattr__(one, name, value)
    return one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Triangle(5), Triangle(6)),
        (Pieces(1, 2), Pieces(1, 3)),
        (Pieces(1, 2), Pieces(1, 2, 3)),
        (Restarts(0.1, 5), Restarts(0.1, 6)),
        (Restarts(0.1, 5), Cosine(0.1)),
        (Dataclass(5), Dataclass(6)),
        (Step(0.1, 5), Step(0.1, 6)),
        (Step(0.1, 5), schedules.Exponential(0.1, 5)),
        (Adam(), optimizers.AdamW()),
        (Adam(0.1), Adam(0.2)),
        (Adam(Triangle(5)), Adam(Triangle(6))),
        (GradientDescent(0.1, 0.9), GradientDescent(0.1, 0.9, nesterov=True)),
        (losses.Huber(), losses.Huber(0.5)),
        (losses.Custom(min, max), losses.Custom(max, min)),
        (activations.ELU(), activations.LeakyReLU()),
        (augment.Distortion(), augment.Distortion(rotation=1)),
        *((own(base, a=1), own(base, a=2)) for base in OWN),
        *((own(base, a=1), own(base, b=1)) for base in OWN),
    ],
    ids=repr,
)
def test_different_objects_are_not_equal(one, other):
    assert one != other
    assert not one == other
    assert repr(one) != repr(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Triangle(5), Triangle(5)),
        (Pieces(1, 2), Pieces(1, 2)),
        (Restarts(0.1, 5), Restarts(0.1, 5)),
        (Dataclass(5), Dataclass(5)),
        (Adam(Triangle(5)), Adam(Triangle(5))),
        (losses.Custom(min, max), losses.Custom(min, max)),
        (losses.Quantile([0.1, 0.5]), losses.Quantile((0.1, 0.5))),
        *((one, copy.deepcopy(one)) for one in DEFAULTS),
        *((one, pickle.loads(pickle.dumps(one))) for one in DEFAULTS),
    ],
    ids=repr,
)
def test_equal_objects_have_equal_hashes(one, other):
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("one", DEFAULTS, ids=repr)
def test_objects_differ_from_others_and_are_shown_with_all_attributes(one):
    assert one != 1
    assert one != type(one).__name__
    assert sum(one == other for other in DEFAULTS) == 1
    module = next(m for m in MODULES if type(one).__name__ in vars(m) and
                  vars(m)[type(one).__name__] is type(one))
    assert eval(repr(one), vars(module)) == one  # noqa: S307


@pytest.mark.parametrize("one", [d for d in DEFAULTS if vars(d)], ids=repr)
def test_attributes_cannot_be_set(one):
    with pytest.raises(AttributeError):
        setattr(one, next(iter(vars(one))), 0)


def test_a_user_s_schedule_is_shown_with_its_attributes():
    assert repr(Triangle(5)) == "Triangle(period=5)"
    assert repr(Adam(Triangle(5))).startswith("Adam(learning_rate=Triangle(period=5), beta_1=")


def test_attributes_that_are_arrays_or_have_no_hash_are_compared_too():
    class Table(Value):
        def __init__(self, held):
            self.__dict__["held"] = held

    numbers = np.arange(3)
    assert Table(numbers) == Table(numbers.copy()) != Table(np.arange(4))
    assert Table(numbers) != Table(None) and Table(None) != Table(numbers)
    assert Table(([],)) == Table(([],)) and hash(Table(([],))) == hash(Table(([],)))
