"""Ensembles: means of what networks say, training side by side, one file for all."""

from __future__ import annotations

import copy
import json
import os
import threading

import numpy as np
import pytest
import scipy.sparse

import fastmlp
from fastmlp import MLP, EarlyStopping, Ensemble, TrainingDiverged
from fastmlp.augment import Distortion
from fastmlp.callbacks import Callback
from fastmlp.model import headers
from fastmlp.model.spec import NetworkSpec


@pytest.fixture
def members(classes) -> list[MLP]:
    """Three classifiers for `classes`, of different shapes, trained."""
    nets = [MLP((6, 16, 3), seed=1), MLP((6, 8, 8, 3), seed=2), MLP((6, 3), seed=3)]
    for net in nets:
        net.fit(*classes, epochs=3)
    return nets


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ensemble.npz"


def untrained(count: int = 3, **options) -> list[MLP]:
    return [MLP((6, 16, 3), seed=seed, **options) for seed in range(count)]


def assert_same(one: MLP, other: MLP) -> None:
    assert repr(one) == repr(other)
    for a, b in zip([*one.weights, *one.biases], [*other.weights, *other.biases], strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------------------- prediction


def test_probabilities_are_the_mean_of_the_networks(members, classes):
    X, _ = classes
    mean = np.mean([net.predict_proba(X).astype(np.float64) for net in members], axis=0)
    together = Ensemble(members)
    np.testing.assert_allclose(together.predict_proba(X), mean, rtol=1e-6)
    np.testing.assert_array_equal(together.predict(X), mean.argmax(axis=1))
    assert together.forward(X).dtype == np.float32
    assert (together.n_in, together.n_out) == (6, 3)
    assert together.n_parameters == sum(net.n_parameters for net in members)


def test_spread_is_the_standard_deviation_of_the_networks(members, classes):
    X, _ = classes
    outputs = [net.forward(X).astype(np.float64) for net in members]
    spread = Ensemble(members).spread(X)
    np.testing.assert_allclose(spread, np.std(outputs, axis=0), rtol=1e-5, atol=1e-7)
    assert spread.dtype == np.float32
    assert not Ensemble(members[:1]).spread(X).any()


def test_networks_that_read_alike_check_examples_once(members, classes, monkeypatch):
    checked = []
    original = NetworkSpec.rows
    monkeypatch.setattr(
        NetworkSpec, "rows", lambda spec, X: checked.append(spec.dtype) or original(spec, X)
    )
    double = MLP((6, 3), dtype="float64")
    Ensemble([*members, double]).forward(classes[0])
    assert checked == [np.float32, np.float64]


def test_values_of_regression_are_averaged(curve):
    X, y = curve
    nets = [MLP((2, 8, 1), loss="squared_error", seed=seed) for seed in range(4)]
    together = Ensemble(nets)
    together.fit(X, y, epochs=3)
    mean = np.mean([net.predict(X) for net in nets], axis=0)
    np.testing.assert_allclose(together.predict(X), mean, rtol=1e-5)
    assert together.predict(X).shape == y.shape
    with pytest.raises(ValueError, match="values, not probabilities"):
        together.predict_proba(X)


def test_yes_or_no_is_what_the_mean_probability_says(rng):
    X = rng.normal(size=(50, 6))
    nets = [MLP((6, 4, 2), loss="binary_cross_entropy", seed=seed) for seed in range(3)]
    mean = np.mean([net.forward(X).astype(np.float64) for net in nets], axis=0)
    np.testing.assert_array_equal(Ensemble(nets).predict(X), mean > 0.5)


def test_one_network_of_double_precision_makes_the_results_so(members, classes):
    double = MLP((6, 3), dtype="float64", seed=9)
    together = Ensemble([*members, double])
    assert together.forward(classes[0]).dtype == np.float64


def test_the_order_of_the_networks_does_not_matter(members, classes):
    X, _ = classes
    np.testing.assert_array_equal(
        Ensemble(members).forward(X), Ensemble(members[::-1]).forward(X)
    )


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("scale", [1 / 255, 1 / 16])
def test_distorted_copies_are_averaged_with_the_images(rng, kind, scale):
    images = rng.integers(0, 17, (12, 64)).astype(np.uint8)
    X = images if kind == np.uint8 else (images * scale).astype(np.float32)
    nets = [MLP((64, 16, 10), seed=seed, uint8_scale=scale) for seed in range(2)]
    augment = Distortion(rotation=20, translation=1)
    # in NumPy alone, but for the distortion, which has tests of its own
    views = [images * np.float32(scale)]
    views += [augment(views[0], seed=5, epoch=epoch) for epoch in range(3)]
    expected = np.mean([net.forward(view) for net in nets for view in views], axis=0)
    got = Ensemble(nets).predict_proba(X, augment=augment, copies=3, seed=5)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert not np.allclose(got, Ensemble(nets).predict_proba(X), rtol=1e-3)


def test_equal_images_far_apart_are_distorted_differently(rng):
    X = np.tile(rng.random((1, 64), dtype=np.float32), (10_001, 1))
    h = Ensemble([MLP((64, 10))]).forward(X, augment=Distortion(rotation=20), copies=1)
    assert not np.array_equal(h[0], h[10_000])


# -------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: MLP((5, 3)), r"same number of inputs; networks\[0\] has 6, networks\[1\] 5"),
        (lambda: MLP((6, 4)), "same number of outputs"),
        (lambda: MLP((6, 3), loss="squared_error"), "same loss"),
        (lambda: MLP((6, 3), uint8_scale=1 / 255), "same uint8_scale"),
    ],
)
def test_networks_that_do_not_go_together_are_told(net, other, message):
    with pytest.raises(ValueError, match=message):
        Ensemble([net, other()])


def test_what_is_no_list_of_networks_is_told(net):
    with pytest.raises(TypeError, match="write \\[MLP"):
        Ensemble(net)
    with pytest.raises(TypeError, match=r"networks\[1\] must be an MLP, got 'net.npz'"):
        Ensemble([net, "net.npz"])
    with pytest.raises(ValueError, match="networks is empty"):
        Ensemble([])
    with pytest.raises(ValueError, match="one and the same"):
        Ensemble([net] * 2)


def test_wrong_distortions_are_told(members, classes):
    together = Ensemble(members)
    with pytest.raises(TypeError, match="augment must be a fastmlp.augment.Distortion"):
        together.predict_proba(classes[0], augment="rotate")
    with pytest.raises(TypeError, match="augment distorts dense images; X is a sparse matrix"):
        together.predict_proba(scipy.sparse.csr_array(classes[0]), augment=Distortion())
    with pytest.raises(ValueError, match="copies must be at least 1"):
        together.predict_proba(classes[0], augment=Distortion(), copies=0)
    with pytest.raises(ValueError, match="6 inputs are not a square"):
        together.predict_proba(classes[0], augment=Distortion())


# ------------------------------------------------------------------------------ training


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_networks_trained_side_by_side_are_what_they_are_alone(classes, n_jobs):
    options = {"epochs": 4, "batch_size": 20, "optimizer": "adamw", "l2": 1e-3}
    nets = untrained(dropout=0.2)
    alone = untrained(dropout=0.2)
    histories = Ensemble(nets).fit(*classes, n_jobs=n_jobs, **options)
    for net, history, one in zip(nets, histories, alone, strict=True):
        assert one.fit(*classes, **options).cost == history.cost
        assert net.history is history
        assert_same(net, one)


def test_networks_on_chunks_are_what_they_are_alone(classes):
    chunks = [tuple(one[k::3] for one in classes) for k in range(3)]
    options = {"epochs": 3, "batch_size": 20}
    read = []

    def stream():
        for chunk in chunks:
            read.append(chunk)
            yield chunk

    alone = untrained()
    for one in alone:
        one.fit(chunks, **options)
    for given in (chunks, stream):
        nets = untrained()
        Ensemble(nets).fit(given, n_jobs=2, **options)
        for net, one in zip(nets, alone, strict=True):
            assert_same(net, one)
    assert len(read) == 3 * 3 * 3  # networks, epochs, chunks


def test_networks_train_at_the_same_time(classes):
    """Each waits at the end of its first epoch until the others are there too."""
    meeting = threading.Barrier(3)

    class Meet(Callback):
        def on_epoch_end(self, net, history):
            if history.epochs == 1:
                meeting.wait(timeout=60)

    Ensemble(untrained()).fit(*classes, epochs=2, n_jobs=3, callbacks=lambda net: [Meet()])


def test_each_network_stops_early_for_itself(classes):
    stopping = EarlyStopping(patience=1, monitor="cost", min_delta=1e9)
    histories = Ensemble(untrained()).fit(*classes, epochs=9, early_stopping=stopping)
    assert [history.stopped_by for history in histories] == ["EarlyStopping"] * 3
    assert stopping.best_epoch == 0  # each had a copy


def test_the_error_of_one_network_ends_the_others(classes):
    nets = untrained()
    nets[1].set_parameters([np.full_like(W, 1e30) for W in nets[1].weights], nets[1].biases)
    with pytest.raises(TrainingDiverged):
        Ensemble(nets).fit(*classes, epochs=1_000_000, n_jobs=3)
    assert nets[0].history.stopped_by in ("stopped", "")  # "": not begun yet


def test_copies_of_one_network_are_not_trained(classes):
    with pytest.raises(ValueError, match="alike and would remain so; give each its own seed"):
        Ensemble([MLP((6, 3)), MLP((6, 3))]).fit(*classes)


def test_what_members_cannot_share_is_told(classes):
    with pytest.raises(TypeError, match="callbacks must be a function"):
        Ensemble(untrained()).fit(*classes, callbacks=[Callback()])
    for option in ({"verbose": True}, {"n_threads": 2}):
        with pytest.raises(TypeError, match=f"many fits have no {next(iter(option))}: "):
            Ensemble(untrained()).fit(*classes, **option)
    with pytest.raises(TypeError, match="epoch"):
        Ensemble(untrained()).fit(*classes, epoch=3)
    with pytest.raises(ValueError, match="X is an iterator, good for one network: give a list"):
        Ensemble(untrained()).fit(iter([classes]), epochs=1)
    Ensemble(untrained(1)).fit(iter([classes]), epochs=1)
    with pytest.raises(TypeError, match="y is missing"):
        Ensemble(untrained()).fit(classes[0])


# --------------------------------------------------------------------------------- files


def test_loaded_ensemble_is_the_saved_one(members, classes, path):
    together = Ensemble(members)
    together.metadata = {"classes": ["a", "b", "ü"], "table": {"name": "mine"}}
    members[0].metadata = {"own": 1}
    together.save(path)
    loaded = fastmlp.load(path)
    assert isinstance(loaded, Ensemble)
    assert repr(loaded) == repr(together)
    assert loaded.metadata == together.metadata
    assert loaded.networks[0].metadata == {"own": 1}
    for one, other in zip(loaded.networks, members, strict=True):
        assert_same(one, other)
    np.testing.assert_array_equal(loaded.forward(classes[0]), together.forward(classes[0]))
    assert os.listdir(path.parent) == [path.name]


def test_more_than_nine_networks_come_back_in_order(path):
    nets = untrained(11)
    Ensemble(nets).save(path)
    for one, other in zip(fastmlp.load(path).networks, nets, strict=True):
        assert_same(one, other)


def test_training_goes_on_from_a_file_with_the_optimizers(classes, path):
    whole, stopped = Ensemble(untrained()), Ensemble(untrained())
    stopped.fit(*classes, epochs=2)
    stopped.save(path, with_optimizer=True)
    loaded = fastmlp.load(path)
    loaded.fit(*classes, epochs=2)
    whole.fit(*classes, epochs=4)
    for one, other in zip(loaded.networks, whole.networks, strict=True):
        assert_same(one, other)


def test_a_network_s_file_still_is_a_network(net, path):
    net.save(path)
    assert isinstance(fastmlp.load(path), MLP)


def test_ensembles_can_be_copied(members, classes):
    together = Ensemble(members)
    copied = copy.deepcopy(together)
    assert copied.networks[0] is not members[0]
    np.testing.assert_array_equal(copied.forward(classes[0]), together.forward(classes[0]))


@pytest.mark.parametrize("part", range(10))
def test_file_cut_short_is_told(members, path, part):
    Ensemble(members).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * part // 10])
    with pytest.raises(ValueError, match="ensemble.npz is not a whole fastmlp model file"):
        fastmlp.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header["networks"].clear(),
        lambda header, arrays: header["networks"][1].update(sizes=[6, 3]),
        lambda header, arrays: header["networks"].append(header["networks"][0]),
        lambda header, arrays: header.pop("metadata"),
        lambda header, arrays: header.pop("format"),
        lambda header, arrays: arrays.pop("network_2_bias_1"),
        lambda header, arrays: arrays.update(network_1_weight_1=np.zeros((16, 5))),
    ],
)
def test_contents_that_do_not_fit_are_told(members, path, change):
    Ensemble(members).save(path)
    rewrite(path, change)
    with pytest.raises(ValueError, match="is not a whole fastmlp model file"):
        fastmlp.load(path)


def test_file_of_a_newer_version_is_told(members, path):
    Ensemble(members).save(path)
    newer = headers.NEWEST_FORMAT + 1
    rewrite(path, lambda header, arrays: header.update(format=newer))
    with pytest.raises(ValueError, match="newer fastmlp.*upgrade fastmlp"):
        fastmlp.load(path)


def test_failing_write_leaves_the_old_file(members, classes, path, monkeypatch):
    together = Ensemble(members)
    together.save(path)
    expected = together.forward(classes[0])
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("failed")))
        with pytest.raises(OSError, match="failed"):
            Ensemble(untrained()).save(path)
    assert os.listdir(path.parent) == [path.name]
    np.testing.assert_array_equal(fastmlp.load(path).forward(classes[0]), expected)


def test_metadata_that_json_cannot_hold_is_told_before_writing(members, path):
    together = Ensemble(members)
    together.metadata = {"a": {1, 2}}
    with pytest.raises(TypeError, match="metadata can hold only what JSON can"):
        together.save(path)
    assert not path.exists()


def rewrite(path, change) -> None:
    """Apply a change to header and arrays of a file."""
    with np.load(path) as contents:
        arrays = dict(contents)
    header = json.loads(str(arrays.pop("header")))
    change(header, arrays)
    np.savez(path, header=np.array(json.dumps(header)), **arrays)
