"""fastmlp's estimators in pipelines that skl2onnx converts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("sklearn")

from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from fastmlp.export import register_skl2onnx  # noqa: E402
from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs


def run(pipeline: Any, X: Any, **options: Any) -> list[Any]:
    register_skl2onnx()
    model = skl2onnx.to_onnx(pipeline, X[:1], options=options or None)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: X})


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("labels", [["no", "yes"], [3, 5, 8]], ids=["two", "three"])
def test_a_classifier_of_a_pipeline_gives_the_same_in_onnx_runtime(
    rng: np.random.Generator, activation: str, labels: list[Any]
) -> None:
    X = rng.normal(3, 2, (80, 4)).astype(np.float32)
    y = np.array(labels)[rng.integers(0, len(labels), 80)]
    estimator = MLPClassifier((8, 5), activation=activation, max_iter=5, random_state=0)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(X, y)
    predicted, p = run(pipeline, X, zipmap=False)
    np.testing.assert_array_equal(predicted, pipeline.predict(X))
    np.testing.assert_allclose(p, pipeline.predict_proba(X), atol=2e-6)


def regression(rng: np.random.Generator, n_outputs: int) -> tuple[Any, Any]:
    X = rng.normal(3, 2, (80, 4)).astype(np.float32)
    y = X @ rng.normal(size=(4, n_outputs))
    estimator = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    return make_pipeline(StandardScaler(), estimator).fit(X, y.squeeze()), X


def test_a_regressor_of_a_pipeline_gives_the_same_in_onnx_runtime(
    rng: np.random.Generator,
) -> None:
    pipeline, X = regression(rng, 1)
    (h,) = run(pipeline, X)
    np.testing.assert_allclose(h.squeeze(), pipeline.predict(X), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("n_outputs", [2, 3])
def test_a_regressor_of_several_values_is_refused(rng: np.random.Generator, n_outputs: int) -> None:
    with pytest.raises(ValueError, match=f"one value only, and this one has {n_outputs}"):
        run(*regression(rng, n_outputs))


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_a_regressor_with_an_exponential_output_is_refused(
    rng: np.random.Generator, loss: str
) -> None:
    X = rng.normal(size=(40, 3)).astype(np.float32)
    estimator = MLPRegressor(loss=loss, max_iter=2, random_state=0).fit(X, np.exp(X[:, 0]))
    with pytest.raises(ValueError, match=rf"(?i)the loss of this one, {loss}.*has 'exp'; use fast"):
        run(make_pipeline(estimator), X)


def test_a_classifier_has_the_options_of_scikit_learn_s(rng: np.random.Generator) -> None:
    X = rng.normal(size=(40, 3)).astype(np.float32)
    net = MLPClassifier((4,), max_iter=2, random_state=0).fit(X, rng.integers(3, 5, 40))
    p = net.predict_proba(X)
    default = run(net, X)
    assert default[1][7] == pytest.approx(dict(zip([3, 4], p[7], strict=True)), abs=1e-6)
    assert run(net, X, zipmap=True, output_class_labels=False)[1] == default[1]
    for nocl in (True, False):
        np.testing.assert_array_equal(run(net, X, zipmap=False, nocl=nocl)[0], net.predict(X))
    _, *columns = run(net, X, zipmap="columns")
    np.testing.assert_allclose(np.column_stack(columns), p, atol=1e-6)
    *_, classes = run(net, X, zipmap=False, output_class_labels=True)
    np.testing.assert_array_equal(classes, [3, 4])


def test_what_scikit_learn_has_not_is_refused(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 2, 40)
    estimator = MLPClassifier((4,), activation="silu", max_iter=2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="SiLU"):
        run(make_pipeline(estimator), X)
