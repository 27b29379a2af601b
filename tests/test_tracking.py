"""Figures of training for TensorBoard, read back from its files, and for a fake of MLflow."""

from __future__ import annotations

import pickle
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import History
from fastmlp.tracking import MLflow, TensorBoard, figures_of


@pytest.fixture
def logged() -> Callable[[Path], dict[str, list[tuple[int, float]]]]:
    """Reads the (step, value) pairs by name from the event files of a folder."""
    event = pytest.importorskip("tensorboardX.proto.event_pb2").Event

    def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
        found: dict[str, list[tuple[int, float]]] = {}
        for path in sorted(folder.glob("events.out.tfevents.*")):
            content, place = path.read_bytes(), 0
            while place < len(content):  # length, its checksum, the event, its checksum
                (length,) = struct.unpack_from("<Q", content, place)
                record = event.FromString(content[place + 12 : place + 12 + length])
                place += 16 + length
                for value in record.summary.value:
                    found.setdefault(value.tag, []).append((record.step, value.simple_value))
        return found

    return read


class FakeMLflow:
    """Records what is called, with MLflow's active run for each thread."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.active = threading.local()
        self.n_runs = 0

    def active_run(self) -> Any:
        return getattr(self.active, "run", None)

    def start_run(self, run_name: str | None = None) -> Any:
        self.n_runs += 1
        self.active.run = SimpleNamespace(info=SimpleNamespace(run_id=f"run-{self.n_runs}"))
        self.calls.append(("start", run_name))
        return self.active.run

    def log_params(self, params: dict[str, Any]) -> None:
        self.calls.append(("params", params))

    def log_metrics(self, metrics: dict[str, float], step: int, run_id: str) -> None:
        self.calls.append(("metrics", run_id, step, metrics))

    def end_run(self, status: str) -> None:
        self.active.run = None
        self.calls.append(("end", status))


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> FakeMLflow:
    fake = FakeMLflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)  # type: ignore[arg-type]
    return fake


def test_metrics_have_names_of_their_own() -> None:
    metrics = {"auc": [0.5, 0.75], "make_scorer(f, x=1)": [1.0, 4.0], "cost": [7.0, 6.0]}
    history = History([2.0, 1.0], [3.0, 2.5], [0.1, 0.2], [0.5, 0.25], metrics=metrics)
    assert figures_of(history) == {
        "cost": [2.0, 1.0], "validation_cost": [3.0, 2.5], "validation_accuracy": [0.1, 0.2],
        "learning_rate": [0.5, 0.25], "validation_auc": [0.5, 0.75],
        "validation_make_scorer_f__x_1_": [1.0, 4.0], "validation_cost_": [7.0, 6.0],
    }  # fmt: skip


def test_figures_that_a_history_lacks_are_left_out() -> None:
    history = History(cost=[1.0], learning_rate=[0.1])
    assert figures_of(history) == {"cost": [1.0], "learning_rate": [0.1]}


class Metric(fastmlp.Callback):
    """Records ten times the epoch, in every epoch or in each second one."""

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def on_epoch_end(self, net: fastmlp.MLP, history: History) -> None:
        if history.epochs % self.every == 0:
            history.metrics.setdefault("own", []).append(10.0 * history.epochs)


@pytest.mark.parametrize(("every", "pairs"), [
    (1, [(1, 10), (2, 20), (3, 30), (4, 40)]), (2, [(2, 20), (4, 40)]),
])  # fmt: skip
@pytest.mark.parametrize("logs_first", [False, True])
def test_metrics_of_other_callbacks_are_those_of_their_epoch(
    net: fastmlp.MLP,
    classes: Any,
    tmp_path: Path,
    logged: Any,
    every: int,
    pairs: list[tuple[int, float]],
    logs_first: bool,
) -> None:
    callbacks = [Metric(every), TensorBoard(tmp_path)]
    net.fit(*classes, epochs=4, callbacks=callbacks[::-1] if logs_first else callbacks)
    assert logged(tmp_path)["validation_own"] == pairs


def test_tensorboard_has_every_figure_of_the_history(
    net: fastmlp.MLP, classes: Any, tmp_path: Path, logged: Any
) -> None:
    logs = TensorBoard(tmp_path / "runs" / "first")
    history = net.fit(*classes, epochs=3, validation_data=0.2, callbacks=[logs])
    found = logged(tmp_path / "runs" / "first")
    assert set(found) == {"cost", "validation_cost", "validation_accuracy", "learning_rate"}
    for name, pairs in found.items():
        assert [step for step, _ in pairs] == [1, 2, 3]
        np.testing.assert_allclose([one for _, one in pairs], getattr(history, name), rtol=1e-6)


def test_the_steps_of_a_later_fit_follow_those_of_the_first(
    net: fastmlp.MLP, classes: Any, tmp_path: Path, logged: Any
) -> None:
    logs = TensorBoard(tmp_path)
    for _ in range(2):
        net.fit(*classes, epochs=2, callbacks=[logs])
    assert sorted(step for step, _ in logged(tmp_path)["cost"]) == [1, 2, 3, 4]


def test_what_was_logged_before_an_error_is_on_the_disk(
    net: fastmlp.MLP, classes: Any, tmp_path: Path, logged: Any
) -> None:
    class Fails(fastmlp.Callback):
        def on_epoch_end(self, net: fastmlp.MLP, history: History) -> None:
            if history.epochs == 2:
                raise RuntimeError("in epoch 2")

    with pytest.raises(RuntimeError):
        net.fit(*classes, epochs=9, callbacks=[TensorBoard(tmp_path), Fails()])
    assert [step for step, _ in logged(tmp_path)["cost"]] == [1, 2]


def test_mlflow_gets_a_run_of_its_own_for_a_fit(
    mlflow: FakeMLflow, net: fastmlp.MLP, classes: Any
) -> None:
    history = net.fit(*classes, epochs=2, callbacks=[MLflow(run_name="first")])
    start, params, *metrics, end = mlflow.calls
    assert start == ("start", "first")
    assert params == ("params", {"sizes": "6,16,3", "seed": 1, "n_parameters": 163})
    assert metrics == [
        ("metrics", "run-1", k + 1, {"cost": history.cost[k], "learning_rate": 0.001})
        for k in range(2)
    ]
    assert end == ("end", "FINISHED")


def test_mlflow_logs_to_the_active_run_and_leaves_it_open(
    mlflow: FakeMLflow, net: fastmlp.MLP, classes: Any
) -> None:
    mlflow.start_run("outer")
    net.fit(*classes, epochs=1, callbacks=[MLflow()])
    assert [call[0] for call in mlflow.calls] == ["start", "metrics"]
    assert mlflow.active_run() is not None


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
@pytest.mark.filterwarnings("ignore:Training interrupted")
def test_the_status_of_the_run_says_how_the_fit_ended(
    mlflow: FakeMLflow, net: fastmlp.MLP, classes: Any, error: type[BaseException], status: str
) -> None:
    class Fails(fastmlp.Callback):
        def on_epoch_end(self, net: fastmlp.MLP, history: History) -> None:
            raise error

    try:
        net.fit(*classes, epochs=2, callbacks=[MLflow(), Fails()])
    except RuntimeError:
        pass
    assert mlflow.calls[-1] == ("end", status)


def test_the_run_ends_also_where_its_parameters_cannot_be_logged(
    mlflow: FakeMLflow, net: fastmlp.MLP, classes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(params: dict[str, Any]) -> None:
        raise ConnectionError("no server")

    monkeypatch.setattr(mlflow, "log_params", fails)
    with pytest.raises(ConnectionError):
        net.fit(*classes, epochs=2, callbacks=[MLflow()])
    assert mlflow.calls == [("start", None), ("end", "FAILED")]


def test_a_run_of_a_fit_that_is_stopped_by_another_is_killed(mlflow: FakeMLflow) -> None:
    callback, net = MLflow(), fastmlp.MLP((2, 2))
    callback.on_fit_begin(net, History())
    callback.on_fit_end(net, History(stopped_by="stopped"))
    assert mlflow.calls[-1] == ("end", "KILLED")


def test_callbacks_go_to_other_processes(mlflow: FakeMLflow) -> None:
    callback = pickle.loads(pickle.dumps(MLflow("first")))
    assert callback.run_name == "first"


def test_arguments_of_other_types_are_errors_that_name_them(mlflow: FakeMLflow) -> None:
    with pytest.raises(TypeError, match="run_name must be text or None, got 5"):
        MLflow(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="folder must be text or an object such as Path, got 5"):
        TensorBoard(5)  # type: ignore[arg-type]


def test_each_network_of_an_ensemble_is_a_run(mlflow: FakeMLflow, classes: Any) -> None:
    ensemble = fastmlp.Ensemble([fastmlp.MLP((6, 4, 3), seed=seed) for seed in (1, 2)])
    ensemble.fit(*classes, epochs=2, n_jobs=2, callbacks=lambda net: [MLflow()])
    runs = [call[1] for call in mlflow.calls if call[0] == "metrics"]
    assert sorted(runs) == ["run-1", "run-1", "run-2", "run-2"]


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        ("tensorboardX", lambda: TensorBoard("logs"), "tensorboard"),
        ("mlflow", MLflow, "mlflow"),
    ],
)
def test_a_missing_package_is_an_error_before_training_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, make: Callable[[], object], extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'needs {module}.*"fastmlp\[{extra}\]"'):
        make()
