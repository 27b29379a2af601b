"""MLP: a multilayer perceptron, its parameters, and what it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import callbacks as callbacks_
from . import initializers, training
from .activations import Activation
from .augment import Distortion
from .callbacks import Callback, EarlyStopping
from .data.chunks import ChunkSource
from .data.parquet import ParquetFolder
from .history import History
from .initializers import Initializer
from .losses import LossSpec
from .model import columns
from .model.layers import checked_layers
from .model.spec import ActivationSpec, EncodingSpec, NetworkSpec
from .model.state import ModelState
from .optimizers import Optimizer
from .storing import StoredNetwork
from .support import checks
from .support.keywords import with_keywords

if TYPE_CHECKING:  # imported when something is trained
    from .schedules import Schedule

__all__ = ["MLP", "different_networks"]

Parameters = tuple[Sequence[ArrayLike], Sequence[ArrayLike]]  # weights and biases


class MLP(StoredNetwork):
    """A multilayer perceptron: a(l+1) = f(W(l) a(l) + b(l)) from the input a(1) to the output.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of units: input, hidden layers (none for a linear model), output.
    activation : str, Activation or sequence of these, default "relu"
        f of the hidden layers, one for all or one for each: "identity", "sigmoid", "relu",
        "leaky_relu", "tanh", "softplus", "elu", "selu", "silu", "gelu", "mish", "exponential",
        or an object such as ``fastmlp.activations.LeakyReLU(slope=0.2)``.
    output_activation : str or Activation, optional
        f of the output layer.  Default: the loss's own, softmax for "cross_entropy", sigmoid for
        "binary_cross_entropy", exponential for "poisson" and "gamma", identity for the other
        losses; only these take another.
    loss : str, Loss or pair of functions, default "cross_entropy"
        "cross_entropy" (one class of several), "binary_cross_entropy" (yes or no for each
        output), "squared_error" (½‖h − y‖²), "absolute_error", "huber", "quantile" (several
        quantiles of a target at once), "poisson" (counts), "gamma" (positive amounts), an object
        such as ``fastmlp.losses.Huber(delta=0.5)``, or (value, gradient), a loss written in
        Python: see `fastmlp.losses.Custom`.
    init : str, Initializer or pair of lists of arrays, default "he_normal"
        The first parameters: "he_normal", "he_uniform", "glorot_normal", "glorot_uniform",
        "lecun_normal", "normal", "zeros", an object such as
        ``fastmlp.initializers.Normal(0.1)``, or the arrays themselves, (weights, biases).
    batch_norm : bool or sequence of bool, default False
        Normalize hidden layers before their activation: all, or one entry for each (Ioffe and
        Szegedy 2015).  Their biases shift and their `scales` scale; prediction uses running
        statistics (momentum 0.1), and 1e-5 is added to the variance, as in PyTorch.  Sample
        weights count: an example of weight 2 is two examples of the batch.
    dropout : float or sequence of float, default 0.0
        Probability, in [0, 1), with which a step of training drops a hidden unit; one for all
        hidden layers or one for each.  Other units are multiplied by 1/(1 − p), so that prediction
        needs no change.
    input_dropout : float, default 0.0
        The same for inputs.
    noise : float or sequence of float, default 0.0
        Standard deviation of Gaussian noise added to z before the activation, in training; one for
        all hidden layers or one for each.
    dtype : {"float32", "float64"}, default "float32"
        The dtype of parameters, computations and results.
    seed : int or None, default 0
        Seed of the first parameters, the order of examples, the choice of validation examples,
        dropout and noise.  None chooses a random seed, which is then the attribute `seed`.
    uint8_scale : float, default 1.0
        uint8 examples count as value × uint8_scale.  Images are usually scaled by 1/255.
    encodings : sequence of Encoding or Encoding, optional
        For tables: what the first layer of weights sees of each column of X, one object of
        `fastmlp.encodings` for each column or one for all.  sizes[0] is then the number of
        columns, and the first weight has an input for each output of the encodings.
    input_scaling : bool, default False
        Multiply each encoded input by a learned factor, 1 at first: see `input_scale`.

    Attributes
    ----------
    sizes, activation, output_activation, loss, dtype, seed, uint8_scale
        The checked arguments; `activation` is a tuple with one object for each hidden layer.
    batch_norm, dropout, noise, input_dropout
        The checked arguments; the first three are tuples with one entry for each hidden layer.
    encodings, input_scaling
        The checked arguments; the first is a tuple with the encoding of each column, empty if the
        columns are used as they are.
    epochs : int
        Number of epochs of training begun so far, in all calls of fit.
    history : History
        History of the latest fit; empty before it.
    metadata : dict
        Notes of your own, such as names of classes; saved with the network, so JSON's types only.
    state : ModelState
        The owner of the parameters, for fastmlp's own modules; its methods may change.

    See Also
    --------
    Ensemble : Several networks that predict together.
    fastmlp.load : Read a network from a file.

    Notes
    -----
    A network may predict in several Python threads at once and trains in one at a time.  What
    reads parameters while another thread trains or sets them sees them whole: as they were before
    a change or after it.  A network can be copied (copy.deepcopy) and pickled, for processes;
    files are written by `save`.

    Examples
    --------
    >>> net = fastmlp.MLP((64, 100, 10))
    >>> history = net.fit(X, y, epochs=30, batch_size=50)
    >>> net.predict(X[:5])
    array([0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        sizes: Sequence[int] | NDArray[np.integer[Any]],
        *,
        activation: ActivationSpec = "relu",
        output_activation: str | Activation | None = None,
        loss: LossSpec = "cross_entropy",
        init: str | Initializer | Parameters = "he_normal",
        batch_norm: bool | Sequence[bool] = False,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        noise: float | Sequence[float] = 0.0,
        dtype: DTypeLike = "float32",
        seed: int | None = 0,
        uint8_scale: float = 1.0,
        encodings: EncodingSpec = None,
        input_scaling: bool = False,
    ) -> None:
        spec = NetworkSpec.checked(
            sizes,
            activation=activation,
            output_activation=output_activation,
            loss=loss,
            batch_norm=batch_norm,
            dropout=dropout,
            input_dropout=input_dropout,
            noise=noise,
            dtype=dtype,
            seed=seed,
            uint8_scale=uint8_scale,
            encodings=encodings,
            input_scaling=input_scaling,
        )
        if not isinstance(init, (tuple, list)):
            initializer = checks.named("init", init, initializers.TABLE, Initializer)
            with checks.within("init"):
                checks.constants(initializer, spec.dtype)
            init = initializers.sample(initializer, spec.layer_sizes, spec.seed)
        if len(init) != 2:
            raise ValueError(f"init as arrays is (weights, biases); got {len(init)} entries")
        encoding = columns.sample(spec.encodings, spec.input_scaling, spec.seed)
        layers = checked_layers(spec, init[0], init[1], encoding=encoding)
        self.state = ModelState(spec, layers)
        self.history = History()
        self.metadata = {}

    @with_keywords
    def fit(
        self,
        X: checks.Examples | ChunkSource,
        y: ArrayLike | None = None,
        *,
        epochs: int = 15,
        batch_size: int = 100,
        optimizer: str | Optimizer = "adam",
        l2: float = 0.0,
        validation_data: tuple[checks.Examples, ArrayLike] | ParquetFolder | float | None = None,
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
        dropout_schedule: Schedule | None = None,
        rate_multipliers: training.Multipliers = None,
        l2_multipliers: training.Multipliers = None,
        bias_rate_multipliers: training.Multipliers = None,
        encoding_rate_multiplier: float = 1.0,
        scaling_rate_multiplier: float = 1.0,
        scaling_decay_multiplier: float = 0.0,
        augment: Distortion | None = None,
        n_threads: int | None = None,
        reset_optimizer: bool = False,
    ) -> History:
        """Train the network on examples, by the seven steps that `fastmlp.steps` shows one by one.

        A later call goes on from the parameters, and from the optimizer's state (moments and
        number of steps) if name and constants of the optimizer are the same; its learning rate may
        differ.  Each epoch of a network's life has an order of its own, which depends on the
        network's seed.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix, (m, n_in)
            Examples, one a row.  float32, float64, uint8 and CSR are read where they lie, without
            a copy; uint8 counts as value × `uint8_scale`.  Other numbers are converted.  A
            numpy.memmap is read in pieces.  Without y: an iterable of chunks (X, y) or
            (X, y, sample_weight), which is gone through once an epoch, a function that returns
            such an iterable, or a `ParquetFolder`.  See Notes.
        y : array-like, optional
            Targets.  For "cross_entropy" labels (m,) from 0 to n_out − 1, with groups of classes
            (m, n_groups), each from 0, or probabilities (m, n_out); for "quantile" values
            (m, n_targets); for a loss written in Python whatever it takes, an entry for each
            example; otherwise values (m, n_out), or (m,) with one output.
        epochs : int, default 15
            The greatest number of passes over the examples.
        batch_size : int, default 100
            Number of examples in a step; the last batch of an epoch has what is left.  If there
            are fewer examples, they are one batch.
        optimizer : str or Optimizer, default "adam"
            "gradient_descent", "adam", "adamw", "rmsprop", or an object such as
            ``fastmlp.Adam(0.01)``, whose learning rate may be a schedule (fastmlp.schedules).
        l2 : float, default 0.0
            λ of the penalty λ/2 Σ W², on weights, not on biases.
        validation_data : (X, y), ParquetFolder or float, optional
            Examples to evaluate after each epoch, or the fraction, in (0, 1), of the examples to
            set aside for it: chosen at random by the network's seed, the same in each call.
        sample_weight : array-like, (m,), optional
            Weights s ≥ 0 of the examples in J.  Default: all 1.
        callbacks : iterable of Callback, optional
            Called before and after training and after each epoch, in this order.
        cost_below : float, optional
            Stop after the first epoch whose cost (`History.cost`) is smaller.
        max_seconds : float, optional
            Stop after so many seconds, if need be within an epoch; the parameters have then seen
            a part of that epoch, which has no entry in the history.
        early_stopping : bool, int or EarlyStopping, optional
            Stop when the validation cost has not improved for some epochs, and restore the best
            parameters: True (10 epochs), the number of epochs, or an object with more options.
        shuffle : bool or callable, default True
            Whether each epoch has a new random order of the examples.  A function is called with
            the number m of examples to train on and returns m row numbers, each from 0 to m − 1,
            for the coming epoch; it cannot be used where X is read in pieces.
        verbose : bool, default False
            Show the figures of each epoch.
        label_smoothing : float, default 0.0
            s in [0, 1): train towards (1 − s)·y + s/K instead of y, with K the number of classes
            (of the group), or 2 for "binary_cross_entropy" (Szegedy et al. 2016).  Validation
            takes y.
        max_norm : float, optional
            c: after each step, weights into a unit whose norm is larger are scaled down to norm c
            (Srivastava et al. 2014).
        clip_norm : float, optional
            Scale a step's gradient, λW included, down to this norm over all trained parameters if
            its norm is larger (Pascanu et al. 2013).
        ema : float, optional
            Decay, in (0, 1), of an exponential moving average of the parameters; in the first
            steps min(ema, (1 + t)/(10 + t)).  Validation and, from then on, the network's
            predictions use the average: see `MLP.use_average`.  A fit without it drops it.
        dropout_schedule : fastmlp.schedules.Schedule, optional
            Values in [0, 1] by which each step multiplies every dropout probability, that of the
            input too, such as ``fastmlp.schedules.FlatCosine(1)``.  Default: 1 in each step.
        rate_multipliers, l2_multipliers : float or sequence of float, optional
            Factors ≥ 0 of the learning rate, and of λ and AdamW's weight decay: one for all layers
            of weights, or one for each.  Default: 1.
        bias_rate_multipliers : float or sequence of float, optional
            Factors ≥ 0 of the learning rate of biases, in addition to `rate_multipliers`: one for
            all layers, or one for each.  Default: 1.
        encoding_rate_multiplier, scaling_rate_multiplier : float, default 1.0
            Factors ≥ 0 of the learning rate for the parameters of the columns' encodings, and for
            `input_scale`.
        scaling_decay_multiplier : float, default 0.0
            Factor ≥ 0 of AdamW's weight decay for `input_scale`.  Neither the penalty λ nor weight
            decay acts on other parameters of encodings.
        augment : fastmlp.augment.Distortion, optional
            Train on randomly distorted copies of the images, made anew for each batch; X must be
            dense.
        n_threads : int, optional
            The greatest number of threads for this call.  Default: `fastmlp.get_num_threads()`,
            but one where a step is too small to share.  The result is the same bit for bit.
        reset_optimizer : bool, default False
            Begin with a new optimizer state, whatever the last optimizer was.

        Returns
        -------
        History
            Cost, validation figures, learning rate and seconds of each whole epoch, and the reason
            for which training ended.  Also kept as ``net.history``.

        Raises
        ------
        TrainingDiverged
            If the cost or a parameter becomes infinite or NaN.
        RuntimeError
            If the network is in training already, in another Python thread or in the fit that
            called this callback.

        See Also
        --------
        Callback : Act between epochs.

        Notes
        -----
        Ctrl-C ends training within a few hundredths of a second, or one batch, with a warning; the
        history so far is returned.  A large batch ends early, without an update, unless batch norm
        or a loss written in Python needs all its examples together.

        Chunks are checked as they come, and what was learned before a bad chunk stays.  Rows left
        over at a chunk's end share a batch with the first rows of the next chunk: without
        shuffling, a fit on chunks gives the same bits as a fit on all rows in one array.  With
        shuffling, rows change places within their chunk only.  A memmap is read in chunks of
        32 MiB, which with shuffling consist of blocks of 1 MiB from all over the file.  Schedules
        that span a fit (`Cosine`, `OneCycle`, `FlatCosine`, `LogCosine`) need `total_steps` for
        chunks.  Where X is read in pieces validation_data is a pair or a `ParquetFolder`; the
        arrays of a pair may be memmaps, in any fit.

        Examples
        --------
        >>> net = fastmlp.MLP((64, 100, 10), dropout=0.2)
        >>> history = net.fit(X, y, epochs=100, validation_data=0.1, early_stopping=5)
        >>> history.stopped_by, history.validation_accuracy[-1] > 0.95
        ('EarlyStopping', True)
        """
        config = training.FitConfig.checked(
            self.state.spec,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            l2=l2,
            cost_below=cost_below,
            max_seconds=max_seconds,
            shuffle=shuffle,
            label_smoothing=label_smoothing,
            max_norm=max_norm,
            clip_norm=clip_norm,
            ema=ema,
            dropout_schedule=dropout_schedule,
            rate_multipliers=rate_multipliers,
            l2_multipliers=l2_multipliers,
            bias_rate_multipliers=bias_rate_multipliers,
            encoding_rate_multiplier=encoding_rate_multiplier,
            scaling_rate_multiplier=scaling_rate_multiplier,
            scaling_decay_multiplier=scaling_decay_multiplier,
            augment=augment,
            n_threads=n_threads,
            reset_optimizer=reset_optimizer,
        )
        return training.fit(
            self,
            X,
            y,
            config,
            sample_weight=sample_weight,
            validation_data=validation_data,
            callbacks=callbacks_.of_fit(callbacks, early_stopping, config.epochs, verbose),
        )


def different_networks(networks: object) -> list[MLP]:
    """Return the networks of an argument that has several, none of them twice."""
    if isinstance(networks, MLP):
        raise TypeError(f"networks must be a list of networks, got one: write [{networks!r}]")
    found = checks.items("networks", networks)
    places: dict[int, int] = {}
    for i, net in enumerate(found):
        if not isinstance(net, MLP):
            raise checks.no_network(f"networks[{i}]", net)
        first = places.setdefault(id(net), i)
        if first != i:
            raise ValueError(
                f"networks[{first}] and networks[{i}] are one and the same; make two networks"
            )
    return found
