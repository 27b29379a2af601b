"""Every warning names the line of the user's program that called fastmlp."""

from __future__ import annotations

import ast
import itertools
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Callback, Ensemble, export, fit_many
from fastmlp.support import user_warnings
from fastmlp.support.user_warnings import UserLine, name_in_this_thread, user_line, warn_user
from fastmlp.training import run_jobs

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from fastmlp import ablation, tabular  # noqa: E402
from fastmlp.experiments.table_rows import TableRows  # noqa: E402
from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402
from fastmlp.tabular.reading import read_table  # noqa: E402

M = 60
x = np.random.default_rng(0).normal(size=(M, 2)).astype(np.float32)
labels = (x[:, 0] > 0).astype(int)
DAYS = [f"{1 + i % 9:02}.12.2024" for i in range(M)]
TABLE = pd.DataFrame({"x": x[:, 0], "same": 1, "day": DAYS, "id": 2**60 + 100 * (np.arange(M) % 7)})
BY = pd.DataFrame({"x": x[:, 0], "by": [["a", "b"][i % 2] for i in range(M)]})
FAST = {"quality": "fast", "epochs": 2, "n_members": 1, "random_state": 0}
STUDY = {"study": {"label": "y"}, "base": {"epochs": 1}}
FEW = {"hidden_layer_sizes": [(4,)], "epochs": 2}


class Press(Callback):
    """Ctrl-C at the end of an epoch."""

    def on_epoch_end(self, net: Any, history: Any) -> None:
        raise KeyboardInterrupt


class Interrupted:
    """An executor that Ctrl-C ends."""

    def submit(self, *call: Any) -> Any:
        raise KeyboardInterrupt


def net() -> MLP:
    return MLP((2, 4, 2), seed=1)


def text_file(folder: Path, *cells: str, encoding: str = "utf-8") -> Path:
    """Write a table of a column."""
    path = folder / "table.csv"
    path.write_text("\n".join(["a;b", *(f"{cell};2" for cell in cells)]), encoding)
    return path


def search(n_jobs: int) -> None:
    """Search for parameters of a network, until Ctrl-C in the third trial."""
    pytest.importorskip("optuna")
    from fastmlp.search import loop, minimize

    n_calls = itertools.count()
    measure = loop.measure

    def interrupted(*call: Any, **options: Any) -> Any:
        if next(n_calls) == 2:
            raise KeyboardInterrupt
        return measure(*call, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "measure", interrupted)
        minimize(x, labels, {"hidden": [(4,), (5,)]}, epochs=1, n_trials=9, n_jobs=n_jobs)


def search_of_table(n_jobs: int) -> None:
    pytest.importorskip("optuna")
    from fastmlp.search.tables import minimize_table

    rows = TableRows(TABLE, labels.astype(object))
    minimize_table(tabular.TabularClassifier(n_members=1, random_state=0), rows, rows, FEW,
                   metric="log_loss", n_trials=2, n_jobs=n_jobs)  # fmt: skip


def exported(write: str, folder: Path) -> None:
    if write == "to_onnx":
        pytest.importorskip("onnx")
    getattr(export, write)(net(), folder / "net", quantized=True, calibration=x)


CALLS: dict[str, Callable[[Path], Any]] = {
    "MLP.fit": lambda _: net().fit(x, labels, callbacks=[Press()]),
    "Ensemble.fit": lambda _: Ensemble([net()]).fit(x, labels, callbacks=lambda net: [Press()]),
    "fit_many": lambda _: fit_many([net()], x, labels, options=[{"callbacks": [Press()]}]),
    "fit_many, executor": lambda _: fit_many([net()], x, labels, executor=Interrupted()),
    "MLPClassifier.fit": lambda _: MLPClassifier((4,), max_iter=1).fit(x, labels),
    "MLPRegressor.fit": lambda _: MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(
        x, 1e5 * x[:, 0]
    ),
    "batch_size": lambda _: MLPClassifier((4,), batch_size=M + 1).partial_fit(
        x, labels, classes=[0, 1]
    ),
    "TabularClassifier.fit": lambda _: tabular.TabularClassifier(**FAST).fit(TABLE, labels),
    "TabularRegressor.fit": lambda _: tabular.TabularRegressor(**FAST).fit(TABLE, x[:, 0]),
    "TabularClassifier.fit, interrupted": lambda _: tabular.TabularClassifier(**FAST).fit(
        x, labels, callbacks=lambda net: [Press()]
    ),
    "groups": lambda _: tabular.TabularClassifier(**FAST).fit(
        x, labels, groups=np.maximum(np.arange(M) - 40, 0)
    ),
    "per": lambda _: tabular.TabularClassifier(**FAST, per="by").fit(BY[:20], labels[:20]),
    "read_table, codes": lambda folder: read_table(text_file(folder, "02139", "10001")),
    "read_table, text": lambda folder: read_table(text_file(folder, *("1",) * 20, "one")),
    "read_table, decimal": lambda folder: read_table(text_file(folder, "1,234", "5,678")),
    "read_table, encoding": lambda folder: read_table(
        text_file(folder, "é", "e", encoding="latin-1")
    ),
    "quantize": lambda _: export.quantize(net(), x),
    "to_c": lambda folder: exported("to_c", folder),
    "to_onnx": lambda folder: exported("to_onnx", folder),
    "ablation.run": lambda folder: ablation.run(
        STUDY, folder / "results", data=TABLE.assign(y=labels), verbose=False
    ),
    "minimize": lambda _: search(1),
    "minimize, two threads": lambda _: search(2),
    "minimize_table, two threads": lambda _: search_of_table(2),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", CALLS)
def test_warnings_name_the_line_that_calls_fastmlp(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        CALLS[name](tmp_path)
    assert found
    assert {one.filename for one in found} == {__file__}


def test_no_other_module_warns_by_itself() -> None:
    """They would have to count the calls between the user and them."""
    root = Path(fastmlp.__file__).parent
    named = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("warn", "warn_explicit")
    ]
    assert named == ["support/user_warnings.py"]


def test_a_warning_of_a_job_names_the_line_that_runs_the_jobs() -> None:
    with pytest.warns(FutureWarning, match="^later$") as found:
        run_jobs([lambda stop: warn_user("later", FutureWarning)], 1)
    assert found[0].filename == __file__


def in_thread(call: Callable[[], Any]) -> Any:
    """Return the result of a call in a thread of which it is the only function of Python's user."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_a_function_of_the_user_in_a_job_is_the_users_line() -> None:
    lines: list[UserLine] = []
    run_jobs([lambda stop: lines.append(user_line())], 1)
    (line,) = lines
    code = test_a_function_of_the_user_in_a_job_is_the_users_line.__code__
    assert line.filename == __file__
    assert line.number == code.co_firstlineno + 2
    assert line.module is globals()


def test_a_thread_of_the_user_has_no_line_but_that_of_its_module() -> None:
    assert in_thread(user_line).module["__name__"] == "concurrent.futures.thread"


def test_a_thread_that_was_named_is_the_only_one() -> None:
    line = UserLine("program.py", 7, {})

    def named() -> UserLine:
        name_in_this_thread(line)
        return user_line()

    assert in_thread(named).filename == __file__  # of a function that is the user's
    with ThreadPoolExecutor(1) as pool:
        pool.submit(name_in_this_thread, line).result()
        assert pool.submit(user_line).result() is line
    assert in_thread(user_line) is not line


def test_a_warning_is_shown_once_for_each_line() -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        for message in ("one", "one", "two"):
            warn_user(message)
        warn_user("one")
    assert [str(one.message) for one in found] == ["one", "two", "one"]


def test_without_any_line_of_the_user_the_interpreter_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(user_warnings, "PACKAGE", "")
    assert user_line() == ("sys", 1, sys.__dict__)
