"""load: networks and ensembles from files, each by its own class too."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Ensemble

SQUARED = (lambda h, y: ((h - y) ** 2).sum(axis=1) / 2, lambda h, y: h - y)


@pytest.fixture
def saved(net, tmp_path):
    """A file with a network and a file with an ensemble."""
    net.save(tmp_path / "net.npz")
    Ensemble([net, MLP((6, 8, 3), seed=2)]).save(tmp_path / "ensemble.npz")
    return tmp_path


class Own(MLP):
    """A subclass, as users have them."""


class OwnEnsemble(Ensemble):
    """Likewise."""


def test_load_returns_what_the_file_holds(saved, net, classes):
    assert type(fastmlp.load(saved / "net.npz")) is MLP
    assert type(fastmlp.load(saved / "ensemble.npz")) is Ensemble


@pytest.mark.parametrize("kind", [MLP, Own])
def test_a_network_is_loaded_by_its_class(saved, net, classes, kind):
    loaded = kind.load(saved / "net.npz")
    assert type(loaded) is kind
    assert loaded.history.epochs == 0
    np.testing.assert_array_equal(loaded.forward(classes[0]), net.forward(classes[0]))


@pytest.mark.parametrize("kind", [Ensemble, OwnEnsemble])
def test_an_ensemble_is_loaded_by_its_class(saved, classes, kind):
    loaded = kind.load(str(saved / "ensemble.npz"))
    assert type(loaded) is kind
    expected = fastmlp.load(saved / "ensemble.npz").forward(classes[0])
    np.testing.assert_array_equal(loaded.forward(classes[0]), expected)


def test_the_other_kind_of_file_is_refused_with_the_way_to_read_it(saved):
    with pytest.raises(ValueError, match=r"ensemble.npz holds an ensemble; .* Ensemble.load"):
        MLP.load(saved / "ensemble.npz")
    with pytest.raises(ValueError, match=r"net.npz holds a single network; .* MLP.load"):
        Ensemble.load(saved / "net.npz")


@pytest.mark.parametrize("load", [fastmlp.load, MLP.load, Ensemble.load])
def test_every_way_refuses_a_model_of_a_table(tmp_path, load):
    tabular = pytest.importorskip("fastmlp.tabular")
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = tabular.TabularRegressor(quality="fast", epochs=1, encoding="raw").fit(X, X[:, 0])
    model.save(tmp_path / "table.npz")
    with pytest.raises(ValueError, match=r"table.npz holds a model of a table: .*tabular.load"):
        load(tmp_path / "table.npz")


@pytest.mark.parametrize("load", [fastmlp.load, MLP.load, Ensemble.load])
def test_every_way_refuses_what_is_no_model_file(tmp_path, load):
    (tmp_path / "other.npz").write_bytes(b"other")
    with pytest.raises(ValueError, match="other.npz is not a whole fastmlp model file"):
        load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.npz")


def test_every_way_takes_a_loss_written_in_python(tmp_path, curve):
    net = MLP((2, 8, 1), loss=SQUARED)
    net.save(tmp_path / "net.npz")
    Ensemble([net]).save(tmp_path / "ensemble.npz")
    expected = net.predict(curve[0])
    for load in (fastmlp.load, MLP.load):
        found = load(tmp_path / "net.npz", loss=SQUARED)
        np.testing.assert_array_equal(found.predict(curve[0]), expected)
    found = Ensemble.load(tmp_path / "ensemble.npz", loss=SQUARED)
    np.testing.assert_array_equal(found.predict(curve[0]), expected)
    with pytest.raises(ValueError, match="loss was written in Python"):
        MLP.load(tmp_path / "net.npz")
