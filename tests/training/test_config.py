"""The options of a call of fit: checked one by one, and frozen."""

from __future__ import annotations

import dataclasses
import inspect
import math

import pytest

from fastmlp import MLP, Adam, GradientDescent
from fastmlp.augment import Distortion
from fastmlp.schedules import Constant
from fastmlp.training import FitConfig, FitOptions


@pytest.fixture
def spec():
    return MLP((16, 8, 3)).state.spec


def test_defaults_are_those_of_fit(spec):
    config = FitConfig.checked(spec)
    assert (config.epochs, config.batch_size, config.shuffle) == (15, 100, True)
    assert (config.optimizer, config.reset_optimizer) == (Adam(), False)
    assert (config.cost_below, config.max_seconds) == (-math.inf, math.inf)
    assert config.n_threads is None
    step = config.step
    assert (step.l2, step.label_smoothing, step.max_norm, step.clip_norm, step.ema) == (0,) * 5
    assert step.rate_multipliers == step.l2_multipliers == ()  # all 1
    assert (step.bias_rate_multipliers, config.dropout_schedule) == ((), None)
    assert (step.distortion, step.by_row_hash, step.l2_per_weight) == (None, False, False)
    assert (step.encoding_rate_multiplier, step.scaling_rate_multiplier) == (1, 1)
    assert (step.scaling_decay_multiplier, step.max_cost, step.batch_sums) == (0, 0, None)


def test_defaults_of_every_option_are_written_alike():
    """In fit's signature and in the config's."""
    fit, config = (
        {name: one.default for name, one in inspect.signature(function).parameters.items()}
        for function in (MLP.fit, FitConfig.checked)
    )
    common = fit.keys() & config.keys()
    assert {name: fit[name] for name in common} == {name: config[name] for name in common}
    assert config.keys() - common == {
        "spec", "l2_per_weight", "by_row_hash", "max_cost", "batch_sums"
    }


def test_options_of_an_ensemble_are_those_of_fit():
    names = inspect.signature(MLP.fit).parameters.keys()
    own = {"self", "X", "y", "callbacks", "early_stopping", "verbose", "n_threads"}
    assert FitOptions.__annotations__.keys() == names - own


def test_options_reach_the_step(spec):
    options = {
        "l2": 0.1, "label_smoothing": 0.2, "max_norm": 3, "clip_norm": 4, "ema": 0.5,
        "encoding_rate_multiplier": 2.0, "scaling_rate_multiplier": 3.0,
        "scaling_decay_multiplier": 0.25,
    }  # fmt: skip
    step = FitConfig.checked(
        spec, rate_multipliers=[0, 1], l2_multipliers=(2, 3), bias_rate_multipliers=0.1,
        augment=Distortion(), **options
    ).step
    assert {name: getattr(step, name) for name in options} == options
    assert (step.rate_multipliers, step.l2_multipliers) == ((0.0, 1.0), (2.0, 3.0))
    assert step.bias_rate_multipliers == (0.1, 0.1)
    assert step.distortion is not None


def test_an_order_and_a_schedule_are_taken_as_they_are(spec):
    schedule = Constant(0.3)
    config = FitConfig.checked(spec, shuffle=reversed, dropout_schedule=schedule)
    assert config.shuffle is reversed and config.dropout_schedule is schedule
    assert FitConfig.checked(spec, shuffle=False).shuffle is False
    with pytest.raises(TypeError, match="dropout_schedule must be a schedule such as"):
        FitConfig.checked(spec, dropout_schedule=0.3)


@pytest.mark.parametrize("part", [lambda config: config, lambda config: config.step])
def test_a_config_cannot_be_changed(spec, part):
    config = part(FitConfig.checked(spec))
    for field in dataclasses.fields(config):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, field.name, None)


def test_configs_of_the_same_options_are_equal(spec):
    options = {"epochs": 3, "optimizer": GradientDescent(0.1), "l2": 0.1}
    assert FitConfig.checked(spec, **options) == FitConfig.checked(spec, **options)
    assert FitConfig.checked(spec, **options) != FitConfig.checked(spec, **options | {"l2": 0.2})


def test_limits_are_of_the_network(spec):
    regression = MLP((16, 8, 3), loss="squared_error").state.spec
    with pytest.raises(ValueError, match="label_smoothing is for classification"):
        FitConfig.checked(regression, label_smoothing=0.1)
    with pytest.raises(ValueError, match="rate_multipliers has 3 entries for 2 layers of weights"):
        FitConfig.checked(spec, rate_multipliers=[1, 1, 1])
    with pytest.raises(ValueError, match="distortions are for square images; 15 inputs"):
        FitConfig.checked(MLP((15, 3)).state.spec, augment=Distortion())
    with pytest.raises(TypeError, match="augment must be a fastmlp.augment.Distortion"):
        FitConfig.checked(spec, augment="affine")
