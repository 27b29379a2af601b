"""Parameters of a model that was saved and loaded: equal, of the same types, and good for a fit."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import make_scorer, mean_absolute_error

from fastmlp import activations
from fastmlp.tabular import TabularClassifier, TabularRegressor, load
from fastmlp.tabular.parameters import kept, restored, shown

FAST = {"quality": "fast", "epochs": 2, "random_state": 0, "n_threads": 1}
x = np.random.default_rng(0).normal(size=(80, 2))
TABLE = pd.DataFrame(x, columns=["a", "b"])
CODES = (x[:, 0] > 0).astype(int)


def saved_and_loaded(model, folder):
    model.save(folder / "model.npz")
    return load(folder / "model.npz")


@pytest.mark.parametrize(
    ("labels", "class_weight"),
    [
        (CODES, {0: 1, 1: 2.5}),
        (CODES == 1, {False: 1.0, True: 3.0}),
        (np.array(["no", "yes"])[CODES], {"no": 1, "yes": 2}),
        (np.array(["0", "01"])[CODES], {"0": 1, "01": 2}),
        (np.array(["tuple", "dict"])[CODES], {"tuple": 1, "dict": 2}),
        (CODES.astype(float), {0.0: np.float64(1.5), np.float64(1.0): 2}),
        (CODES, "balanced"),
        (CODES, None),
    ],
)
def test_class_weights_keep_the_types_of_their_keys(labels, class_weight, tmp_path):
    model = TabularClassifier(class_weight=class_weight, **FAST).fit(TABLE, labels)
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.get_params() == model.get_params()
    if isinstance(class_weight, dict):
        kinds = [type(key) for key in loaded.class_weight]
        assert kinds == [type(getattr(key, "item", lambda key=key: key)()) for key in class_weight]
    again = clone(loaded).fit(TABLE, labels)
    np.testing.assert_array_equal(again.predict_proba(TABLE), model.predict_proba(TABLE))


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_layer_sizes": (16, 8)},
        {"hidden_layer_sizes": [16, 8]},
        {"hidden_layer_sizes": (np.int64(16),)},
        {"activation": activations.LeakyReLU(0.3)},
        {"metric": "mae", "random_state": np.int32(3)},
    ],
)
def test_a_loaded_model_can_be_fitted_again(parameters, tmp_path):
    model = TabularRegressor(**{**FAST, **parameters}).fit(TABLE, x[:, 0])
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.get_params() == model.get_params()
    assert loaded.plan_ == model.plan_
    again = clone(loaded).fit(TABLE, x[:, 0])
    np.testing.assert_array_equal(again.predict(TABLE), model.predict(TABLE))


def test_sizes_of_layers_may_be_an_array(tmp_path):
    model = TabularRegressor(**FAST, hidden_layer_sizes=np.array([16, 8])).fit(TABLE, x[:, 0])
    assert {one.sizes[1:-1] for one in model.networks_} == {(16, 8)}
    assert saved_and_loaded(model, tmp_path).hidden_layer_sizes == [16, 8]
    assert shown(model.hidden_layer_sizes) == [16, 8]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"learning_rate": 1e-50}, "^learning_rate is 1e-50, which is 0 in a float32 network"),
        ({"weight_decay": 1e300}, "^weight_decay is .*, which is inf in a float32 network"),
    ],
)
def test_what_the_networks_cannot_hold_is_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        TabularRegressor(**FAST, **parameters).fit(TABLE, x[:, 0])


@pytest.mark.parametrize("sizes", ["16", 16.0, {16}])
def test_sizes_of_layers_that_are_none_are_shown_as_they_are(sizes):
    with pytest.raises(TypeError, match="^hidden_layer_sizes must be a whole number, got .*16"):
        TabularRegressor(**FAST, hidden_layer_sizes=sizes).fit(TABLE, x[:, 0])


def test_the_plan_of_the_networks_is_kept():
    model = TabularRegressor(**{**FAST, "n_members": 3, "dropout": 0.3}).fit(TABLE, x[:, 0])
    assert [one.encoding for one in model.plan_.networks] == model.encodings_
    assert {(one.epochs, one.dropout) for one in model.plan_.networks} == {(2, 0.3)}


@pytest.mark.parametrize(
    "parameter",
    [{"metric": make_scorer(mean_absolute_error)}, {"random_state": np.random.RandomState(0)}],
)
def test_what_a_file_cannot_keep_is_refused_with_a_remedy(parameter, tmp_path):
    model = TabularRegressor(**{**FAST, **parameter}).fit(TABLE, x[:, 0])
    ((name, _),) = parameter.items()
    with pytest.raises(ValueError, match=rf"{name} is .*model\.set_params\({name}=None\)"):
        model.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())
    before = model.predict(TABLE)
    loaded = saved_and_loaded(model.set_params(**{name: None}), tmp_path)
    np.testing.assert_array_equal(loaded.predict(TABLE), before)


def test_parameters_are_kept_and_shown_in_the_types_of_json():
    value = {1: (2, [None, "a"]), None: {"tuple": True}}
    assert restored(json.loads(json.dumps(kept("p", value)))) == value
    assert json.loads(json.dumps(shown(value))) == {"1": [2, [None, "a"]], "None": {"tuple": True}}
    assert shown(len) == str(len)
