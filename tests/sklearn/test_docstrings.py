"""The parts of docstrings that both estimators share."""

from __future__ import annotations

import inspect

import pytest

pytest.importorskip("sklearn")

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402
from fastmlp.sklearn.docstrings import EXTRAS, shares_docstrings  # noqa: E402


@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
def test_shared_parameters_and_attributes_have_the_same_description(section):
    docscrape = pytest.importorskip("numpydoc.docscrape")
    one, other = (
        {entry.name: entry for entry in docscrape.NumpyDocString(inspect.getdoc(kind))[section]}
        for kind in (MLPClassifier, MLPRegressor)
    )
    alike = (one.keys() & other.keys()) - {"scoring"}  # whose default is accuracy or R²
    assert len(alike) > 10
    assert {name: one[name] for name in alike} == {name: other[name] for name in alike}


def test_shared_parameters_have_the_same_order_and_default():
    one, other = (inspect.signature(kind).parameters for kind in (MLPClassifier, MLPRegressor))
    assert [one[name] for name in one if name in other] == [
        other[name] for name in other if name in one
    ]


def test_a_shared_part_takes_the_indentation_of_its_place():
    class Estimator:
        pass

    Estimator.__doc__ = "An estimator.\n\n    first : int\n    {more_parameters}\n\n    End"
    assert shares_docstrings(score="the score")(Estimator) is Estimator
    part = ["    " + line for line in EXTRAS.replace("{score}", "the score").splitlines()]
    expected = ["An estimator.", "", "    first : int", *part, "", "    End"]
    assert Estimator.__doc__.splitlines() == expected
    assert "the score" in Estimator.__doc__


def test_without_docstrings_an_estimator_has_none():
    """As with python -OO."""

    class Estimator:
        pass

    assert shares_docstrings(score="the score")(Estimator).__doc__ is None
