"""The parts of the estimators' docstrings that both estimators share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["shares_docstrings"]

Estimator = TypeVar("Estimator", bound=type)

NETWORK = """\
hidden_layer_sizes : array-like of shape (n_layers - 2,), default=(100,)
    The number of units of each hidden layer; empty for a linear model.
activation : str, fastmlp.activations.Activation or list, default="relu"
    The activation function of the hidden layers: one for all, or a list with one for each.
    The names are scikit-learn's "identity", "logistic", "tanh" and "relu", and "leaky_relu",
    "softplus", "elu", "selu", "silu", "gelu" and "mish"; an object sets a constant, for example
    ``fastmlp.activations.LeakyReLU(0.2)``.
solver : {"lbfgs", "sgd", "adam"}, default="adam"
    The optimizer: SciPy's L-BFGS, which sees all samples at once and suits small data sets;
    stochastic gradient descent; or Adam.
alpha : float, default=0.0001
    Strength of the L2 penalty, which is divided by the number of samples.
batch_size : int or "auto", default="auto"
    The number of samples of a step; "auto" is min(200, n_samples).  "lbfgs" ignores it.
learning_rate : {"constant", "invscaling", "adaptive"} or Schedule, default="constant"
    The schedule of the learning rate for "sgd": `learning_rate_init` throughout;
    `learning_rate_init` divided by t^power_t after t samples; or divided by 5 each time training
    would otherwise stop because it no longer improves.  A schedule of fastmlp.schedules also
    works with "adam" and takes the place of `learning_rate_init`.
learning_rate_init : float, default=0.001
    The initial learning rate of "sgd" and "adam".
power_t : float, default=0.5
    The exponent of "invscaling".
max_iter : int, default=200
    The maximum number of epochs, or of iterations of "lbfgs".
shuffle : bool, default=True
    Whether to shuffle the samples in each epoch.
random_state : int, RandomState instance or None, default=None
    Determines the initial parameters, the split of the validation set, the order of the samples
    and dropout.
tol : float, default=1e-4
    Training stops when the training loss, or with `early_stopping` the validation score, has not
    improved by at least this much for `n_iter_no_change` epochs.  For "lbfgs" it is the gradient
    at which training stops.
verbose : bool or int, default=False
    Whether to print the loss, and the validation score, of each epoch.
warm_start : bool, default=False
    Whether fit continues with the parameters of the previous call.  Another activation, dropout
    or loss then takes effect; other layers or outputs and another batch norm are refused.
momentum : float, default=0.9
    Momentum of "sgd", from 0 to 1.
nesterovs_momentum : bool, default=True
    Whether to use Nesterov's momentum.
early_stopping : bool, default=False
    Whether to stop when the score on a validation set (see `scoring`) no longer improves, and to
    restore the parameters of the best epoch.
validation_fraction : float, default=0.1
    The fraction of the samples used as validation set, unless fit is called with X_val.
beta_1, beta_2, epsilon : float, defaults 0.9, 0.999 and 1e-8
    Constants of "adam".  As in scikit-learn, epsilon is added to the root of the second moment
    before the bias correction.
n_iter_no_change : int or inf, default=10
    The number of epochs without improvement after which training stops.
max_fun : int, default=15000
    The maximum number of loss evaluations of "lbfgs"."""

EXTRAS = """\
dropout : float or list of float, default=0.0
    The probability that a training step drops a hidden unit: one for all hidden layers, or a list
    with one for each.  Samples with the same features drop the same units in a step, so that a
    sample weight of 2 is equivalent to repeating the sample.
batch_norm : bool or list of bool, default=False
    Whether to normalize hidden layers by their batch (Ioffe and Szegedy 2015): one for all, or a
    list with one for each.  The statistics count sample weights.
scoring : str, callable or None, default=None
    The score that early stopping monitors: None for {score}; "loss" for the negative validation
    loss; or a scorer as in `cross_val_score`, which is passed sample weights if it accepts them.
ema : float or None, default=None
    Decay, in (0, 1), of an exponential moving average of the parameters.  Predictions then come
    from the average.
callbacks : list of fastmlp.Callback or None, default=None
    Callbacks of fastmlp, of which fit uses copies.  For scikit-learn's own callbacks there is
    `set_callbacks`.
n_threads : int or None, default=None
    The maximum number of threads of training.  The result does not depend on it, to the last bit.
max_seconds : float or None, default=None
    The maximum number of seconds of training."""

ATTRIBUTES = """\
network_ : fastmlp.MLP
    The network, with all its methods, such as `save`, `gradients` and `freeze`.  Its `metadata`
    has the names of the columns and classes, for files and exports.
coefs_, intercepts_ : list of ndarray
    Weights (n_in, n_out) and biases (n_out,) of each layer, by which the estimator predicts: with
    `ema` their averages.  They are read-only copies; to change the parameters, assign a list, or
    an array to an entry.  With `batch_norm` they are those before normalization;
    ``network_.folded`` has it folded in.
callbacks_ : list of fastmlp.Callback
    The copies of `callbacks` that the latest fit used.
loss_ : float
    The training loss of the last epoch.
best_loss_ : float or None
    The smallest training loss of an epoch; None with early stopping.  This and the curves are not
    available for "lbfgs".
loss_curve_ : list of float
    The training loss of each epoch; after calls of `partial_fit`, of the last 1,000.
validation_loss_curve_ : list of float or None
    The loss on the validation set after each epoch, without the penalty; None without one.
validation_scores_ : list of float or None
    The score on the validation set after each epoch; None without early stopping.
best_validation_score_ : float or None
    The best of `validation_scores_`.
t_ : int
    The number of samples that training has seen.
n_iter_ : int
    The number of epochs, or iterations, of the latest fit.
n_layers_, n_outputs_ : int
    The number of layers, including the input, and of units of the output layer.
out_activation_ : str
    The activation function of the output layer.
n_features_in_ : int
    The number of columns of X.
feature_names_in_ : ndarray of shape (n_features,)
    The names of the columns, if X had names."""


def shares_docstrings(*, score: str) -> Callable[[Estimator], Estimator]:
    """Return a class decorator that fills the shared parts into an estimator's docstring.

    Parameters
    ----------
    score : str
        What early stopping monitors by default.
    """
    parts = {
        "network_parameters": NETWORK,
        "more_parameters": EXTRAS.replace("{score}", score),
        "fitted_attributes": ATTRIBUTES,
    }

    def filled(estimator: Estimator) -> Estimator:
        if estimator.__doc__ is None:  # with python -OO
            return estimator
        lines = []
        for line in estimator.__doc__.split("\n"):
            indent, name = line[: len(line) - len(line.lstrip())], line.strip().strip("{}")
            lines += [indent + one for one in parts[name].splitlines()] if name in parts else [line]
        estimator.__doc__ = "\n".join(lines)
        return estimator

    return filled
