"""fastmlp draw: the page from a model or by a recipe, and its server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import recipes
from fastmlp.export import to_html
from fastmlp.training.loop import Run

Command = Callable[..., Any]  # see conftest.py

RECIPE = """\
name = "small"
description = "For tests."
[network]
hidden = [16]
[training]
epochs = 2
"""


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> Any:
    """Noise in the place of MNIST."""
    X = rng.integers(0, 256, (300, 784), dtype=np.uint8)
    y = np.arange(300, dtype=np.int32) % 10
    found = X[:200], y[:200], X[200:], y[200:]
    monkeypatch.setattr("fastmlp.datasets.mnist", lambda data: found)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    fastmlp.MLP((784, 12, 10), seed=4).save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


def page_of(net: fastmlp.MLP, folder: Path) -> str:
    to_html(net, folder / "expected.html")
    return (folder / "expected.html").read_text(encoding="utf-8")


def test_the_page_of_a_model(
    fastmlp_command: Command, model: Path, out: Path, tmp_path: Path
) -> None:
    code, printed, err = fastmlp_command("draw", "--model", model, "--out", out)
    assert (code, err) == (0, "")
    assert out.read_text(encoding="utf-8") == page_of(fastmlp.load(model), tmp_path)
    assert printed == f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)\n"


def test_the_page_of_a_recipe(
    fastmlp_command: Command, images: Any, out: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    code, printed, err = fastmlp_command("draw", "--recipe", recipe, "--seed", 7, "--out", out)
    assert (code, err) == (0, "")
    net, _ = recipes.train(recipe, *images[:2], seed=7)
    assert out.read_text(encoding="utf-8") == page_of(net, tmp_path)
    accuracy = np.mean(net.predict(images[2]) == images[3])
    assert f"Accuracy: {accuracy:.4f} on 100 test images\n" in printed


def test_quick_is_the_recipe_unless_another_is_named(
    fastmlp_command: Command, images: Any, out: Path
) -> None:
    code, *_ = fastmlp_command("draw", "--out", out)
    assert code == 0
    assert "784 \\u2013 512 \\u2013 512 \\u2013 10, relu" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{model}", "--recipe", "fast"], "--recipe is for training; give it or --mod"),
        (["--model", "{model}", "--data", "."], "--data is for training; give it or --model, not"),
        (["--model", "nowhere.npz"], "nowhere.npz: No such file"),
        (["--recipe", "fsat"], "unknown recipe 'fsat'; did you mean 'fast'?"),
        (["--recipe", "ensemble"], "the recipe 'ensemble' trains 3 networks; a page to draw on"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_is_one_line(
    fastmlp_command: Command, model: Path, out: Path, arguments: list[str], message: str
) -> None:
    given = [one.format(model=model) for one in arguments]
    code, printed, err = fastmlp_command("draw", "--out", out, *given)
    assert (code, printed) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_models_that_no_page_can_be_made_of(
    fastmlp_command: Command, tmp_path: Path, out: Path
) -> None:
    fastmlp.MLP((4, 3)).save(tmp_path / "small.npz")
    _, _, err = fastmlp_command("draw", "--model", tmp_path / "small.npz", "--out", out)
    assert "needs a network with 784 inputs and 10 outputs, got sizes (4, 3)" in err
    fastmlp.Ensemble([fastmlp.MLP((784, 10))]).save(tmp_path / "several.npz")
    _, _, err = fastmlp_command("draw", "--model", tmp_path / "several.npz", "--out", out)
    assert "several.npz holds several networks; a page to draw on is for one" in err


def test_a_model_of_a_table_is_refused_with_what_would_do(
    fastmlp_command: Command, tmp_path: Path, out: Path
) -> None:
    tabular = pytest.importorskip("fastmlp.tabular")
    table = np.arange(40.0).reshape(20, 2)
    model = tabular.TabularClassifier(quality="fast", n_members=1, epochs=1, random_state=0)
    model.fit(table, np.arange(20) % 2).save(tmp_path / "table.npz")
    code, _, err = fastmlp_command("draw", "--model", tmp_path / "table.npz", "--out", out)
    assert code == 2
    assert "table.npz holds a model of a table; a page to draw on is for a network of 28x28" in err


@pytest.mark.skipif(os.name == "nt", reason="there are no devices among the files there")
def test_a_device_is_not_served(fastmlp_command: Command, model: Path) -> None:
    code, printed, err = fastmlp_command("draw", "--model", model, "--out", os.devnull, "--serve")
    assert (code, printed) == (2, "")
    assert f"--serve needs --out to be a file; {os.devnull} is a device or a pipe" in err


def test_ctrl_c_in_training_writes_nothing(
    fastmlp_command: Command, images: Any, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_epoch = Run.run_epoch

    def interrupted(self: Any, *arguments: Any) -> Any:
        if self.net.sizes[0] == 784:  # not while the recipe is read and tried
            raise KeyboardInterrupt
        return run_epoch(self, *arguments)

    monkeypatch.setattr(Run, "run_epoch", interrupted)
    code, _, err = fastmlp_command("draw", "--recipe", "fast", "--out", out)
    assert (code, err) == (130, "fastmlp draw: error: interrupted\n")
    assert not out.exists()


@pytest.fixture
def server(model: Path, out: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``fastmlp draw --serve`` in a process of its own, and the address it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmlp", "draw", "--model", str(model), "--out", str(out),
         "--serve"],
        cwd=model.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("wrote ")
        line = process.stdout.readline()
        yield process, re.fullmatch(r"open (http://127\.0\.0\.1:\d+/) \(Ctrl-C stops\)\n", line)[1]
        process.terminate()


def test_the_page_is_served_on_this_machine(server: Any, out: Path) -> None:
    _, address = server
    with urllib.request.urlopen(address) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.read() == out.read_bytes()
    with pytest.raises(urllib.error.HTTPError, match="404") as error:
        urllib.request.urlopen(f"{address}../etc/passwd")
    error.value.close()


@pytest.mark.skipif(os.name == "nt", reason="signals of Ctrl-C reach the whole console there")
def test_ctrl_c_stops_the_server(server: Any) -> None:
    process, address = server
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "stopped\n", "")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)
