"""Data-parallel training of one network."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..callbacks import Callback, Checkpoint, Progress, of_fit
from ..data import batches
from ..history import History, TrainingDiverged
from ..network import MLP
from ..support import checks
from ..support.keywords import guess
from ..tracking import MLflow, TensorBoard
from ..training import FitConfig
from .communication import Ranks
from .equality import require_equal
from .folders import own_part
from .shared_run import SharedRun
from .sharing import Sharing

if TYPE_CHECKING:
    from ..data.batches import Source, ValidationSource
    from ..data.chunks import ChunkSource

__all__ = ["fit"]

Prepared: TypeAlias = (
    "tuple[FitConfig, Source, NDArray[np.int64] | None, ValidationSource | None, list[Callback]]"
)
OPTIONS = tuple(inspect.signature(MLP.fit).parameters)[3:]  # after self, X and y
OF_RANK_0 = (Checkpoint, Progress, TensorBoard, MLflow)  # which write


def fit(
    net: MLP,
    X_local: checks.Examples | ChunkSource,
    y_local: ArrayLike | None = None,
    *,
    accumulate: int = 1,
    local_steps: int = 1,
    compression: Literal["bfloat16"] | None = None,
    **options: Any,
) -> History:
    """Train a network on the examples of all ranks of an MPI program.

    Every rank calls it at the same time, with an equal network, the same options and its own
    examples.  Each step's gradient is the mean over a batch that all ranks share, so that the
    result is that of one process with this batch, up to rounding, and the same on every rank.
    With one rank, also without mpiexec, it is ``net.fit(X_local, y_local, **options)``.

    Parameters
    ----------
    net : MLP
        The network: the same sizes, options, seed and parameters on every rank.
    X_local : array-like, SciPy sparse matrix, (m_local, n_in), chunks or ParquetFolder
        The examples of this rank, at least one, as for `MLP.fit`; ranks may have different numbers.
        Of a `ParquetFolder`, the same on every rank, each rank reads a part of the row groups.
    y_local : array-like, optional
        Their targets, as for `MLP.fit`.
    accumulate : int, default=1
        The number of batches of which each update uses the mean gradient.  The ranks add up
        gradients once in so many batches.  The result is that of a `batch_size` so many times as
        large.
    local_steps : int, default=1
        With a number above 1, each rank makes so many updates by the gradients of its own rows of
        each batch, and then the parameters are replaced by their mean over the ranks, weighted by
        their numbers of examples: only they are sent.  At the end of an epoch this is done too,
        with the optimizer's state and the average of `ema` as well.  Batch norm, dropout and
        `clip_norm` then see the rows of one rank.  The result differs from that of one process.
    compression : {None, "bfloat16"}, default=None
        With "bfloat16", gradients are rounded to bfloat16, to nearest and even, before they are
        sent, and so are their sums: half the bytes of float32, a quarter of those of float64.
    **options
        Options of `MLP.fit`, the same on every rank, with these differences:

        - `batch_size` is the size of the whole batch, to which each rank adds rows in proportion
          to its number of examples, in their order.  The numbers of rows of chunks are not known:
          every rank adds the same number of rows, and where its chunks end before those of others,
          the last batches are smaller;
        - with ``shuffle=True`` each rank shuffles its own examples anew in each epoch;
        - `sample_weight` is of the examples of this rank;
        - `validation_data` is this rank's part of the validation examples, a `ParquetFolder` for
          all ranks, or the fraction of its own examples to set aside; cost and accuracy are those
          over all ranks;
        - batch norm normalizes by the whole batch;
        - `max_seconds` ends training on all ranks after the same batch, when it is over on one;
        - `callbacks` run on every rank, but `Checkpoint`, `tracking.TensorBoard`,
          `tracking.MLflow` and the lines of ``verbose=True`` on rank 0 only.  Training stops when
          a callback stops it on any rank.  A callback that changes parameters must do so alike on
          every rank;
        - `n_threads` is of one rank.  Default: the machine's processors divided by the number of
          its ranks, at most `fastmlp.get_num_threads()`.

    Returns
    -------
    History
        The history, on every rank; its figures are those over all ranks.

    Raises
    ------
    ImportError
        If mpi4py or an MPI library is missing.
    ValueError
        If the ranks have different networks or options.
    RuntimeError
        If another rank has met an error before training, or in a callback at an epoch's end, which
        the message repeats; if a callback has changed parameters on some ranks only; or if mpiexec
        belongs to another MPI than mpi4py.
    TrainingDiverged
        If the cost or a parameter becomes infinite or NaN.

    See Also
    --------
    MLP.fit : Train in one process.

    Notes
    -----
    Errors in the arguments of one rank are raised on every rank.  An error that one rank alone
    meets during an epoch, such as Ctrl-C, ends the processes of all ranks with its traceback
    (MPI_Abort).  If a process is killed, mpiexec ends the others; training goes on from the last
    `Checkpoint`, also with another number of ranks.

    The same program with the same number of ranks gives the same bits.

    Examples
    --------
    In a program that is started by ``mpiexec -n 4 python -m mpi4py train.py``:

    >>> from mpi4py import MPI  # doctest: +SKIP
    >>> rows = slice(MPI.COMM_WORLD.rank, None, MPI.COMM_WORLD.size)  # doctest: +SKIP
    >>> history = fastmlp.distributed.fit(net, X[rows], y[rows], epochs=2)  # doctest: +SKIP
    """
    ranks = Ranks()
    try:
        if ranks.size == 1:
            if not isinstance(net, MLP):
                raise checks.no_network("net", net)
            sharing = Sharing.checked(accumulate, local_steps, compression)
            return net.fit(X_local, y_local, **sharing.enlarged(options))
        return _fit(ranks, net, X_local, y_local, (accumulate, local_steps, compression), options)
    except BaseException as error:
        if ranks.size > 1:
            ranks.abort_unless_known(error)
        raise
    finally:
        ranks.free()


def _fit(
    ranks: Ranks,
    net: MLP,
    X: checks.Examples | ChunkSource,
    y: ArrayLike | None,
    chosen: tuple[object, object, object],
    options: dict[str, Any],
) -> History:
    """Train on several ranks; `chosen` are the arguments of `Sharing.checked`."""
    X = own_part(ranks, "X_local", X)
    validation_data = options.get("validation_data")
    own = own_part(ranks, "validation_data", validation_data, may_be_empty=True)
    options = {**options, "validation_data": own}
    prepared, error = None, None
    try:
        sharing = Sharing.checked(*chosen)
        prepared = _prepared(net, X, y, **sharing.enlarged(options))
    except Exception as raised:
        error = raised
    ranks.agree(error)
    assert prepared is not None  # or it had raised
    config, source, rows, validation_set, callbacks = prepared
    if ranks.rank > 0:
        callbacks = [one for one in callbacks if not isinstance(one, OF_RANK_0)]
    require_equal(ranks, net.state, config, sharing, validation_set is not None)
    run = SharedRun(ranks, net, config, source, rows, validation_set, callbacks, sharing)
    try:
        run.check()
    except Exception as raised:
        error = raised
    ranks.agree(error)
    history = History()
    try:
        with net.state.training_lock:
            run.train(history)
    except TrainingDiverged as raised:  # of the same batch on every rank
        ranks.raise_on_all(raised)
    return history


def _prepared(
    net: MLP,
    X: checks.Examples | ChunkSource,
    y: ArrayLike | None,
    *,
    sample_weight: ArrayLike | None = None,
    validation_data: tuple[checks.Examples, ArrayLike] | float | None = None,
    callbacks: Sequence[Callback] = (),
    early_stopping: Any = None,
    verbose: bool = False,
    **options: Any,
) -> Prepared:
    """Return the checked arguments of this rank."""
    if not isinstance(net, MLP):
        raise checks.no_network("net", net)
    for name in options:
        if name not in OPTIONS:
            raise TypeError(f"fit has no option {name!r}{guess(name, OPTIONS)}")
    config = FitConfig.checked(net.state.spec, **options)
    source = batches.source(net.state, X, y, sample_weight, config.epochs)
    rows, validation_set = batches.validation(net.state, source, validation_data)
    chosen = of_fit(callbacks, early_stopping, config.epochs, verbose)
    return config, source, rows, validation_set, chosen
