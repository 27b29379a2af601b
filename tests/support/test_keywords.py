"""Keywords that a function does not have: what was meant, and which function has it."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp.support import keywords


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epoch": 3}, "MLP.fit has no argument 'epoch'; did you mean 'epochs'?"),
        ({"validation_split": 0.1}, "did you mean 'validation_data'?"),
        ({"batchsize": 3}, "did you mean 'batch_size'?"),
        ({"x": 3}, "did you mean 'X'?"),
        ({"lr": 0.1}, "learning_rate is an argument of the optimizer, as in optimizer="),
        ({"learning_rate": 0.1}, "'learning_rate'; learning_rate is an argument of the optimizer"),
        ({"dropout": 0.1}, "dropout is an argument of MLP$"),
        ({"patience": 3}, r"early_stopping=fastmlp.EarlyStopping\(patience=5\)"),
        ({"metrics": []}, "MLP.fit has no argument 'metrics'. Known: X, y, epochs, "),
    ],
)
def test_keywords_that_fit_does_not_have(wrong, message):
    with pytest.raises(TypeError, match=message):
        fastmlp.MLP((2, 3, 2)).fit(**{"X": [[1, 2]], "y": [0], **wrong})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastmlp.MLP((2, 2), hidden_layer_sizes=3), "MLP has no .* did you mean 'sizes'?"),
        (lambda: fastmlp.MLP((2, 2), random_state=3), "did you mean 'seed'?"),
        (lambda: fastmlp.MLP((2, 2), epochs=3), "epochs is an argument of MLP.fit$"),
        (lambda: fastmlp.MLP((2, 2), device="cpu"), "Known: sizes, activation, output_activation"),
        (lambda: fastmlp.MLP(64, 100, 10), r"got 3 by place: write MLP\(\(64, 100, 10\)\)"),
        (lambda: fastmlp.MLP((2, 2), "tanh"), "takes sizes by place and other .* got 2 by place$"),
        (lambda: fastmlp.Adam(lr=0.1), "Adam has no argument 'lr'; did you mean 'learning_rate'?"),
        (lambda: fastmlp.Adam(weight_decay=0.1), "as in optimizer=fastmlp.AdamW"),
        (lambda: fastmlp.schedules.OneCycle(max_lr=1), "did you mean 'rate'?"),
        (lambda: fastmlp.activations.LeakyReLU(negative_slope=0.1), "did you mean 'slope'?"),
        (lambda: fastmlp.EarlyStopping(restore_best_weights=True), "did you mean 'restore_best'?"),
        (lambda: fastmlp.Checkpoint(filepath="a"), "did you mean 'path'?"),
        (lambda: fastmlp.augment.Distortion(rotate=3), "did you mean 'rotation'?"),
    ],
)
def test_keywords_that_a_class_does_not_have(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_keywords_of_an_ensemble_and_of_many_fits_are_guessed():
    nets = [fastmlp.MLP((2, 2), seed=seed) for seed in range(2)]
    with pytest.raises(TypeError, match="'epoch' is no keyword of MLP.fit; did you mean 'epochs'?"):
        fastmlp.Ensemble(nets).fit([[1, 2]], [0], epoch=3)
    with pytest.raises(TypeError, match="options: 'lr' is no keyword .* argument of the optimizer"):
        fastmlp.fit_many(nets, np.eye(2), np.arange(2), options={"lr": 3})


@pytest.mark.parametrize("name", keywords.SYNONYMS)
def test_each_synonym_means_an_argument_of_the_package(name):
    own = {
        argument
        for part in (
            fastmlp.MLP, fastmlp.MLP.fit, fastmlp.Checkpoint, fastmlp.tracking.TensorBoard,
            *vars(fastmlp.optimizers).values(), *vars(fastmlp.schedules).values(),
            *fastmlp.activations.TABLE.values(), fastmlp.EarlyStopping,
        )
        if callable(part) and getattr(part, "__module__", "").startswith("fastmlp")
        for argument in inspect.signature(part).parameters
    } | {"hidden"}  # of recipes, studies and search spaces  # fmt: skip
    assert {*keywords.SYNONYMS[name]} <= own


def test_signatures_are_those_of_the_constructors():
    assert "sizes" in inspect.signature(fastmlp.MLP).parameters
    assert [*inspect.signature(fastmlp.Adam).parameters][0] == "learning_rate"
    assert "epochs" in inspect.signature(fastmlp.MLP.fit).parameters
    for kind in (fastmlp.MLP, fastmlp.schedules.Cosine, fastmlp.activations.ReLU):
        assert kind.__signature__ == inspect.signature(kind)  # which sphinx reads first
        assert "self" not in kind.__signature__.parameters
    assert [*inspect.signature(fastmlp.schedules.Cosine(0.1)).parameters] == ["steps"]


def test_objects_are_copied_and_pickled_as_before():
    for one in (fastmlp.Adam(0.5), fastmlp.schedules.Cosine(0.1), fastmlp.losses.Huber(0.5)):
        assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one


def test_constructors_of_subclasses_take_what_they_name():
    class Wide(fastmlp.MLP):
        def __init__(self, n_in, n_out, **options):
            super().__init__((n_in, 2 * n_in, n_out), **options)

    class Fixed(fastmlp.EarlyStopping):
        def __init__(self, epoch, *others):
            super().__init__(patience=epoch)

    assert Wide(3, n_out=2, seed=1).sizes == (3, 6, 2)
    assert Fixed(4, 5, 6).patience == 4
    with pytest.raises(TypeError, match="MLP|Wide"):
        Wide(3, 2, lr=1)
