from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .calls import Batches, Progress, TrainingOptions

DTYPE: np.dtype[np.floating]
PHASES: tuple[str, ...]

Real = NDArray[np.floating]
# weight, bias, and the scale of a normalized layer; where encodings have parameters, lists of
# layers end with one more entry: all of their arrays
Layer = tuple[Real, ...]
CSR = tuple[Real, NDArray[np.int32], NDArray[np.int64]]

class PythonLoss(Protocol):
    """A loss written in Python: of h (m, n_out) and y as passed, both fresh, C-contiguous."""

    def costs(self, h: Real, y: NDArray[np.generic]) -> NDArray[np.float64]:
        """The cost of each example, (m,)."""

    def slopes(self, h: Real, y: NDArray[np.generic]) -> Real:
        """∂cost/∂h, (m, n_out), in h's dtype."""

class Data:
    """Examples, and perhaps their targets and weights, as the kernels read them.

    `X` is a C-contiguous (m, n_in) array of float32, float64 or uint8, or CSR's
    (data, indices, indptr) with indices ascending in each row, none twice; `y` int32 labels (m,)
    or real values (m, n) C-contiguous, n being n_out, or for the quantile loss n_out by the number
    of quantiles; no labels for a cross-entropy with groups; for a loss written in Python any array
    of m; `sample_weight` real (m,).
    """

    density: float
    unchecked: bool  # training checks that the numbers of the rows it reads are finite
    def __init__(
        self,
        engine: Engine | None,
        X: Real | NDArray[np.uint8] | CSR,
        y: Real | NDArray[np.int32] | None = None,
        sample_weight: Real | None = None,
        first: int = 0,
    ) -> None:
        """With `first` X is the input of that layer, for `train` to begin there."""

class Distortion:
    """Limits of random distortions of square images; angles in radians, lengths in pixels."""

    def __init__(
        self,
        side: int,
        rotation: float,
        gentle_rotation: float,
        gentle: Sequence[bool] | NDArray[np.uint8],
        shear: float,
        scale: float,
        translation: float,
        alpha: float,
        taps: Sequence[float] | NDArray[np.floating],
    ) -> None: ...
    def images(
        self, X: Real, labels: NDArray[np.int32] | None, seed: int, epoch: int, threads: int
    ) -> Real:
        """All rows of X distorted, (m, n_in)."""

class ParameterSet:
    """Parameters, running statistics and averages of one moment, which no writer changes."""

    use_average: bool
    averaged: int
    def tobytes(self) -> bytes: ...

class InverseHessian:
    """L-BFGS's approximation H of an inverse Hessian, from the last pairs of vectors of n numbers.

    A pair is a step s and the change y of the gradient over it.
    """

    n_pairs: int
    def __init__(self, n: int, capacity: int) -> None: ...
    def add(self, step: Real, change: Real, least: float) -> None:
        """Add a pair if sᵀy > least, in place of the oldest one of `capacity` pairs."""

    def clear(self) -> None:
        """Forget all pairs: H = I."""

    def direction(self, gradient: Real) -> tuple[Real, float]:
        """The direction d = −H g and its slope gᵀd."""

class OptimizerSnapshot:
    """An optimizer's rule, its numbers and its steps at one moment."""

class TrainingLock(AbstractContextManager[None]):
    """The context of a call of fit: entered while it is held it raises RuntimeError."""

    held: bool
    def __exit__(self, *error: object) -> None: ...
    def renew(self) -> None:
        """In a process made by fork: held only if the thread that forked holds it."""

class Workspace:
    """The memory of a pass."""

    shares: Sequence[float]
    """Of the threads, as parts of 1; set ones are taken by the next batch, then follow speed."""

class Engine:
    """Memory and compiled loops of one network.

    Whatever reads parameters reads a `ParameterSet`, by default the current one.
    """

    sizes: tuple[int, ...]
    steps: int
    training_lock: TrainingLock
    use_average: bool  # predict by the average of the parameters
    use_sparse: bool  # skip zeros where that is faster; no bit depends on it
    training: Workspace | None  # of `train`, kept between calls
    passing: Workspace | None  # of `gradients`
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
        custom: PythonLoss | None = None,
        encodings: Sequence[tuple[str, int, int, Sequence[float]]] = (),
        input_scaling: bool = False,
    ) -> None:
        """`hidden` has (batch norm?, dropout p, noise σ) for each hidden layer.

        `encodings` has (name, outputs, bins or levels or frequencies, edges) for each column of
        X; sizes[0] is the number of all outputs.
        With loss "custom", `custom` is called once a batch, in the calling thread.
        """

    def snapshot(self) -> ParameterSet: ...
    def restore(self, snapshot: ParameterSet) -> None: ...
    def paused(self) -> AbstractContextManager[None]:
        """A context in which no other thread changes parameters or optimizer state."""

    def renew(self) -> None:
        """Make ready in a process made by fork."""

    def get_layers(self, of: ParameterSet | None = None) -> list[Layer]: ...
    def get_flat(self) -> Real:
        """All weights and biases in one vector: W(0) row after row, b(0), W(1), …"""

    def set_flat(self, vector: Real) -> None:
        """Replace all weights and biases by those in a vector like that of `get_flat`."""

    def get_average(self, of: ParameterSet | None = None) -> list[Layer] | None: ...
    def get_folded(self, of: ParameterSet | None = None) -> list[Layer]:
        """Weights and biases of the inference network, batch norm folded in."""

    def get_statistics(self, of: ParameterSet | None = None) -> list[tuple[Real, Real] | None]:
        """Running mean and variance of each normalized layer."""

    def weight_squares(
        self, training: bool = False, of: ParameterSet | None = None
    ) -> list[float]:
        """Σ W² of each layer, in double precision: as the network predicts, or trains."""

    def set_layers(
        self,
        layers: Sequence[Layer],
        statistics: Sequence[tuple[Real, Real] | None] | None = None,
    ) -> None:
        """Replace all parameters at once; scales and statistics that are missing stay."""

    def start_average(self) -> None:
        """Begin a running average of the parameters, if there is none."""

    def set_average(self, layers: Sequence[Layer], averaged: int) -> None: ...
    def drop_average(self) -> None: ...
    def set_optimizer(self, name: str, constants: Sequence[float]) -> None: ...
    def get_state(self) -> list[list[Layer]]: ...
    def set_state(self, slots: Sequence[Sequence[Layer]], steps: int) -> None: ...
    def optimizer_snapshot(self) -> OptimizerSnapshot: ...
    def restore_optimizer(self, snapshot: OptimizerSnapshot) -> None: ...
    def pack(self, data: Data, threads: int) -> None:
        """Pack rows that training reads as sparse rows, where that takes less memory than X."""

    def train(
        self,
        data: Data,
        batches: Batches,
        options: TrainingOptions,
        progress: Progress,
        threads: int,
        seconds: float,
        good: ParameterSet | None = None,
    ) -> Progress:
        """Run batches from `progress.batch` on, or several epochs, until their end or the time's.

        No epoch of several begins after `seconds`, but for the first.  If a number is not finite,
        training ends, the optimizer is as before its first step, and the parameters are `good`
        again, or those before the last of several epochs.
        """

    def release_workspace(self) -> None:
        """Free the training workspace, which the next call of `train` makes anew."""

    def row_order(
        self, seed: NDArray[np.uint32], epoch: int, n_rows: int
    ) -> NDArray[np.int64]:
        """The random order of an epoch's rows; the seed in words of 32 bits, the lowest first."""

    def phase_seconds(self) -> dict[tuple[str, int], float]: ...
    def workspace_bytes(self, batch_size: int, threads: int = 1) -> int: ...
    def forward(
        self,
        data: Data,
        threads: int,
        of: ParameterSet | None = None,
        require_finite: bool = False,
    ) -> Real:
        """The output activations; FloatingPointError if `require_finite` and one is not."""

    def layer_activations(
        self,
        data: Data,
        level: int,
        threads: int,
        of: ParameterSet | None = None,
        training: bool = False,
    ) -> Real:
        """a of one hidden layer (1: after the first layer of weights), (m, n)."""

    def activations(
        self, data: Data, threads: int, of: ParameterSet | None = None
    ) -> list[Real]: ...
    def evaluate(
        self, data: Data, threads: int, of: ParameterSet | None = None
    ) -> tuple[float, float, Real]:
        """Σ s·cost, Σ s and the output activations."""

    def gradients(
        self,
        data: Data,
        options: TrainingOptions,
        threads: int,
        wrt_input: bool = False,
        training: bool = False,
        epoch: int = 0,
        of: ParameterSet | None = None,
        wrt_encoding: bool = False,
        flat: bool = False,
    ) -> tuple[Progress, Any]:
        """Σ s·cost and Σ s, and the derivatives of J by each layer's parameters or by X.

        With `wrt_encoding` by the parameters of the encodings, a list of arrays; with `flat` by
        weights and biases in one vector, like that of `get_flat`.

        Of the network as it predicts, or with `training` as the epoch's first batch sees it.
        """
