"""Averaged parameters in files: whether they are in use, and what fits the network."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.model import files


@pytest.fixture
def averaged(classes):
    """A network with averaged parameters that differ from its parameters."""
    net = MLP((6, 16, 3), seed=1, batch_norm=True)
    net.fit(*classes, epochs=2, ema=0.9)
    return net


@pytest.mark.parametrize("used", [True, False])
def test_use_average_comes_back_from_a_file(classes, averaged, tmp_path, used):
    X, _ = classes
    averaged.use_average = used
    averaged.save(tmp_path / "net.npz")
    back = fastmlp.load(tmp_path / "net.npz")
    assert back.use_average is used
    np.testing.assert_array_equal(back.forward(X), averaged.forward(X))
    back.use_average = averaged.use_average = not used
    np.testing.assert_array_equal(back.forward(X), averaged.forward(X))


def test_use_average_of_each_network_of_an_ensemble_comes_back(classes, averaged, tmp_path):
    plain = MLP((6, 16, 3), seed=2)
    Ensemble([averaged, plain]).save(tmp_path / "two.npz")
    back = Ensemble.load(tmp_path / "two.npz")
    assert [net.use_average for net in back.networks] == [True, False]


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.update(average_weight_1=arrays["average_weight_1"][:, :-1]),
        lambda arrays: arrays.update(average_bias_2=arrays["average_bias_2"][:-1]),
        lambda arrays: arrays.update(average_scale_1=np.ones(3, np.float32)),
        lambda arrays: arrays.update(average_weight_2=arrays["average_weight_2"].T),
        lambda arrays: arrays.update(average_bias_1=arrays["average_bias_1"].astype("float64")),
        lambda arrays: arrays.pop("average_scale_1"),
    ],
)
def test_averages_that_do_not_fit_the_network_are_refused(averaged, change):
    header, arrays = files.pack(averaged.state, {}, False)
    files.unpack(header, arrays)
    change(arrays)
    with pytest.raises(ValueError, match="the averaged parameters do not fit the network"):
        files.unpack(header, arrays)


@pytest.mark.parametrize("entry", [{"steps": -1}, {"steps": 1.5}])
def test_an_average_with_a_wrong_number_of_steps_is_refused(averaged, entry):
    header, arrays = files.pack(averaged.state, {}, False)
    header["average"] = {**header["average"], **entry}
    with pytest.raises((TypeError, ValueError), match="steps"):
        files.unpack(header, arrays)
