"""The state of a network: the one owner of the compiled engine and of all that it holds.

Parameters, running statistics of batch norm, averaged parameters, optimizer state and the number
of steps are changed here and nowhere else.  Whoever reads sees whole parameters: a reading takes
the current set of them, `snapshot` keeps it, and a change beside it makes a new one
(kernels/parameter_set.pxi).  Options of a fit come with each call and leave nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import repeat
from math import fsum
from operator import mul
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..kernels.calls import Batches, Progress, TrainingOptions
from ..losses import Custom
from ..support import checks
from . import forks
from .spec import NetworkSpec

if TYPE_CHECKING:
    from ..kernels.engine import Data, Engine, InverseHessian, OptimizerSnapshot, ParameterSet

__all__ = ["Array", "Layer", "ModelState", "Snapshot", "Statistics", "shapes"]

Array = NDArray[Any]
# weight (n_out, n_in), bias (n_out,) and, with batch norm, scale (n_out,); where encodings of
# columns have parameters, lists of layers end with one more entry: all of their arrays
Layer = tuple[Array, ...]
# running mean and variance of each layer with batch norm
Statistics = Sequence[tuple[Array, Array] | None]
Snapshot: TypeAlias = "ParameterSet"
OptimizerKind = tuple[str, tuple[float, ...]]  # name and constants: those of a state go on together


class Backup(NamedTuple):
    """All that training changes, as it was at one moment."""

    snapshot: Snapshot
    optimizer: OptimizerKind | None
    optimizer_snapshot: OptimizerSnapshot
    epochs: int
    frozen: tuple[frozenset[int], bool]  # layers of weights, and whether the encodings are


class ModelState:
    """Everything of a network that training changes.

    Parameters
    ----------
    spec : NetworkSpec
        What the network is.
    layers : sequence of (weight, bias) or (weight, bias, scale)
        The first parameters, in the network's dtype; then the encodings', if these have some.

    Attributes
    ----------
    spec : NetworkSpec
    epochs : int
        Epochs of training begun so far.
    frozen : frozenset of int
        Layers of weights that training leaves as they are.
    encoding_frozen : bool
        Whether it leaves the encodings' parameters as they are.
    optimizer : (str, tuple of float) or None
        Name and constants of the optimizer whose state is kept.
    """

    def __init__(self, spec: NetworkSpec, layers: Iterable[Layer]) -> None:
        self.spec = spec
        self.epochs = 0
        self.frozen: frozenset[int] = frozenset()
        self.encoding_frozen = False
        self.optimizer: OptimizerKind | None = None
        module = kernels.engine(spec.dtype.name)
        self._inverse_hessian_type: type[InverseHessian] = module.InverseHessian
        activations = (*spec.activation, spec.output_activation)
        self._data_type: type[Data] = module.Data
        self._engine: Engine = module.Engine(
            spec.layer_sizes,
            [(f.name, f.parameter) for f in activations],
            spec.loss.name,
            spec.uint8_scale,
            list(zip(spec.batch_norm, spec.dropout, spec.noise, strict=True)),
            spec.input_dropout,
            spec.seed % 2**64,
            spec.loss.constants,
            spec.loss if isinstance(spec.loss, Custom) else None,
            [(one.name, one.n_outputs, one.size, one.constants) for one in spec.encodings],
            spec.input_scaling,
        )
        layers = list(layers)
        ones = [np.ones(n, spec.dtype) for n in spec.sizes[1:]]
        normalized = (*spec.batch_norm, False)
        self._engine.set_layers(
            [
                layer if len(layer) > 2 or not has_scale else (*layer, one)
                for layer, has_scale, one in zip(layers, normalized, ones, strict=False)
            ]
            + layers[spec.n_layers :],
            [
                (np.zeros_like(one), one) if has_scale else None
                for has_scale, one in zip(normalized, ones, strict=True)
            ],
        )
        forks.register(self)

    # ----------------------------------------------------------------------------- examples

    def data(
        self,
        X: checks.Rows,
        y: Array | None = None,
        sample_weight: Array | None = None,
        first: int = 0,
    ) -> Data:
        """Return checked examples as the engine reads them; X is the input of layer `first`."""
        return self._data_type(self._engine, X, y, sample_weight, first)

    # ---------------------------------------------------------------------- whole parameters

    def snapshot(self) -> Snapshot:
        """Return parameters, running statistics and averages as they are now."""
        return self._engine.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of this network, or of one with the same layers."""
        if type(snapshot) is not type(self.snapshot()):
            raise TypeError(
                f"snapshot must be what MLP.snapshot of a {self.spec.dtype} network returned, got "
                f"{type(snapshot).__name__}"
            )
        self._engine.restore(snapshot)

    def paused(self) -> AbstractContextManager[None]:
        """Return a context in which no other thread trains the network or sets its parameters."""
        return self._engine.paused()

    def layers(self, of: Snapshot | None = None) -> list[Layer]:
        """Return copies of each layer's parameters, then of the encodings', if these have some."""
        return self._engine.get_layers(of)

    def averages(self, of: Snapshot | None = None) -> list[Layer] | None:
        """Return copies of the averaged parameters, or None if there are none."""
        return self._engine.get_average(of)

    def predicting_layers(self, of: Snapshot | None = None) -> list[Layer]:
        """Return the parameters that predictions come from: the averages where they are in use."""
        of = of or self.snapshot()
        averages = self.averages(of) if of.use_average else None
        return self.layers(of) if averages is None else averages

    def inference_layers(self, of: Snapshot | None = None) -> list[Layer]:
        """Return the weights and biases of the inference network, batch norm folded in."""
        return self._engine.get_folded(of)

    def statistics(self, of: Snapshot | None = None) -> Statistics:
        """Return copies of the running mean and variance of each layer with batch norm."""
        return self._engine.get_statistics(of)

    def set_layers(self, layers: Sequence[Layer], statistics: Statistics | None = None) -> None:
        """Replace all parameters at once; a scale or statistics that are None stay."""
        self._engine.set_layers(layers, statistics)

    # ----------------------------------------------------------------------------- averages

    @property
    def use_average(self) -> bool:
        """Whether predictions and costs come from the averaged parameters."""
        return self._engine.use_average

    def set_use_average(self, wanted: bool) -> None:
        """Predict by the averaged parameters, or no longer."""
        if wanted and self.averages() is None:
            raise ValueError("there is no average of parameters; train with fit(ema=…) first")
        self._engine.use_average = wanted

    def set_averages(self, layers: Sequence[Layer], steps: int) -> None:
        """Set the averaged parameters, and the number of steps that they have seen."""
        self._engine.set_average(layers, steps)

    def drop_averages(self) -> None:
        """Forget the averaged parameters."""
        self._engine.drop_average()

    # ----------------------------------------------------------------------------- prediction

    def forward(
        self,
        data: Data,
        n_threads: int,
        of: Snapshot | None = None,
        *,
        require_finite: bool = False,
    ) -> Array:
        """Return the output activations (m, n_out), perhaps required to be finite."""
        return self._engine.forward(data, n_threads, of, require_finite)

    def activations(self, data: Data, n_threads: int) -> list[Array]:
        """Return the activations of every layer after the input."""
        return self._engine.activations(data, n_threads)

    def layer_activations(self, data: Data, layer: int, n_threads: int) -> Array:
        """Return a hidden layer's activations (m, n), by the trained parameters."""
        of = self.snapshot()
        return self._engine.layer_activations(data, layer, n_threads, of, training=True)

    def evaluate(
        self, data: Data, n_threads: int, of: Snapshot | None = None
    ) -> tuple[float, float, Array]:
        """Return Σ s·cost, Σ s and the output activations."""
        return self._engine.evaluate(data, n_threads, of)

    def gradients(
        self,
        data: Data,
        options: TrainingOptions,
        n_threads: int,
        wrt: str,
        training: bool,
        of: Snapshot | None = None,
    ) -> tuple[Progress, Any]:
        """Return Σ s·cost and Σ s, and the derivatives of J.

        They are by each layer's "parameters", by the "input" X, or by the parameters of the
        "encoding", a list of arrays.
        """
        return self._engine.gradients(
            data, options, n_threads, wrt == "input", training, self.epochs, of, wrt == "encoding"
        )

    # ------------------------------------------------------------ all parameters in one vector

    def flat_parameters(self) -> Array:
        """Return all weights and biases in one vector: W(0) row after row, b(0), W(1), …"""
        return self._engine.get_flat()

    def set_flat_parameters(self, vector: Array) -> None:
        """Replace all weights and biases by those in a vector like that of `flat_parameters`."""
        self._engine.set_flat(vector)

    def flat_gradients(
        self, data: Data, options: TrainingOptions, n_threads: int
    ) -> tuple[Progress, Array]:
        """Return Σ s·cost and Σ s, and the derivatives of J in a vector like the parameters'."""
        return self._engine.gradients(data, options, n_threads, flat=True)

    def inverse_hessian(self, n_pairs: int) -> InverseHessian:
        """Return L-BFGS's approximation of the inverse Hessian, for vectors of parameters."""
        return self._inverse_hessian_type(len(self.flat_parameters()), n_pairs)

    def penalty(
        self,
        l2: float,
        multipliers: Sequence[float] = (),
        *,
        training: bool = True,
        of: Snapshot | None = None,
        squares: Iterable[float] | None = None,
    ) -> float:
        """Return λ/2 Σ W², the part of J that does not depend on examples.

        `squares` has Σ W² of each layer where it is known already.
        """
        if squares is None:
            squares = self._engine.weight_squares(training, of) if l2 > 0 else ()
        return l2 / 2 * fsum(map(mul, multipliers or repeat(1.0), squares))

    # ------------------------------------------------------------------------------- training

    @property
    def training_lock(self) -> AbstractContextManager[None]:
        """The context of a call of fit: a second one at the same time raises RuntimeError."""
        return self._engine.training_lock

    @property
    def steps(self) -> int:
        """Updates since the optimizer began."""
        return self._engine.steps

    def begin_training(self, kind: OptimizerKind, ema: bool, reset_optimizer: bool) -> None:
        """Make optimizer state and averages ready; state of the same kind goes on."""
        with self.paused():  # readers see no state between these
            if ema:
                self._engine.start_average()
                self._engine.use_average = True
            else:
                self._engine.drop_average()
            if reset_optimizer or self.optimizer != kind:
                self._engine.set_optimizer(*kind)
                self.optimizer = kind

    def train(
        self,
        data: Data,
        batches: Batches,
        options: TrainingOptions,
        progress: Progress,
        n_threads: int,
        seconds: float,
        good: Snapshot,
    ) -> Progress:
        """Train on batches until they end, the time is up, or a number is not finite.

        Then the parameters are `good` again, and the optimizer is as before its first step.
        """
        return self._engine.train(data, batches, options, progress, n_threads, seconds, good)

    def row_order(self, epoch: int, n_rows: int) -> NDArray[np.int64]:
        """Return the random order of the rows in an epoch of this network's life."""
        return self._engine.row_order(self.spec.seed_words, epoch, n_rows)

    def train_epochs(
        self,
        data: Data,
        batches: Batches,
        options: TrainingOptions,
        n_threads: int,
        seconds: float,
    ) -> Progress:
        """Train for whole epochs; one with a number that is not finite is undone and the last.

        The optimizer is then as before its first step.
        """
        first = self.epochs
        self.epochs = first + 1
        progress = self._engine.train(data, batches, options, Progress(), n_threads, seconds)
        assert progress.epochs is not None
        self.epochs = first + len(progress.epochs)
        if progress.failed is not None:
            self.epochs += 1
        return progress

    def release_workspace(self) -> None:
        """Free the memory of training steps, which is else kept for the next fit."""
        self._engine.release_workspace()

    def pack(self, data: Data, n_threads: int) -> None:
        """Pack rows with many zeros, which pays where they are read several times."""
        self._engine.pack(data, n_threads)

    def backup(self) -> Backup:
        """Return all that training changes, to undo it."""
        optimizer, frozen = self._engine.optimizer_snapshot(), (self.frozen, self.encoding_frozen)
        return Backup(self.snapshot(), self.optimizer, optimizer, self.epochs, frozen)

    def restore_backup(self, backup: Backup) -> None:
        """Undo all training since a backup."""
        with self.paused():
            self.restore(backup.snapshot)
            self.optimizer = backup.optimizer
            self._engine.restore_optimizer(backup.optimizer_snapshot)
            self.epochs, (self.frozen, self.encoding_frozen) = backup.epochs, backup.frozen

    def optimizer_state(self) -> list[list[Layer]]:
        """Return copies of the optimizer's numbers, slot by slot, laid out like the parameters."""
        return self._engine.get_state()

    def set_optimizer_state(
        self, kind: OptimizerKind, slots: Sequence[Sequence[Layer]], steps: int
    ) -> None:
        """Set the optimizer with its state, which must have the shapes of the parameters."""
        if self.optimizer != kind:
            self._engine.set_optimizer(*kind)
        if shapes(slots) != shapes(self.optimizer_state()):
            raise ValueError("the optimizer's state does not fit the network")
        self._engine.set_state(slots, steps)
        self.optimizer = kind

    # ----------------------------------------------------------------------------- the machine

    def workspace_bytes(self, batch_size: int, n_threads: int) -> int:
        """Return the bytes of memory that a training step takes beside the parameters."""
        return self._engine.workspace_bytes(batch_size, n_threads)

    def phase_seconds(self) -> dict[tuple[str, int], float]:
        """Return where the first thread's time in training went, by phase and layer."""
        return self._engine.phase_seconds()

    def use_sparse(self, wanted: bool) -> None:
        """Allow products of sparse rows, as by default, or forbid them; no bit depends on it."""
        self._engine.use_sparse = wanted

    def renew(self) -> None:
        """Make ready in a process made by fork, in which no other thread has come along."""
        self._engine.renew()
        self._engine.training_lock.renew()


def shapes(slots: Sequence[Sequence[Layer]]) -> list[Any]:
    """Return the shapes and dtypes of layers, to compare."""
    return [[(one.shape, one.dtype) for one in layer] for layers in slots for layer in layers]
