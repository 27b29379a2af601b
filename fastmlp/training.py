"""fit: its arguments, checked, and what they ask for; epochs.py carries it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from . import checks, optimizers, streaming
from .callbacks import Callback, EarlyStopping, Progress, checked, stopping
from .epochs import Run
from .examples import Examples
from .history import History, TrainingDiverged
from .optimizers import Optimizer
from .streaming import Chunks, Source

if TYPE_CHECKING:
    from .augment import Distortion
    from .kernels.engine import Warp
    from .network import MLP

__all__ = ["TrainingDiverged", "fit"]


def fit(
    net: MLP,
    X: checks.Examples | streaming.Given,
    y: ArrayLike | None = None,
    *,
    epochs: int = 15,
    batch_size: int = 100,
    optimizer: str | Optimizer = "adam",
    l2: float = 0.0,
    validation_data: tuple[checks.Examples, ArrayLike] | float | None = None,
    sample_weight: ArrayLike | None = None,
    callbacks: Iterable[Callback] = (),
    cost_below: float | None = None,
    max_seconds: float | None = None,
    early_stopping: bool | int | EarlyStopping | None = None,
    shuffle: bool | Callable[[int], ArrayLike] = True,
    verbose: bool = False,
    label_smoothing: float = 0.0,
    max_norm: float | None = None,
    clip_norm: float | None = None,
    ema: float | None = None,
    rate_multipliers: Sequence[float] | None = None,
    l2_multipliers: Sequence[float] | None = None,
    augment: Distortion | None = None,
    n_threads: int | None = None,
    reset_optimizer: bool = False,
) -> History:
    """Train the network on examples: steps 2 to 7 of the report.

    A later call goes on from the parameters, and from the optimizer's state (moments and number
    of steps) if name and constants of the optimizer are the same; its learning rate may differ.
    Each epoch of a network's life has an order of its own, drawn from the network's seed.

    Parameters
    ----------
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one a row.  float32, float64, uint8 and CSR are read as they lie, without a
        copy; uint8 counts as value × `uint8_scale`.  Other numbers are converted.  A numpy.memmap
        is read in pieces.  Alone, without y: an iterable of chunks (X, y) or (X, y, sample_weight),
        gone through once an epoch, or a function that returns one.  See Notes.
    y : array-like, optional
        Targets.  For "cross_entropy" labels (m,) from 0 to n_out − 1, with groups of classes
        (m, n_groups), each from 0, or probabilities (m, n_out); for "quantile" values
        (m, n_targets); for a loss of your own whatever it takes, an entry for each example;
        otherwise values (m, n_out), or (m,) with one output.
    epochs : int, default 15
        Passes over the examples, at most.
    batch_size : int, default 100
        Examples a step; the last batch of an epoch has what is left.  One batch of all if there
        are fewer.
    optimizer : str or Optimizer, default "adam"
        "gradient_descent", "adam", "adamw", "rmsprop", or an object such as
        ``fastmlp.Adam(0.01)``, whose learning rate may be a schedule (fastmlp.schedules).
    l2 : float, default 0.0
        λ of the penalty λ/2 Σ W², on weights, not on biases.
    validation_data : (X, y) or float, optional
        Examples to measure each epoch by, or the fraction, in (0, 1), of the given ones to set
        aside for it: at random by the network's seed, the same ones in each call.
    sample_weight : array-like, (m,), optional
        Weights s ≥ 0 of the examples in J.  Default: all 1.
    callbacks : iterable of Callback, optional
        Called before and after training and after each epoch, in this order.
    cost_below : float, optional
        Stop after the first epoch whose cost (`History.cost`) is smaller.
    max_seconds : float, optional
        Stop when so much time has passed, if need be within an epoch; that epoch then counts
        for the parameters but has no entry in the history.
    early_stopping : bool, int or EarlyStopping, optional
        True, a patience in epochs, or an object: stop when the validation cost has not become
        lower for so long, and go back to the best parameters.
    shuffle : bool or callable, default True
        Draw a new order of the examples for each epoch; False keeps theirs.  A function is given
        the number m of examples to train on and returns m row numbers, each from 0 to m − 1, for
        the coming epoch; not where X is read in pieces.
    verbose : bool, default False
        Show the figures of each epoch.
    label_smoothing : float, default 0.0
        s in [0, 1): train towards (1 − s)·y + s/K instead of y, K being the number of classes (of
        the group), or 2 for "binary_cross_entropy" (Szegedy et al. 2016).  Validation takes y.
    max_norm : float, optional
        c: after each step the weights into a unit are scaled down to norm c if it is larger
        (Srivastava et al. 2014).
    clip_norm : float, optional
        Scale a step's gradient, λW included, down to this norm over all trained parameters if it
        is larger (Pascanu et al. 2013).
    ema : float, optional
        Keep an exponential moving average of the parameters with this decay in (0, 1), in the
        first steps min(ema, (1 + t)/(10 + t)), beside them.  Validation and, from then on, the
        network's predictions use it: see `MLP.use_average`.  A fit without it ends it.
    rate_multipliers, l2_multipliers : sequences of float, optional
        Factors ≥ 0 of the learning rate and of λ, one for each layer of weights.  Default: all 1.
    augment : fastmlp.augment.Distortion, optional
        Train on distorted copies of the images, made anew for each batch; X is then dense.
    n_threads : int, optional
        Most threads for this call.  Default: `fastmlp.get_num_threads()`, but one where a step
        is too small to share.  The result is the same bit for bit.
    reset_optimizer : bool, default False
        Begin with a new optimizer state in any case.

    Returns
    -------
    History
        Cost, validation figures, learning rate and seconds of each whole epoch, and what ended
        the training.  Also kept as ``net.history``.

    Raises
    ------
    TrainingDiverged
        If the cost or a parameter becomes infinite or NaN.
    RuntimeError
        If the network is in training already, in another Python thread or in a callback's caller.

    Notes
    -----
    Ctrl-C ends training within a few hundredths of a second, or one batch, with a warning; the
    history so far is returned.

    Chunks are checked as they come, and what has been learned before a bad one stays.  Rows left
    over at a chunk's end share a batch with the next chunk's first ones: unshuffled, a fit on
    chunks gives the same bits as one on all rows in one array.  Shuffled, rows change places within
    their chunk only.  A memmap is read in chunks of 32 MiB, shuffled of blocks of 1 MiB from all
    over the file.  Curves that span a fit (`Cosine`, `OneCycle`) need `total_steps` for chunks.
    For chunks and memmaps validation_data is a pair; it may be of memmaps itself, in any fit.

    Examples
    --------
    >>> net = fastmlp.MLP((64, 100, 10), dropout=0.2)
    >>> history = net.fit(X, y, epochs=100, validation_data=0.1, early_stopping=5)
    >>> history.stopped_by, history.validation_accuracy[-1] > 0.95
    ('EarlyStopping', True)
    """
    epochs = checks.whole("epochs", epochs)
    source = streaming.source(net, X, y, sample_weight, epochs)
    kept, held_out = streaming.validation(net, source, validation_data)
    n_rows = None if isinstance(source, Chunks) else len(source if kept is None else kept)
    batch_size = checks.whole("batch_size", batch_size)
    n_layers = len(net.sizes) - 1
    if len(net.frozen) == n_layers:
        raise ValueError("every layer is frozen: nothing to train; see MLP.unfreeze")
    label_smoothing = checks.number("label_smoothing", label_smoothing, "[0, 1)")
    if label_smoothing > 0 and not net.loss.classification:
        raise ValueError(
            f"label_smoothing is for classification; the network's loss is {net.loss.name}"
        )
    if callable(shuffle) and not isinstance(source, Examples):
        raise ValueError("shuffle must be True or False where X is read in pieces, got a function")
    run = Run(
        net=net,
        source=source,
        kept=kept,
        n_rows=n_rows,
        held_out=held_out,
        epochs=epochs,
        batch_size=batch_size if n_rows is None else min(batch_size, n_rows),
        optimizer=checks.named("optimizer", optimizer, optimizers.TABLE, Optimizer),
        reset_optimizer=checks.flag("reset_optimizer", reset_optimizer),
        l2=checks.number("l2", l2, "[0, inf)"),
        shuffle=shuffle if callable(shuffle) else checks.flag("shuffle", shuffle),
        label_smoothing=label_smoothing,
        max_norm=0.0 if max_norm is None else checks.number("max_norm", max_norm, "(0, inf)"),
        clip_norm=0.0 if clip_norm is None else checks.number("clip_norm", clip_norm, "(0, inf)"),
        ema=0.0 if ema is None else checks.number("ema", ema, "(0, 1)"),
        rate_multipliers=_multipliers("rate_multipliers", rate_multipliers, n_layers),
        l2_multipliers=_multipliers("l2_multipliers", l2_multipliers, n_layers),
        warp=_warp(net, source, augment),
        cost_below=-inf if cost_below is None else checks.number("cost_below", cost_below),
        max_seconds=inf
        if max_seconds is None
        else checks.number("max_seconds", max_seconds, "(0, inf)"),
        n_threads=None if n_threads is None else checks.whole("n_threads", n_threads),
        callbacks=[
            *stopping(early_stopping),
            *checked(callbacks),
            *([Progress(epochs)] if checks.flag("verbose", verbose) else []),
        ],
    )
    run.check_monitors()
    if n_rows is not None:
        run.check_batches(n_rows)
    run.spanning(0)  # refuses here what it cannot span
    if not net._lock.acquire(blocking=False):
        raise RuntimeError(
            "this network is in training already; wait until that call of fit returns, or train "
            "a copy (copy.deepcopy)"
        )
    try:
        return run.train()
    finally:
        net._lock.release()


def _warp(net: MLP, source: Source, augment: Distortion | None) -> Warp | None:
    """The distortion of these examples as the engine takes it."""
    if augment is None:
        return None
    from .augment import Distortion  # loaded already, if it is one

    if not isinstance(augment, Distortion):
        raise TypeError(f"augment must be a fastmlp.augment.Distortion, got {augment!r}")
    if augment.gentle_classes and net.loss.groups:
        raise ValueError("gentle_classes are of one class an image; the network's loss has groups")
    if isinstance(source, Examples):
        source.require_dense()
    return augment._warp(net.sizes[0], net.dtype.name)


def _multipliers(name: str, given: Sequence[float] | None, n_layers: int) -> tuple[float, ...]:
    """One factor ≥ 0 for each layer of weights."""
    def check(name: str, value: object) -> float:
        return checks.number(name, value, "[0, inf)")

    return checks.each(name, 1.0 if given is None else given, n_layers, check, "layers of weights")
