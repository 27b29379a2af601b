"""scikit-learn: estimators that predict what networks do, both ways."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP
from fastmlp.export import from_sklearn, to_sklearn
from fastmlp.support.labels import label_array

pytest.importorskip("sklearn")

from sklearn.base import is_classifier  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402

KINDS = ["classes", "two classes", "yes or no", "several labels", "one value", "linear", "poisson"]
HIDDEN = ["identity", "sigmoid", "tanh", "relu"]


@pytest.fixture(params=HIDDEN)
def net(request, dtype, make, kind):
    return make(kind, dtype=dtype, activation=request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimator_predicts_as_the_network(net, X, close):
    estimator = to_sklearn(net)
    X = X.astype(net.dtype)
    assert is_classifier(estimator) == net.loss.classification
    if not net.loss.classification:
        close(estimator.predict(X), net.predict(X))
        return
    np.testing.assert_array_equal(estimator.predict(X), net.predict(X))
    p = net.predict_proba(X)
    close(estimator.predict_proba(X), np.hstack([1 - p, p]) if p.shape[1] == 1 else p)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_network_comes_back(net, X, close):
    back = from_sklearn(to_sklearn(net))
    assert back.dtype == net.dtype
    if len(net.sizes) > 2:
        assert back.activation[0] == net.activation[0]
    h = net.forward(X)
    softmax_of_two = net.sizes[-1] == 2 and net.loss.name == "cross_entropy"
    close(back.forward(X), h[:, 1:] if softmax_of_two else h)


def test_classes_have_their_names(make, X):
    net = make()
    names = np.array(["a", "b", "ü"])
    estimator = to_sklearn(net, names)
    np.testing.assert_array_equal(estimator.classes_, names)
    np.testing.assert_array_equal(estimator.predict(X), names[net.predict(X)])
    net.metadata["classes"] = [10, 20, 30]
    assert to_sklearn(net).classes_.tolist() == [10, 20, 30]
    assert from_sklearn(estimator).metadata["classes"] == ["a", "b", "ü"]


def test_training_goes_on_there(make, classes):
    X, y = classes
    net = make()
    estimator = to_sklearn(net)
    assert estimator.n_iter_ == net.epochs
    before = estimator.score(X, y)
    for _ in range(100):
        estimator.partial_fit(X, y)
    assert estimator.score(X, y) > max(before, 0.8)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("target", ["several classes", "two classes", "labels", "values"])
def test_networks_predict_as_fitted_estimators(activation, target, classes, close):
    X, y = classes
    X = X.astype(np.float64)
    targets = {
        "several classes": np.array(["x", "y", "z"])[y],
        "two classes": y > 0,
        "labels": np.column_stack([y > 0, y > 1]),
        "values": np.column_stack([X[:, 0] ** 2, X[:, 1]]),
    }
    kind = MLPRegressor if target == "values" else MLPClassifier
    estimator = kind(hidden_layer_sizes=(7, 5), activation=activation, max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, targets[target])
    net = from_sklearn(estimator)
    if target == "values":
        close(net.predict(X), estimator.predict(X))
        return
    p = estimator.predict_proba(X)
    close(net.predict_proba(X), p[:, 1:] if target == "two classes" else p)
    assert net.metadata["classes"] == estimator.classes_.tolist()


@pytest.mark.parametrize(
    "names",
    [
        [False, True],
        [1.0, 2.0],
        [1, 2**64 - 1],
        [-(2**63), 2**63 - 1],
        ["a", "ü"],
        [7],
        ["only"],
    ],
    ids=str,
)
def test_labels_of_every_type_go_there_and_come_back(names, make, X, tmp_path):
    net = make("yes or no", dtype="float64")
    net.metadata["classes"] = names
    net.save(tmp_path / "net.npz")
    estimator = to_sklearn(fastmlp.load(tmp_path / "net.npz"))
    assert estimator.classes_.tolist() == names
    expected = [names[min(k, len(names) - 1)] for k in net.predict(X)]
    assert estimator.predict(X).tolist() == expected
    back = from_sklearn(estimator)
    assert back.metadata["classes"] == names
    assert [type(one) for one in back.metadata["classes"]] == [type(one) for one in names]
    np.testing.assert_allclose(back.forward(X), net.forward(X), rtol=1e-12)


@pytest.mark.parametrize("labels", [[3], ["only"], [False, True], [1.0, 3.0], [1, 2**64 - 1]])
@pytest.mark.parametrize("package", ["sklearn.neural_network", "fastmlp.sklearn"])
def test_labels_of_fitted_estimators_come_along(labels, package, X, tmp_path):
    y = label_array(labels)[np.arange(len(X)) % len(labels)]
    y = y.astype(str) if y.dtype == object else y
    kind = importlib.import_module(package).MLPClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # scikit-learn's own, of uint64
        estimator = kind((4,), max_iter=3, random_state=0).fit(X, y)
    net = from_sklearn(estimator)
    net.save(tmp_path / "net.npz")
    assert fastmlp.load(tmp_path / "net.npz").metadata["classes"] == labels


def test_names_of_features_come_along(classes):
    pandas = pytest.importorskip("pandas")
    X, y = classes
    frame = pandas.DataFrame(X, columns=[f"größe {j}" for j in range(6)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator = MLPClassifier((4,), max_iter=3, random_state=0).fit(frame, y)
    assert from_sklearn(estimator).metadata["columns"] == list(frame.columns)


@pytest.mark.parametrize("kind", ["one value", "poisson", "gamma", "huber", "quantiles"])
def test_the_estimator_has_the_network_s_loss(kind, make, X):
    net = make(kind, activation="relu")
    estimator = to_sklearn(net)
    back = from_sklearn(estimator)
    assert back.loss == net.loss
    y = net.forward(X.astype(np.float32)) + 0.1
    if kind in ("one value", "poisson"):
        assert estimator.loss == net.loss.name
        estimator.partial_fit(X, y.squeeze())
    else:
        with pytest.raises(ValueError, match="The 'loss' parameter of MLPRegressor"):
            estimator.fit(X, y)
        with pytest.raises(KeyError, match=type(net.loss).__name__):
            to_sklearn(net).partial_fit(X, y)


def test_a_squared_error_with_another_output_does_not_train_as_poisson(make, X):
    net = make("one value", activation="tanh", output_activation="exponential")
    estimator = to_sklearn(net)
    np.testing.assert_allclose(estimator.predict(X), net.predict(X), rtol=1e-5)
    assert estimator.loss == net.loss
    assert from_sklearn(estimator).loss == net.loss


def test_losses_of_training_are_handed_over(make, X):
    net = make("linear")
    estimator = to_sklearn(net)
    np.testing.assert_allclose(estimator.loss_curve_, np.array(net.history.cost) / 3)
    assert estimator.loss_ == estimator.loss_curve_[-1]
    assert estimator.best_loss_ == min(estimator.loss_curve_)
    untrained = to_sklearn(MLP((6, 3), loss="squared_error"))
    assert np.isnan(untrained.loss_) and untrained.loss_curve_ == []


def test_what_scikit_learn_does_not_have_is_refused(make, ensemble):
    for name in ("gelu", "mixed"):
        with pytest.raises(ValueError, match="one activation for all hidden layers, identity, sig"):
            to_sklearn(make(name))
    with pytest.raises(ValueError, match="regressors have output activation identity.*has ELU"):
        to_sklearn(make("output activation"))
    with pytest.raises(TypeError, match="export its networks one by one"):
        to_sklearn(ensemble)


@pytest.mark.parametrize("given", [["a", "b"], ["c", "b", "a"], ["a", "a", "b"], ["a"], [[1, 2, 3]],
                                   np.array(["a", 1, 2], object)])
def test_classes_that_do_not_fit_are_refused(given, make):
    with pytest.raises(ValueError, match="classes must be 3 names in ascending order"):
        to_sklearn(make(), given)


def test_other_objects_are_refused():
    others = [], MLP((2, 3)), MLP  # networks have activations too
    for other in others:
        with pytest.raises(TypeError, match="must be an MLPClassifier or MLPRegressor, got "):
            from_sklearn(other)
    with pytest.raises(ValueError, match=r"MLPClassifier\(\) is not fitted"):
        from_sklearn(MLPClassifier())


def test_an_estimator_that_holds_a_network_gives_a_copy_of_it(make, X):
    class Estimator:
        network_ = make("gelu")
        classes_ = np.array([3, 4, 5])

    back = from_sklearn(Estimator())
    assert isinstance(back, MLP)
    assert back is not Estimator.network_
    np.testing.assert_array_equal(back.forward(X), Estimator.network_.forward(X))
    assert back.metadata == {"classes": [3, 4, 5]}
    assert Estimator.network_.metadata == {}


def test_groups_of_classes_have_no_estimator_there(make):
    with pytest.raises(ValueError, match=r"one softmax over all outputs; .* groups \(3, 2, 4\)"):
        to_sklearn(make("groups"))


def test_columns_of_classes_come_along(classes):
    from fastmlp.sklearn import MLPClassifier

    X, y = classes
    columns = np.column_stack([np.array(["x", "y", "z"])[y], np.array(["no", "yes"])[y % 2]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier(max_iter=3, random_state=0).fit(X, columns)
    net = from_sklearn(model)
    assert net.metadata["classes"] == [["x", "y", "z"], ["no", "yes"]]
    np.testing.assert_array_equal(net.forward(X), np.hstack(model.predict_proba(X)))
