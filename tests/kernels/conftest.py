"""Fixtures over the builds: a test that asks for `build` runs on every instruction set × dtype."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastmlp import kernels

ISAS = kernels.isas()
DTYPES = ("float32", "float64")
CONSTANTS = {"huber": (0.5,), "quantile": (0.3, 0.8)}  # of the losses of `engine`


@dataclass(frozen=True)
class Build:
    """One compiled build: an instruction set and an element type."""

    isa: str
    dtype: str

    @property
    def operations(self) -> ModuleType:
        """Its kernels alone on arrays."""
        return kernels.operations(self.dtype, self.isa)

    @property
    def engine(self) -> ModuleType:
        """Its module with `Engine` and `Data`."""
        return kernels.engine(self.dtype, self.isa)

    @property
    def eps(self) -> float:
        """One unit in the last place of 1."""
        return float(np.finfo(self.dtype).eps)

    def __str__(self) -> str:
        return f"{self.isa}-{self.dtype}"


@pytest.fixture(params=[Build(isa, dtype) for isa in ISAS for dtype in DTYPES], ids=str)
def build(request: pytest.FixtureRequest) -> Build:
    """Every build that this processor can run."""
    return request.param


@pytest.fixture
def operations(build: Build) -> ModuleType:
    """The build's kernels alone on arrays."""
    return build.operations


@pytest.fixture
def fused_builds(request: pytest.FixtureRequest) -> Callable[[str], list[Build]]:
    """The builds of a dtype that must agree bit for bit: those with a fused multiply-add."""

    def fused_builds(dtype: str) -> list[Build]:
        builds = [Build(isa, dtype) for isa in ISAS if isa != "baseline"]
        if len(builds) < 2:
            pytest.skip("fewer than two builds with a fused multiply-add run here")
        return builds

    return fused_builds


@pytest.fixture
def rng() -> np.random.Generator:
    """The same random numbers in every run."""
    return np.random.default_rng(20240)


@pytest.fixture
def whole(rng: np.random.Generator) -> Callable[..., Any]:
    """Whole numbers from −4 to 4, of which no order of summing a product rounds a bit."""

    def whole(*shape: int) -> Any:
        return rng.integers(-4, 5, shape)

    return whole


@pytest.fixture
def sparse(rng: np.random.Generator, build: Build) -> Callable[..., Any]:
    """Normal numbers of the build's dtype, of which the fraction `density` is not zero."""

    def sparse(*shape: int, density: float = 1.0) -> Any:
        values = rng.standard_normal(shape) * (rng.random(shape) < density)
        return values.astype(build.dtype)

    return sparse


@pytest.fixture
def engine(build: Build) -> Callable[..., Any]:
    """Make an engine of the build with random parameters.

    `hidden` and `output` are names of activations or (name, parameter), `optimizer` its name
    and constants.
    """

    def engine(
        sizes: Sequence[int],
        hidden: str | tuple[str, float] = "tanh",
        output: str | tuple[str, float] = "identity",
        loss: str = "squared_error",
        optimizer: tuple[Any, ...] = ("gradient_descent", 0.0, 0.0),
        uint8_scale: float = 1 / 255,
    ) -> Any:
        names = [hidden] * (len(sizes) - 2) + [output]
        activations = [(name, 0.0) if isinstance(name, str) else name for name in names]
        made = build.engine.Engine(
            tuple(sizes), activations, loss, uint8_scale, loss_constants=CONSTANTS.get(loss, ())
        )
        rng = np.random.default_rng(7)
        layers = []
        for n_in, n_out in pairwise(sizes):
            weight = rng.standard_normal((n_out, n_in)) / np.sqrt(n_in)
            bias = rng.standard_normal(n_out)
            layers.append((weight.astype(build.dtype), bias.astype(build.dtype)))
        made.set_layers(layers)
        made.set_optimizer(optimizer[0], optimizer[1:])
        return made

    return engine


@pytest.fixture
def parameters() -> Callable[[Any], list[Any]]:
    """W(1), b(1), W(2), … of an engine, as copies."""

    def parameters(engine: Any) -> list[Any]:
        return [array for layer in engine.get_layers() for array in layer]

    return parameters


@pytest.fixture
def problem(
    build: Build, engine: Callable[..., Any], sparse: Callable[..., Any], rng: np.random.Generator
) -> Callable[..., tuple[Any, Any]]:
    """Make an engine (6, 9, 4) and m examples with targets for its loss, and perhaps weights."""

    def problem(
        loss: str = "squared_error",
        output: str = "identity",
        m: int = 50,
        weighted: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, Any]:
        made = engine((6, 9, 4), output=output, loss=loss, **kwargs)
        y: Any = rng.random((m, 2 if loss == "quantile" else 4)).astype(build.dtype)
        if loss == "cross_entropy":
            y = rng.integers(0, 4, m).astype(np.int32)
        s = rng.random(m).astype(build.dtype) if weighted else None
        return made, build.engine.Data(made, sparse(m, 6), y, s)

    return problem
