from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DTYPE: np.dtype[np.floating]

Real = NDArray[np.floating]

def forward(
    a: Real,
    W: Real,
    b: Real,
    way: str = "dense",
    part: int = 0,
    n_parts: int = 1,
    shares: NDArray[np.intc] | None = None,
) -> Real: ...
def hidden_delta(delta: Real, W: Real, way: str = "dense") -> Real: ...
def weight_gradient(a: Real, delta: Real, way: str = "dense") -> Real: ...
def set_halves_fast(fast: bool) -> bool: ...
def choices(seconds: NDArray[np.float64]) -> list[bool]: ...
def team_choices(seconds: NDArray[np.float64]) -> list[bool]: ...
def shares(slowness: NDArray[np.float64]) -> NDArray[np.float64]: ...
def groups(
    n: int, n_terms: int, n_rows: int, starts: NDArray[np.intc]
) -> tuple[int, int]: ...
def bias_gradient(delta: Real) -> Real: ...
def activate(z: Real, name: str, parameter: float = 0.0) -> tuple[Real, Real]: ...
def loss(
    z: Real,
    y: Real | NDArray[np.int32],
    name: str,
    activation: str = "identity",
    parameter: float = 0.0,
    smoothing: float = 0.0,
    constants: Sequence[float] = (),
) -> tuple[Real, Real, NDArray[np.float64]]: ...
def batch_norm(
    u: Real, scale: Real, shift: Real, epsilon: float, weights: Real
) -> tuple[Real, Real, Real]: ...
def batch_norm_delta(
    delta: Real, normalized: Real, scale: Real, inverse: Real, weights: Real
) -> tuple[Real, Real, Real]: ...
def dropout_factors(
    m: int, n: int, p: float, seed: int, epoch: int, batch: int, layer_number: int
) -> Real: ...
def noise(
    m: int, n: int, sigma: float, seed: int, epoch: int, batch: int, layer_number: int
) -> Real: ...
def update_step_on(
    W: Real,
    gradient: Real,
    slots: Sequence[Real],
    name: str,
    constants: Sequence[float],
    rate: float,
    l2: float = 0.0,
    mean: float = 1.0,
    step: int = 1,
    is_weight: bool = True,
) -> tuple[Real, list[Real]]: ...
def evaluate(name: str, x: Real) -> Real: ...
