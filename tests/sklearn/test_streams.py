"""Repeated calls of partial_fit leave out checks whose result is known, and nothing else."""

from __future__ import annotations

import copy
import pickle
import weakref

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")
from sklearn import neural_network as theirs  # noqa: E402

from fastmlp import sklearn as ours  # noqa: E402
from fastmlp.sklearn import base, streams  # noqa: E402

OPTIONS = {"hidden_layer_sizes": (9,), "random_state": 3, "batch_size": 10}


def problem(kind, dtype="float64"):
    """X, y and what the first call of partial_fit needs besides."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4)).astype(dtype)
    if kind == "values":
        return X, rng.normal(size=50), {}
    y = 1 * (X[:, 0] > 0) + (X[:, 1] > 0 if kind == "three classes" else 0)
    if kind == "names":
        y = np.array(["no", "yes"])[y]
    return X, y, {"classes": np.unique(y)}


def estimator(kind, module=ours, **options):
    name = "MLPRegressor" if kind == "values" else "MLPClassifier"
    return getattr(module, name)(**OPTIONS, **options)


def in_parts(model, X, y, first, n_calls=6):
    for call in range(n_calls):
        rows = slice(7 * call, 7 * call + 15)
        model.partial_fit(X[rows], y[rows], **(first if call == 0 else {}))
    return model


KINDS = ["values", "two classes", "three classes", "names"]


@pytest.fixture
def n_checks(monkeypatch):
    """A list with an entry for each time that parameters are validated."""
    calls: list[int] = []
    validate = ours.MLPClassifier._validate_params

    def counted(self):
        calls.append(1)
        validate(self)

    for kind in (ours.MLPClassifier, ours.MLPRegressor):
        monkeypatch.setattr(kind, "_validate_params", counted)
    return calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_is_that_of_all_checks_and_scikit_learns(monkeypatch, n_checks, kind, dtype):
    X, y, first = problem(kind, dtype)
    model = in_parts(estimator(kind), X, y, first)
    assert len(n_checks) == 1
    monkeypatch.setattr(streams, "goes_on", lambda estimator: False)
    checked = in_parts(estimator(kind), X, y, first)
    assert len(n_checks) == 7
    assert model.network_.snapshot().tobytes() == checked.network_.snapshot().tobytes()
    assert model.loss_curve_ == checked.loss_curve_ and model.t_ == checked.t_
    expected = in_parts(estimator(kind, theirs), X, y, first)
    for ours_, theirs_ in zip(model.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(ours_, theirs_, rtol=1e-3, atol=1e-5)


def test_changed_parameters_are_checked(n_checks):
    X, y, first = problem("three classes")
    model = in_parts(estimator("three classes"), X, y, first)
    model.set_params(alpha=0.1)
    model.partial_fit(X, y).partial_fit(X, y)
    assert len(n_checks) == 2
    for name, value in (("alpha", -1.0), ("early_stopping", True), ("hidden_layer_sizes", (8,))):
        changed = copy.deepcopy(model).set_params(**{name: value})
        with pytest.raises(ValueError, match=name):
            changed.partial_fit(X, y)


def test_parameters_that_may_change_in_place_are_checked_in_every_call(n_checks):
    X, y, first = problem("three classes")
    sizes = [9]
    model = ours.MLPClassifier(sizes, random_state=3)
    in_parts(model, X, y, first, 3)
    assert len(n_checks) == 3
    sizes[0] = 8
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        model.partial_fit(X, y)


WRONG = {
    "NaN": lambda X, y: (np.where(X > 1, np.nan, X), y),
    "infinite": lambda X, y: (np.where(X > 1, np.inf, X), y),
    "columns": lambda X, y: (X[:, :3], y),
    "one axis": lambda X, y: (X[0], y[:1]),
    "rows": lambda X, y: (X, y[:-1]),
    "no rows": lambda X, y: (X[:0], y[:0]),
    "target": lambda X, y: (X, np.where(X[:, 0] > 1, np.nan, y) if y.dtype == float else y + 1),
}


@pytest.mark.parametrize("kind", ["values", "two classes", "three classes"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_refused_as_in_the_first_call(monkeypatch, kind, wrong):
    X, y, first = problem(kind)
    model = in_parts(estimator(kind), X, y, first, 2)
    checked = copy.deepcopy(model)
    with pytest.raises(ValueError) as found:
        model.partial_fit(*WRONG[wrong](X, y))
    monkeypatch.setattr(streams, "goes_on", lambda estimator: False)
    with pytest.raises(ValueError) as expected:
        checked.partial_fit(*WRONG[wrong](X, y))
    assert str(found.value) == str(expected.value)
    assert model.network_.snapshot().tobytes() == checked.network_.snapshot().tobytes()


@pytest.mark.parametrize("kind", ["values", "two classes", "three classes"])
@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger")
def test_scikit_learn_checks_plain_arrays_in_the_first_call_alone(monkeypatch, kind):
    calls = []
    validate = base.validate_data

    def counted(*arguments, **options):
        calls.append(arguments)
        return validate(*arguments, **options)

    monkeypatch.setattr(base, "validate_data", counted)
    X, y, first = problem(kind)
    model = in_parts(estimator(kind), X, y, first)
    model.partial_fit(X[:1], y[:1])
    assert len(calls) == 1
    model.partial_fit(X.tolist(), y)
    assert len(calls) == 2


def test_other_forms_of_the_same_numbers_are_the_same():
    pandas = pytest.importorskip("pandas")
    X, y, first = problem("three classes")
    expected = in_parts(estimator("three classes"), X, y, first)
    for form in (np.asfortranarray, pandas.DataFrame, lambda X: X.tolist()):
        model = estimator("three classes").partial_fit(X[:15], y[:15], **first)
        for call in range(1, 6):
            rows = slice(7 * call, 7 * call + 15)
            model.partial_fit(form(X[rows]), y[rows].tolist())
        assert model.network_.snapshot().tobytes() == expected.network_.snapshot().tobytes()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_goes_on_as_the_estimator_does(copied):
    X, y, first = problem("three classes")
    model = in_parts(estimator("three classes"), X, y, first)
    other = copied(model)
    for one in (model, other):
        one.partial_fit(X, y)
    assert model.network_.snapshot().tobytes() == other.network_.snapshot().tobytes()


def test_random_numbers_are_scikit_learns_and_nobody_elses():
    with streams.random_numbers(5) as outer:
        first = outer.random_sample(3)
        with streams.random_numbers(5) as inner:
            np.testing.assert_array_equal(inner.random_sample(3), first)
        second = outer.random_sample(3)
    expected = np.random.RandomState(5).random_sample(6)
    np.testing.assert_array_equal(np.concatenate([first, second]), expected)
    own = np.random.RandomState(1)
    with streams.random_numbers(own) as found:
        assert found is own


def test_a_plan_is_made_once_for_as_many_samples():
    X, y, first = problem("three classes")
    model = in_parts(estimator("three classes"), X, y, first)
    plan = model._plan
    assert model.partial_fit(X[:15], y[:15])._plan is plan
    assert model.partial_fit(X[:14], y[:14])._plan is not plan
    plan = model._plan
    assert model.set_params(alpha=0.1).partial_fit(X[:14], y[:14])._plan is not plan


@pytest.mark.parametrize("kind", KINDS)
def test_calls_with_other_numbers_of_samples_and_weights_are_those_of_all_checks(
    monkeypatch, kind
):
    X, y, first = problem(kind)
    models = [estimator(kind).partial_fit(X, y, **first) for _ in range(2)]

    def go_on(model):
        for n in (15, 15, 14, 15):
            model.partial_fit(X[:n], y[:n])
            model.partial_fit(X[:n], y[:n], np.linspace(0, 1, n))
            model.partial_fit(X[:n], y[:n])

    go_on(models[0])
    monkeypatch.setattr(streams, "goes_on", lambda estimator: False)
    go_on(models[1])
    assert models[0].loss_curve_ == models[1].loss_curve_
    assert len({model.network_.snapshot().tobytes() for model in models}) == 1


def test_every_call_warns_of_a_batch_size_that_is_clipped():
    X, y, first = problem("three classes")
    model = estimator("three classes").partial_fit(X, y, **first)
    for _ in range(3):
        with pytest.warns(UserWarning, match="batch_size"):
            model.partial_fit(X[:9], y[:9])


def test_losses_are_right_after_layers_were_frozen(monkeypatch):
    X, y, first = problem("three classes")
    models = [estimator("three classes", alpha=0.5).partial_fit(X, y, **first) for _ in range(2)]

    def go_on(model):
        model.partial_fit(X, y)
        model.network_.freeze(0)
        model.partial_fit(X, y)
        model.network_.unfreeze()
        model.partial_fit(X, y)

    go_on(models[0])
    monkeypatch.setattr(streams, "goes_on", lambda estimator: False)
    go_on(models[1])
    assert models[0].loss_curve_ == models[1].loss_curve_


def test_an_estimator_keeps_no_samples():
    X, y, first = problem("three classes")
    model = in_parts(estimator("three classes"), X, y, first)
    X = X.copy()
    alive = weakref.ref(X)
    model.partial_fit(X, y)
    del X
    assert alive() is None


@pytest.mark.parametrize("label", [-1, 3, 2**40])
def test_numbers_that_are_no_class_are_refused(label):
    X, y, first = problem("three classes")
    model = in_parts(estimator("three classes"), X, y, first)
    y[3] = label
    with pytest.raises(ValueError, match="classes not in"):
        model.partial_fit(X, y)


def test_streams_have_no_early_stopping():
    X, y, first = problem("three classes")
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        estimator("three classes", early_stopping=True).partial_fit(X, y, **first)


def test_a_solver_of_all_samples_has_no_streams():
    assert hasattr(estimator("three classes"), "partial_fit")
    assert not hasattr(estimator("three classes", solver="lbfgs"), "partial_fit")


@pytest.mark.parametrize(
    ("solver", "change"),
    [("adam", {"learning_rate_init": 0.1}), ("adam", {"beta_1": 0.5}), ("adam", {"epsilon": 1.0}),
     ("sgd", {"momentum": 0.1}), ("sgd", {"learning_rate_init": 0.1})],
    ids=str,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_new_constant_of_the_optimizer_takes_effect_after_fit_too(solver, change):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    before, after = (
        ours.MLPClassifier((3,), solver=solver, max_iter=2, random_state=0).fit(X, y)
        for _ in range(2)
    )
    after.set_params(**change)
    assert not np.array_equal(before.partial_fit(X, y).coefs_[0], after.partial_fit(X, y).coefs_[0])
