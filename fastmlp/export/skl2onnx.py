"""fastmlp's estimators in the ONNX files of skl2onnx: steps of a scikit-learn Pipeline."""

from __future__ import annotations

from typing import Any

from ..support.extras import imported
from .sklearn import to_sklearn

__all__ = ["register_skl2onnx"]


def register_skl2onnx() -> None:
    """Let skl2onnx convert pipelines with `fastmlp.sklearn.MLPClassifier` and `MLPRegressor`.

    They are written as scikit-learn's own estimators with their weights, batch norm folded in, so
    that an estimator whose activation function scikit-learn does not have cannot be converted.
    Calling the function again changes nothing.

    Raises
    ------
    ImportError
        If skl2onnx is not installed (extra ``skl2onnx``).

    See Also
    --------
    to_onnx : Networks, and models of tables with all their preprocessing, without skl2onnx.

    Notes
    -----
    With a pipeline that ends in one of the estimators::

        fastmlp.export.register_skl2onnx()
        onnx_model = skl2onnx.to_onnx(pipeline, X[:1].astype(np.float32))
    """
    skl2onnx = imported("skl2onnx", "skl2onnx")
    converters = imported("skl2onnx.operator_converters.multilayer_perceptron", "skl2onnx")
    shapes = imported("skl2onnx.common.shape_calculator", "skl2onnx")
    from ..sklearn import MLPClassifier, MLPRegressor

    skl2onnx.update_registered_converter(
        MLPClassifier,
        "FastmlpMLPClassifier",
        shapes.calculate_linear_classifier_output_shapes,
        _as_sklearn(converters.convert_sklearn_mlp_classifier),
        options={"zipmap": [True, False, "columns"], "output_class_labels": [False, True],
                 "nocl": [True, False]},
    )
    skl2onnx.update_registered_converter(
        MLPRegressor,
        "FastmlpMLPRegressor",
        shapes.calculate_linear_regressor_output_shapes,
        _as_sklearn(converters.convert_sklearn_mlp_regressor),
    )


def _as_sklearn(convert: Any) -> Any:
    """Return a converter that sees an estimator of fastmlp as one of scikit-learn."""
    from sklearn.base import RegressorMixin

    def converter(scope: Any, operator: Any, container: Any) -> None:
        own = operator.raw_operator
        if isinstance(own, RegressorMixin) and own.n_outputs_ > 1:
            raise ValueError(  # it would write the outputs one below the other
                f"skl2onnx converts networks of one value only, and this one has "
                f"{own.n_outputs_}; use fastmlp.export.to_onnx for the network"
            )
        if isinstance(own, RegressorMixin) and own.out_activation_ != "identity":
            raise ValueError(  # it does not know scikit-learn's exponential output either
                f"skl2onnx converts regressors with the output activation 'identity' only, and the "
                f"loss of this one, {own.network_.loss!r}, has {own.out_activation_!r}; use "
                f"fastmlp.export.to_onnx for the network"
            )
        operator.raw_operator = to_sklearn(own.network_)
        try:
            convert(scope, operator, container)
        finally:
            operator.raw_operator = own

    return converter
