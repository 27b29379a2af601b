from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DTYPE: np.dtype[np.floating]
PHASES: tuple[str, ...]

Real = NDArray[np.floating]
Layer = tuple[Real, ...]  # weight, bias, and the scale of a normalized layer
CSR = tuple[Real, NDArray[np.int32], NDArray[np.int64]]

class Asked(Protocol):
    """A loss written in Python: of h (m, n_out) and y as given, both fresh, C-contiguous."""

    def costs(self, h: Real, y: NDArray[np.generic]) -> NDArray[np.float64]:
        """Of each example, (m,)."""

    def slopes(self, h: Real, y: NDArray[np.generic]) -> Real:
        """∂cost/∂h, (m, n_out), of h's dtype."""

class Data:
    """Examples, and perhaps their targets and weights, as the kernels read them.

    `X` is a C-contiguous (m, n_in) array of float32, float64 or uint8, or CSR's
    (data, indices, indptr) with indices ascending in each row, none twice; `y` int32 labels (m,)
    or real values (m, n) C-contiguous, n being n_out, or for the quantile loss n_out by the number
    of quantiles; no labels for a cross-entropy with groups; for a loss written in Python any array
    of m; `sample_weight` real (m,).  The arrays must not change while it is in use: training packs
    rows with many zeros once.
    """

    density: float
    def __init__(
        self,
        engine: Engine,
        X: Real | NDArray[np.uint8] | CSR,
        y: Real | NDArray[np.int32] | None = None,
        sample_weight: Real | None = None,
        first: int = 0,
    ) -> None:
        """With `first` X is the input of that layer, for `train` to begin there."""

class Warp:
    """Limits of random distortions of square images; angles in radians, lengths in pixels."""

    def __init__(
        self,
        side: int,
        rotation: float,
        gentle_rotation: float,
        gentle: Sequence[bool],
        shear: float,
        scale: float,
        translation: float,
        alpha: float,
        taps: Sequence[float],
    ) -> None: ...
    def images(self, data: Data, seed: int, epoch: int, threads: int) -> Real:
        """All rows distorted, (m, n_in)."""

class Engine:
    """Memory and compiled loops of one network."""

    sizes: tuple[int, ...]
    steps: int
    slept: float  # seconds that threads slept at barriers in the last `train` or `gradients`
    most_density: float  # up to which lists of non-zeros cost less than the dense tile, here
    averaged: int  # steps that the average has seen
    use_average: bool  # predict by the average of the parameters
    label_smoothing: float  # of training, as are
    max_norm: float  # 0: none
    clip_norm: float  # 0: none
    ema: float  # 0: none
    shared_l2: bool  # in training λ/Σ s of a batch in place of λ
    draws_by_content: bool  # in training by each example's numbers, not its place
    skip_zeros: bool  # take lists of non-zeros where they pay; no bit depends on it
    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[tuple[str, float]],
        loss: str,
        uint8_scale: float,
        hidden: Sequence[tuple[bool, float, float]] | None = None,
        input_dropout: float = 0.0,
        seed: int = 0,
        loss_constants: Sequence[float] = (),
        custom: Asked | None = None,
    ) -> None:
        """`hidden` has (batch norm?, dropout p, noise σ) for each hidden layer.

        With loss "custom" `custom` is asked once a batch, by the thread that calls.
        """

    def get_layer(self, layer: int) -> Layer: ...
    def set_layer(
        self, layer: int, weight: Real, bias: Real, scale: Real | None = None
    ) -> None: ...
    def get_folded_layer(self, layer: int) -> Layer:
        """Weight and bias that do what the layer does in prediction, normalization included."""

    def weight_squares(self, training: bool = False) -> list[float]:
        """Σ W² of each layer, in double precision: as the network predicts, or trains."""

    def get_statistics(self, l: int) -> tuple[Real, Real] | None:
        """Running mean and variance of a normalized layer."""

    def set_statistics(self, l: int, mean: Real, variance: Real) -> None: ...
    def start_average(self) -> None:
        """Begin a running average of the parameters, if there is none; `ema` is its decay."""

    def drop_average(self) -> None: ...
    def get_average(self, layer: int) -> Layer | None: ...
    def set_average(
        self, layer: int, weight: Real, bias: Real, scale: Real | None = None
    ) -> None: ...
    def set_warp(self, warp: Warp | None) -> None:
        """Distort the images of each batch that `train` runs."""

    def set_layers(
        self, frozen: Sequence[bool], rates: Sequence[float], l2s: Sequence[float]
    ) -> None:
        """Which layers `train` leaves alone; multipliers of learning rate and λ."""

    def snapshot(self) -> bytes: ...
    def restore(self, snapshot: bytes) -> None: ...
    def keep(self) -> None:
        """Remember the parameters, in memory kept for it; `recall` brings them back."""

    def recall(self) -> None: ...
    def set_optimizer(self, name: str, constants: Sequence[float]) -> None: ...
    def get_state(self) -> list[list[Layer]]: ...
    def set_state(self, slots: Sequence[Sequence[Layer]], steps: int) -> None: ...
    def train(
        self,
        data: Data,
        order: NDArray[np.int64],
        batch_size: int,
        first: int,
        rates: NDArray[np.float64],
        l2: float,
        threads: int,
        seconds: float,
        cost: float = 0.0,
        weight: float = 0.0,
        epoch: int = 0,
        before: int = 0,
    ) -> tuple[int, float, float, int]:
        """Run batches first, first + 1, … of the rows in `order` until its end or the time's.

        An epoch may come in several parts, `before` being the batches of those before this one.

        Returns the next batch, Σ s·cost and Σ s over the examples run, added to what was given,
        and the batch at which the cost or a parameter stopped being finite, or −1.
        """

    def phase_seconds(self) -> dict[tuple[str, int], float]: ...
    def workspace_bytes(self, batch_size: int, threads: int = 1) -> int: ...
    def forward(self, data: Data, threads: int) -> Real: ...
    def level(self, data: Data, level: int, threads: int) -> Real:
        """a of one hidden level (1: behind the first layer), (m, n)."""

    def activations(self, data: Data, threads: int) -> list[Real]: ...
    def evaluate(self, data: Data, threads: int) -> tuple[float, float, Real]: ...
    def cost(self, data: Data, threads: int) -> tuple[float, float]: ...
    def gradients(
        self,
        data: Data,
        l2: float,
        threads: int,
        wrt_input: bool = False,
        training: bool = False,
        epoch: int = 0,
    ) -> tuple[float, float, list[Layer] | Real]:
        """Σ s·cost, Σ s, and the gradients of J.

        Of the network as it predicts, or with `training` as the epoch's first batch sees it.
        """
