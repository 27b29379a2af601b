"""Training by a recipe: the same networks as the calls that the recipe stands for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, AdamW, Ensemble, recipes
from fastmlp.augment import Distortion
from fastmlp.schedules import FlatCosine, OneCycle

Digits = tuple[np.ndarray, np.ndarray]
Same = Callable[..., None]


def by_hand(X: np.ndarray, y: np.ndarray, seed: int) -> MLP:
    """The recipe written out as calls."""
    net = MLP(
        (64, 16, 12, 10), batch_norm=True, dropout=0.2, input_dropout=0.1, noise=0.1, seed=seed
    )
    net.fit(
        X,
        y,
        epochs=6,
        batch_size=30,
        optimizer=AdamW(OneCycle(0.01), beta_2=0.98, weight_decay=FlatCosine(0.1)),
        dropout_schedule=FlatCosine(1),
        l2=1e-4,
        label_smoothing=0.1,
        max_norm=2.0,
        clip_norm=5.0,
        ema=0.9,
        augment=Distortion(rotation=10, translation=0.5, gentle_classes=(1, 7)),
    )
    return net


def test_a_recipe_trains_the_same_network_as_the_calls(
    everything: recipes.Recipe, digits: Digits, assert_same: Same
) -> None:
    net, history = recipes.train(everything, *digits, seed=3)
    expected = by_hand(*digits, seed=3)
    assert_same(net, expected)
    assert history.cost == expected.history.cost
    assert net.history is history
    assert history.stopped_by == "epochs"


def test_the_networks_of_an_ensemble_have_seeds_of_their_own(
    ensemble: recipes.Recipe, digits: Digits, assert_same: Same
) -> None:
    model, histories = recipes.train(ensemble, *digits, seed=2)
    assert isinstance(model, Ensemble)
    for net, history, seed in zip(model.networks, histories, (6, 7, 8), strict=True):
        expected = by_hand(*digits, seed=seed)
        assert_same(net, expected)
        assert history.cost == expected.history.cost


def test_no_bit_depends_on_the_number_of_threads(
    either: recipes.Recipe, digits: Digits, assert_same: Same
) -> None:
    one, two = (recipes.train(either, *digits, n_threads=n_threads)[0] for n_threads in (1, 2))
    assert_same(one, two)


def test_bytes_are_multiplied_by_the_recipe_s_scale(
    changed: Callable[..., dict[str, Any]], digits: Digits, assert_same: Same
) -> None:
    X, y = (16 * digits[0]).astype(np.uint8), digits[1]
    scaled = recipes.parse(changed(network={"uint8_scale": 1 / 16}, augment=None))
    net, _ = recipes.train(scaled, X, y)
    assert_same(net, recipes.train(scaled, X.astype(np.float32) / 16, y)[0])


def test_validation_data_are_evaluated_and_do_not_change_the_training(
    everything: recipes.Recipe, digits: Digits, assert_same: Same
) -> None:
    X, y = fastmlp.datasets.digits()
    X_validation, y_validation = X[200:300], y[200:300]
    net, history = recipes.train(
        everything, *digits, validation_data=(X_validation, y_validation)
    )
    assert history.validation_accuracy[-1] == np.mean(net.predict(X_validation) == y_validation)
    assert len(history.validation_cost) == 6
    assert_same(net, recipes.train(everything, *digits)[0])


def test_targets_may_be_probabilities(everything: recipes.Recipe, digits: Digits) -> None:
    X, y = digits
    net, _ = recipes.train(everything, X, np.eye(10)[y][:, ::-1], seed=1)
    assert net.sizes == (64, 16, 12, 10)


def test_verbose_prints_a_line_for_each_epoch(
    everything: recipes.Recipe, digits: Digits, capsys: pytest.CaptureFixture[str]
) -> None:
    _, history = recipes.train(everything, *digits, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[5].startswith(f"epoch 6/6  cost {history.cost[5]:.6g}  ")


def test_wrong_arguments_are_errors(
    everything: recipes.Recipe, digits: Digits, tmp_path: Path
) -> None:
    X, y = digits
    with pytest.raises(ValueError, match=r"X has shape \(200, 8, 8\)"):
        recipes.train(everything, X.reshape(200, 8, 8), y)
    with pytest.raises(ValueError, match="X is empty"):
        recipes.train(everything, X[:0], np.zeros((0, 10)))
    with pytest.raises(TypeError, match="validation_data must be a pair"):
        recipes.train(everything, X, y, validation_data=0.1)
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        recipes.train(everything, X, y, checkpoint=tmp_path / "nowhere" / "run.npz")
