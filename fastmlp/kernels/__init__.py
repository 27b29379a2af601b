"""The compiled kernels: one build per instruction set and element type, chosen here.

The best build that the processor supports is taken at import; the environment variable
``FASTMLP_ISA`` (``baseline``, ``v3`` or ``v4``) forces one.
"""

from __future__ import annotations

import importlib
import os
import platform
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

try:
    from fastmlp.kernels.cpu import OPENMP, csr_fault, omp_threads, ready, supported
except ModuleNotFoundError as error:
    source_folder = Path(__file__).parents[2]
    if error.name != "fastmlp.kernels.cpu" or not (source_folder / "setup.py").is_file():
        raise
    raise ImportError(
        f"{source_folder} is the source folder of fastmlp, and its kernels are not built for "
        f"{platform.python_implementation()} {platform.python_version()}. To use an installed "
        f"fastmlp, start Python in another folder, or as python -P, which ignores the current "
        f"folder. To use the sources in this folder, build the kernels in place: "
        f"python setup.py build_ext --inplace"
    ) from None

__all__ = [
    "csr_fault", "distortion", "engine", "isa", "isas", "omp_threads", "openmp", "operations",
    "ready",
]

KNOWN = ("v4", "v3", "baseline")
ELEMENTS = {"float32": "f32", "float64": "f64"}


def built(name: str) -> bool:
    """Whether this installation has the build."""
    return find_spec(f"fastmlp.kernels._engine_{name}_f32") is not None


def isas() -> tuple[str, ...]:
    """Builds that are installed and that this processor can run, the best first."""
    return tuple(name for name in supported() if built(name))


def choose() -> str:
    """The build to use; ImportError or ValueError if ``FASTMLP_ISA`` asks for another."""
    forced = os.environ.get("FASTMLP_ISA", "")
    if not forced:
        return next(name for name in supported() if built(name))
    if forced not in KNOWN:
        raise ValueError(
            f"FASTMLP_ISA is {forced!r}; expected one of {', '.join(KNOWN)}, or unset"
        )
    if not built(forced):
        raise ImportError(f"FASTMLP_ISA is {forced!r}, a build that is not installed here")
    if forced not in supported():
        raise ImportError(f"FASTMLP_ISA is {forced!r}, which this processor cannot run")
    return forced


isa: str = choose()


def module(kind: str, dtype: str, build: str | None = None) -> ModuleType:
    """The compiled module of one kind ("engine" or "operations") and element type."""
    return importlib.import_module(f"fastmlp.kernels._{kind}_{build or isa}_{ELEMENTS[dtype]}")


def engine(dtype: str, build: str | None = None) -> ModuleType:
    """The module with the class `Engine` for networks of this dtype."""
    return module("engine", dtype, build)


def distortion(dtype: str, *limits: Any) -> Any:
    """The compiled distortion of images with these limits, for networks of this dtype."""
    return engine(dtype).Distortion(*limits)


def operations(dtype: str, build: str | None = None) -> ModuleType:
    """The module with each kernel alone on arrays of this dtype."""
    return module("operations", dtype, build)


def openmp() -> bool:
    """Whether the kernels were compiled with OpenMP; without it they run on one thread."""
    return OPENMP
