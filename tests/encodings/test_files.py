"""Networks with encodings: files, copies, pickles, new heads, and what exports refuse."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Ensemble, export
from fastmlp.encodings import Embedding, Periodic
from fastmlp.model import files, headers


@pytest.fixture(params=["fixed", "learned"])
def net(request, table) -> MLP:
    encodings = table.encodings
    if request.param == "learned":
        encodings = [Periodic(5, 2), Embedding(5, 3), encodings[2], Embedding(40)]
    net = MLP((4, 12, 3), encodings=encodings, input_scaling=request.param == "learned")
    net.fit(table.X, table.y, epochs=2, ema=0.9)
    return net


ROUND_TRIPS = {
    "file": lambda net, path: (net.save(path), fastmlp.load(path))[1],
    "copy": lambda net, path: copy.deepcopy(net),
    "pickle": lambda net, path: pickle.loads(pickle.dumps(net)),
    "ensemble": lambda net, path: (
        Ensemble([net]).save(path), fastmlp.load(path).networks[0]
    )[1],
    "safetensors": lambda net, path: (
        export.to_safetensors(net, path), export.from_safetensors(path)
    )[1],
}  # fmt: skip


@pytest.mark.parametrize("trip", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_what_comes_back_is_what_went(net, table, tmp_path, trip):
    back = trip(net, tmp_path / "net")
    assert (back.encodings, back.input_scaling) == (net.encodings, net.input_scaling)
    assert back.n_parameters == net.n_parameters
    for one, other in zip(back.state.layers(), net.state.layers(), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(back.forward(table.X), net.forward(table.X))


def test_arrays_have_the_numbers_of_their_columns(tmp_path):
    """From 1, as those of layers have."""
    encodings = [Periodic(5, 2), fastmlp.encodings.OneHot(5), Embedding(5, 3)]
    MLP((3, 2), encodings=encodings, input_scaling=True).save(tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as arrays:
        names = {*arrays.files} - {"header", "weight_1", "bias_1"}
    periodic = {f"column_1_{name}" for name in ("frequencies", "phases", "weight", "bias")}
    assert names == periodic | {"column_3_table", "input_scale"}


def test_training_goes_on_from_a_file(net, table, state, tmp_path):
    net.save(tmp_path / "net", with_optimizer=True)
    loaded = fastmlp.load(tmp_path / "net")
    for one in (net, loaded):
        one.fit(table.X, table.y, epochs=2)
    assert state(loaded)[:-2] == state(net)[:-2]


def test_what_is_frozen_is_remembered(net, tmp_path):
    if not net.state.spec.encoding_shapes:
        with pytest.raises(ValueError, match="no parameters to freeze"):
            net.freeze("encoding")
        return
    net.freeze([0, "encoding"])
    net.save(tmp_path / "net")
    loaded = fastmlp.load(tmp_path / "net")
    assert (loaded.frozen, loaded.encoding_frozen) == ((0,), True)
    assert "yes" in loaded.summary().splitlines()[2]


def test_snapshots_hold_the_encodings(net, table):
    snapshot, before = net.snapshot(), net.forward(table.X)
    net.fit(table.X, table.y, epochs=1)
    assert (net.forward(table.X) != before).any()
    net.restore(snapshot)
    np.testing.assert_array_equal(net.forward(table.X), before)


def test_parameters_are_set_and_read(net):
    parameters, s = net.encoding_parameters, net.input_scale
    doubled = [{name: 2 * p for name, p in one.items()} for one in parameters]
    net.set_parameters(net.weights, net.biases, encoding_parameters=doubled)
    for one, other in zip(net.encoding_parameters, parameters, strict=True):
        for name, p in one.items():
            np.testing.assert_array_equal(p, 2 * other[name])
            with pytest.raises(ValueError, match="read-only"):
                p[...] = 0
    if s is None:
        with pytest.raises(ValueError, match="input_scaling=True"):
            net.set_parameters(net.weights, net.biases, input_scale=[1.0])
        return
    net.set_parameters(net.weights, net.biases, input_scale=3 * s)
    np.testing.assert_array_equal(net.input_scale, 3 * s)
    for wrong in (doubled[1:], [{}] * 4, [{**doubled[0], "bias": [1]}, *doubled[1:]],
                  [{**doubled[0], "bias": [np.nan] * 2}, *doubled[1:]]):  # fmt: skip
        with pytest.raises(ValueError, match="encoding_parameters"):
            net.set_parameters(net.weights, net.biases, encoding_parameters=wrong)


def test_older_versions_are_told_to_upgrade(net):
    header, _ = files.pack(net.state, {}, with_optimizer=False)
    assert header["format"] == headers.ENCODINGS_FORMAT
    header, _ = files.pack(MLP((4, 3)).state, {}, with_optimizer=False)
    assert header["format"] == headers.FORMAT
    assert "encodings" not in header


@pytest.mark.parametrize(
    "entry",
    [
        [], [{"name": "numeric"}], "numeric", 7, [{"name": "unknown"}] * 4, [{}] * 4,
        [{"name": "one_hot", "n_levels": -1}] * 4, [{"name": "one_hot", "n_levels": 10**9}] * 4,
        [{"name": "one_hot", "n_levels": "3"}] * 4, [{"name": "one_hot"}] * 4,
        [{"name": "piecewise_linear", "edges": [1, 0]}] * 4, [None] * 4,
        [{"name": "piecewise_linear", "edges": "01"}] * 4, [{"name": "numeric", "x": 1}] * 4,
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_header_is_refused(net, tmp_path, entry):
    header, arrays = files.pack(net.state, {}, with_optimizer=False)
    damaged = json.loads(json.dumps(header | {"encodings": entry}))
    files.write_npz(tmp_path / "net", (damaged, arrays))
    with pytest.raises(ValueError, match="is not a whole fastmlp model file"):
        fastmlp.load(tmp_path / "net")


def test_a_new_head_keeps_the_encodings(net, table):
    tuned = net.with_head(5, seed=1)
    assert tuned.encodings == net.encodings
    of = net.state.snapshot()
    np.testing.assert_array_equal(tuned.weights[0], net.state.predicting_layers(of)[0][0])
    for one, other in zip(tuned.state.layers()[2:], net.state.averages()[2:], strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert tuned.forward(table.X).shape == (300, 5)


@pytest.mark.parametrize("name", ["to_torch", "to_sklearn"])
def test_exports_name_the_encodings_that_they_cannot_hold(net, name, request):
    if name == "to_torch":
        request.getfixturevalue("torch")
    with pytest.raises(ValueError, match=r"have encodings \(.*, piecewise_linear\)"):
        getattr(export, name)(net)
