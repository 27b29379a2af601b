"""Faults of the system, one after another: `LD_PRELOAD=faults.so driver.py MOST CALL:FAULT …`.

n = 1, 2, 3, … is the place of the fault, until a call has no fault any more, or MOST.  For large
numbers of places, most are left out: after the first 40, each is 1.15 times the one before.  A call
gives the same bits as without a fault, or it raises a MemoryError or an OSError; the next call then
gives these bits, and the file of an interrupted write is the old one or the new one, whole.
Prints a line of JSON for each: how many faults were injected, errors raised, results equal.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import io
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp
from fastmlp.model import files

warnings.simplefilter("ignore")
shim = ctypes.CDLL(None)
shim.disarm_faults.restype = ctypes.c_long

rng = np.random.default_rng(0)
X, y = rng.normal(size=(300, 40)).astype(np.float32), rng.integers(3, size=300)
START = fastmlp.MLP((40, 30, 3), batch_norm=True)
START.fit(X, y, epochs=1)
FITTED = copy.deepcopy(START)
FITTED.fit(X, y, epochs=1)


def bits(net: Any) -> bytes:
    """The network with its optimizer, as bytes."""
    header, arrays = files.pack(net.state, net.metadata, with_optimizer=True)
    return repr(header).encode() + b"".join(one.tobytes() for one in arrays.values())


# Each call gets a folder.  With `check` it prepares for a fault there, after a look at what the
# fault before has left; without, it is the call that the fault comes to, and returns its result.


def fit(folder: Path, check: bool) -> bytes:
    net = copy.deepcopy(START)
    try:
        net.fit(X, y, epochs=2, n_threads=2, ema=0.9)
    except (MemoryError, OSError):
        shim.disarm_faults()
        for one in net.weights:
            assert np.isfinite(one).all()
        net.fit(X, y, epochs=1)  # it can still be trained
        raise
    return bits(net)


def predict(folder: Path, check: bool) -> bytes:
    return b"".join(
        np.asarray(one).tobytes()
        for one in (START.predict(X), START.predict_proba(X), START.cost(X, y),
                    START.gradients(X, y)[0][0])
    )


def save(folder: Path, check: bool) -> bytes:
    path = folder / "net.npz"
    if check:  # the file of the call before: the old one or the new one, whole
        assert bits(fastmlp.load(path)) in (bits(START), bits(FITTED))
        assert [one.name for one in folder.iterdir()] == ["net.npz"]
        START.save(path, with_optimizer=True)
        return b""
    FITTED.save(path, with_optimizer=True)
    return bits(fastmlp.load(path))


def load(folder: Path, check: bool) -> bytes:
    path = folder / "net.npz"
    if check or not path.exists():
        START.save(path, with_optimizer=True)
    return bits(fastmlp.load(path))


def export(folder: Path, check: bool) -> bytes:
    path = folder / "net.c"
    fastmlp.export.to_c(START, path)
    return path.read_bytes()


def table(folder: Path, check: bool) -> bytes:
    from fastmlp.tabular import TabularClassifier

    model = TabularClassifier(
        n_members=1, hidden_layer_sizes=(8,), epochs=2, random_state=0, n_threads=1
    )
    model.fit(X[:100, :3], y[:100])
    return np.asarray(model.predict_proba(X[:100, :3])).tobytes()


def limited(folder: Path, check: bool) -> bytes:
    """A fit that shows its progress and has half an hour: its bits depend on the clock."""
    net = copy.deepcopy(START)
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        history = net.fit(X, y, epochs=4, max_seconds=1800, validation_data=0.2, verbose=True)
    assert 0 <= history.epochs <= 4 and all(seconds >= 0 for seconds in history.seconds)
    assert history.epochs == 4 or history.stopped_by == "max_seconds"
    assert "-" not in re.sub(r"e-\d+", "", shown.getvalue())
    assert all(np.isfinite(one).all() for one in net.weights)
    assert np.isfinite(net.fit(X, y, epochs=1).cost).all()
    return b""


def limited_table(folder: Path, check: bool) -> bytes:
    """The training of a table that has half an hour."""
    from fastmlp.tabular import TabularRegressor

    model = TabularRegressor(
        n_members=2, time_limit=1800, hidden_layer_sizes=(8,), epochs=3, random_state=0, n_threads=1
    )
    try:
        model.fit(X[:100, :3], X[:100, 3])
    except ValueError as error:
        assert "time_limit=1800 seconds are too few" in str(error)
        return b""
    assert np.isfinite(model.predict(X[:100, :3])).all()
    return b""


CALLS: dict[str, Callable[[Path, bool], bytes]] = {
    one.__name__: one for one in (fit, predict, save, load, export, table, limited, limited_table)
}


def run(call: str, fault: str, most: int) -> dict[str, Any]:
    """Inject a fault at one place after another."""
    function, counts = CALLS[call], {"injected": 0, "errors": 0, "equal": 0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if call == "save":
            START.save(folder / "net.npz", with_optimizer=True)
        expected = function(folder, False)
        place = 1
        while counts["injected"] < most:
            if call in ("save", "load"):
                function(folder, True)
            shim.arm_faults(fault.encode(), ctypes.c_long(place))
            try:
                found = function(folder, False)
            except (MemoryError, OSError):
                found = None
            finally:
                seen = shim.disarm_faults()
            if seen < place and found is not None:
                assert found == expected
                break
            counts["injected"] += 1
            counts["errors" if found is None else "equal"] += 1
            assert found in (None, expected), f"other bits with the fault at {place}"
            if call in ("save", "load"):
                function(folder, True)
            elif found is None:
                assert function(folder, False) == expected, f"other bits after the fault at {place}"
            place = max(place + 1, int(place * 1.15)) if place >= 40 else place + 1
    return {"call": call, "fault": fault, **counts}


if __name__ == "__main__":
    for one in sys.argv[2:]:
        print(json.dumps(run(*one.split(":"), int(sys.argv[1]))), flush=True)
