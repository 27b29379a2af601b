"""Networks as modules of PyTorch, torch.nn.Sequential, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import activations, losses
from ..model.state import Array
from ..network import MLP
from ..support import checks
from ..support.extras import imported
from .building import (
    EPSILON,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    ImportedLayer,
    as_floats,
    build_network,
)
from .inference import require_mlp, require_plain_input

if TYPE_CHECKING:
    import torch

__all__ = ["from_torch", "to_torch"]

MOMENTUM = 0.1  # of batch norm, in fastmlp and PyTorch's default
LINEAR_FROM = 40.0  # softplus(z) is z in float64: log(1 + e⁻⁴⁰) < 2⁻⁵³
LOWEST_THRESHOLD = 20.0  # PyTorch's default for Softplus, where log(1 + e⁻²⁰) = 2e-9

TO_TORCH: dict[str, Callable[[Any, Any], torch.nn.Module]] = {  # from torch.nn and an activation
    "identity": lambda nn, f: nn.Identity(),
    "sigmoid": lambda nn, f: nn.Sigmoid(),
    "relu": lambda nn, f: nn.ReLU(),
    "leaky_relu": lambda nn, f: nn.LeakyReLU(float(f.slope)),
    "tanh": lambda nn, f: nn.Tanh(),
    "softplus": lambda nn, f: nn.Softplus(threshold=LINEAR_FROM),
    "elu": lambda nn, f: nn.ELU(float(f.alpha)),
    "selu": lambda nn, f: nn.SELU(),
    "silu": lambda nn, f: nn.SiLU(),
    "gelu": lambda nn, f: nn.GELU(),
    "mish": lambda nn, f: nn.Mish(),
    "exponential": lambda nn, f: own_modules().Exponential(),
    "softmax": lambda nn, f: (
        own_modules().GroupSoftmax(f.groups) if f.groups else nn.Softmax(dim=1)
    ),
}


def own_modules() -> Any:
    """Return the module with fastmlp's own subclasses of torch.nn.Module."""
    return imported("fastmlp.export.torch_modules", "torch")


def to_torch(net: MLP) -> torch.nn.Sequential:
    """Return a network as a module of PyTorch.

    Parameters
    ----------
    net : MLP
        The network.

    Returns
    -------
    torch.nn.Sequential
        Dropout, Linear, BatchNorm1d, Gaussian noise and activation functions as in the network, in
        its dtype, on the CPU and in evaluation mode: ``module(X)`` is ``net.forward(X)``, but with
        several quantiles of a target sorted as in ``net.predict(X)``.  Call ``module.train()`` to
        train it further.

    Raises
    ------
    ImportError
        Without PyTorch: ``pip install "fastmlp[torch]"``.

    See Also
    --------
    from_torch : The opposite direction.

    Notes
    -----
    The last module is the output activation, Identity if there is none.  PyTorch's losses expect
    the values before it: ``module[:-1]`` returns the logits for CrossEntropyLoss or
    BCEWithLogitsLoss.  With several quantiles a further module follows the output activation.  It
    sorts the quantiles in evaluation mode; in training mode it passes its input through, because
    the loss expects each output to belong to its own quantile.

    A softmax in groups of classes is a module of fastmlp.  The logits before it, split by
    ``module[-1].groups``, are each for one CrossEntropyLoss; the sum of these is the cost.

    The module has the averaged parameters if the network predicts with them.
    """
    require_plain_input(require_mlp(net))
    torch = imported("torch", "torch")
    nn, dtype = torch.nn, getattr(torch, net.dtype.name)
    modules = [nn.Dropout(net.input_dropout)] if net.input_dropout > 0 else []
    state = net.state
    snapshot = state.snapshot()  # parameters and statistics of the same moment
    layers = zip(
        state.predicting_layers(snapshot),
        state.statistics(snapshot),
        (*net.noise, 0.0),
        (*net.activation, net.output_activation),
        (*net.dropout, 0.0),
        strict=True,
    )
    for (weight, bias, *scale), statistics, noise, f, dropout in layers:
        n_out, n_in = weight.shape
        values = {"weight": weight} if scale else {"weight": weight, "bias": bias}
        modules.append(filled(nn.Linear(n_in, n_out, bias=not scale, dtype=dtype), values))
        if statistics is not None:
            norm = nn.BatchNorm1d(n_out, eps=EPSILON, momentum=MOMENTUM, dtype=dtype)
            names = ("weight", "bias", "running_mean", "running_var")
            values = dict(zip(names, (*scale, bias, *statistics), strict=True))
            modules.append(filled(norm, values))
        if noise > 0:
            modules.append(own_modules().GaussianNoise(noise))
        modules.append(TO_TORCH[f.name](nn, f))
        if dropout > 0:
            modules.append(nn.Dropout(dropout))
    if isinstance(net.loss, losses.Quantile) and len(net.loss.quantiles) > 1:
        modules.append(own_modules().SortedQuantiles(net.loss.quantiles))
    return nn.Sequential(*modules).eval()


def filled(module: torch.nn.Module, values: dict[str, Array]) -> torch.nn.Module:
    """Return a module with copies of these parameters and statistics."""
    torch = imported("torch", "torch")
    tensors = {name: torch.tensor(array) for name, array in values.items()}
    module.load_state_dict(tensors, strict=False)  # the network does not count batches
    return module


def from_torch(module: torch.nn.Sequential, *, loss: losses.LossSpec | None = None) -> MLP:
    """Return a module of PyTorch as a network that predicts the same.

    Parameters
    ----------
    module : torch.nn.Sequential
        A chain of Linear, BatchNorm1d, Dropout, Flatten, Identity, the activation functions of
        fastmlp, the modules that `to_torch` adds, and nested Sequentials; on any device and in any
        floating-point format.
    loss : str, Loss or (value, gradient), optional
        The loss for further training.  With "cross_entropy" or "binary_cross_entropy" a module that
        ends in logits, as PyTorch's losses expect them, gets its softmax or sigmoid.  Default: as
        the end of the module implies, "cross_entropy" for Softmax or LogSoftmax (in groups for
        GroupSoftmax), "binary_cross_entropy" for Sigmoid, the quantiles that are sorted, otherwise
        "squared_error".

    Returns
    -------
    MLP
        In float64 if a weight is, otherwise in float32.  For LogSoftmax it returns the
        probabilities, not their logarithms.  Batch norm that does not directly follow the Linear of
        a hidden layer is folded into weights; dropout before an activation function is treated as
        dropout after it.

    Raises
    ------
    ValueError
        If a layer has no counterpart, settings without a counterpart or hooks, or no place where
        it stands.

    See Also
    --------
    to_torch : The opposite direction.
    """
    nn = imported("torch", "torch").nn
    if not isinstance(module, nn.Sequential):
        remedy = (
            "a Sequential of its layers, in the order in which it applies them"
            if isinstance(module, nn.Module)
            else "the module that it was saved from, and load it there"
        )
        raise TypeError(
            f"module must be a torch.nn.Sequential, got {type(module).__name__}: make {remedy}"
        )
    if type(module).forward is not nn.Sequential.forward:
        raise ValueError(f"{type(module).__name__} has a forward of its own, not Sequential's")
    refuse_hooks("the module", module)
    return build_network(imported_layers(nn, module), loss)


def imported_layers(nn: Any, module: Any, path: str = "") -> Iterator[tuple[str, ImportedLayer]]:
    """Yield each layer with the name that error messages use for it."""
    for key, one in module.named_children():
        kind = type(one).__name__
        name = f"layer {path}{key} ({kind})"
        refuse_hooks(name, one)
        if type(one) is nn.Sequential:
            yield from imported_layers(nn, one, f"{path}{key}.")
        elif kind not in FROM_TORCH or type(one) is not getattr(
            nn if hasattr(nn, kind) else own_modules(), kind, None
        ):
            raise ValueError(
                f"{name} has no counterpart in fastmlp; expected {', '.join(FROM_TORCH)} or "
                f"Sequential"
            )
        else:
            with checks.within(name):
                layer = FROM_TORCH[kind](one)
            if layer is None:
                raise ValueError(f"{name} has settings with no counterpart in fastmlp: {one}")
            yield name, layer


def refuse_hooks(name: str, module: Any) -> None:
    """ValueError for a module with forward hooks, whose outputs they may change."""
    if module._forward_hooks or module._forward_pre_hooks:
        raise ValueError(f"{name} has hooks, which may change its outputs; remove them first")


def as_array(tensor: Any) -> Array:
    """Return a tensor of real numbers as float64 or float32."""
    tensor = tensor.detach().cpu()
    return as_floats(tensor.numpy() if tensor.element_size() == 8 else tensor.float().numpy())


def linear(module: Any) -> ImportedLayer | None:
    """Convert Linear, if its weights are real numbers."""
    if not module.weight.is_floating_point():
        return None
    weight = as_array(module.weight)
    bias = np.zeros(len(weight), weight.dtype) if module.bias is None else as_array(module.bias)
    return Dense(weight, bias)


def batch_norm(module: Any) -> ImportedLayer | None:
    """Convert BatchNorm1d, if it has running statistics."""
    if module.running_mean is None:
        return None
    mean, variance = as_array(module.running_mean), as_array(module.running_var)
    scale = np.ones_like(mean) if module.weight is None else as_array(module.weight)
    shift = np.zeros_like(mean) if module.bias is None else as_array(module.bias)
    return BatchNorm(scale, shift, mean, variance, module.eps)


def flatten(module: Any) -> ImportedLayer | None:
    """Convert Flatten, if it keeps the examples apart; their rows are flat already."""
    keeps_rows = (module.start_dim, module.end_dim) in ((1, -1), (1, 1), (-1, -1))
    return activations.Identity() if keeps_rows else None


def softplus(module: Any) -> ImportedLayer | None:
    """Convert Softplus; a low threshold, from which it is linear, would change its values."""
    same = module.beta == 1 and module.threshold >= LOWEST_THRESHOLD
    return activations.Softplus() if same else None


def softmax(module: Any) -> ImportedLayer | None:
    """Convert Softmax or LogSoftmax over the classes."""
    return activations.Softmax() if module.dim in (None, 1, -1) else None


# None: no counterpart with these settings
FROM_TORCH: dict[str, Callable[[Any], ImportedLayer | None]] = {
    "Linear": linear,
    "BatchNorm1d": batch_norm,
    "Dropout": lambda module: Dropout(module.p) if module.p < 1 else None,
    "Flatten": flatten,
    "Identity": lambda module: activations.Identity(),
    "Sigmoid": lambda module: activations.Sigmoid(),
    "ReLU": lambda module: activations.ReLU(),
    "LeakyReLU": lambda module: activations.LeakyReLU(module.negative_slope),
    "Tanh": lambda module: activations.Tanh(),
    "Softplus": softplus,
    "ELU": lambda module: activations.ELU(module.alpha),
    "SELU": lambda module: activations.SELU(),
    "SiLU": lambda module: activations.SiLU(),
    "GELU": lambda module: activations.GELU() if module.approximate == "none" else None,
    "Mish": lambda module: activations.Mish(),
    "Exponential": lambda module: activations.Exponential(),
    "GaussianNoise": lambda module: GaussianNoise(module.sigma),
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "SortedQuantiles": lambda module: losses.Quantile(module.quantiles),
    "GroupSoftmax": lambda module: activations.Softmax(module.groups),
}
