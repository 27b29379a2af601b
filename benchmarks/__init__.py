"""How fast fastmlp is: `pytest benchmarks`, `python -m benchmarks.peers`.  See README.md."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# `python -m` puts the current folder first on the path, and there `fastmlp` is the source tree.
# Unless its kernels are built in place, the installed package is meant.
if not any((ROOT / f"fastmlp/kernels/cpu{suffix}").exists() for suffix in EXTENSION_SUFFIXES):
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != ROOT]
