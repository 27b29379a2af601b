"""To PyTorch and back: networks as torch.nn.Sequential."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import activations, losses
from ..model.state import Array
from ..network import MLP
from ..support.extras import imported
from .assembly import Dense, Dropped, Noise, Norm, Part, assembled, real
from .networks import predicting, single

if TYPE_CHECKING:
    import torch

__all__ = ["from_torch", "to_torch"]

EPSILON, MOMENTUM = 1e-5, 0.1  # of batch norm, ours and PyTorch's default
LINEAR_FROM = 40.0  # softplus(z) is z in float64: log(1 + e⁻⁴⁰) < 2⁻⁵³

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
    "exponential": lambda nn, f: ours().Exponential(),
    "softmax": lambda nn, f: ours().GroupSoftmax(f.groups) if f.groups else nn.Softmax(dim=1),
}


def ours() -> Any:
    """The module of what torch.nn does not have."""
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
        Dropout, Linear, BatchNorm1d, Gaussian noise and activation functions as the network has
        them, in its dtype, on the CPU and in evaluation mode: ``module(X)`` is ``net.forward(X)``,
        several quantiles of a target sorted as ``net.predict(X)`` has them.  To go on with
        training call ``module.train()``.

    Raises
    ------
    ImportError
        Without PyTorch: ``pip install "fastmlp[torch]"``.

    Notes
    -----
    The last module is the output activation, Identity if there is none.  PyTorch's losses want what
    stands before it: ``module[:-1]`` gives the logits for CrossEntropyLoss or BCEWithLogitsLoss.
    Behind the output activation of several quantiles stands one that sorts in evaluation mode and
    does nothing in training, whose loss wants each output to be of its own quantile.

    A softmax in groups of classes is a module of fastmlp's.  The logits before it, split by
    ``module[-1].groups``, are for a CrossEntropyLoss each, whose sum is the cost.

    A network that predicts by averaged parameters gives those.
    """
    single(net)
    torch = imported("torch", "torch")
    nn, dtype = torch.nn, getattr(torch, net.dtype.name)
    modules = [nn.Dropout(net.input_dropout)] if net.input_dropout > 0 else []
    functions = (*net.activation, net.output_activation)
    layers = zip(
        predicting(net),
        net.statistics,
        (*net.noise, 0.0),
        functions,
        (*net.dropout, 0.0),
        strict=True,
    )
    for (weight, bias, *scale), statistics, noise, function, dropout in layers:
        n_out, n_in = weight.shape
        state = {"weight": weight} if scale else {"weight": weight, "bias": bias}
        modules.append(filled(nn.Linear(n_in, n_out, bias=not scale, dtype=dtype), state))
        if statistics is not None:
            norm = nn.BatchNorm1d(n_out, eps=EPSILON, momentum=MOMENTUM, dtype=dtype)
            names = ("weight", "bias", "running_mean", "running_var")
            state = dict(zip(names, (*scale, bias, *statistics), strict=True))
            modules.append(filled(norm, state))
        if noise > 0:
            modules.append(ours().GaussianNoise(noise))
        modules.append(TO_TORCH[function.name](nn, function))
        if dropout > 0:
            modules.append(nn.Dropout(dropout))
    if isinstance(net.loss, losses.Quantile) and len(net.loss.quantiles) > 1:
        modules.append(ours().SortedQuantiles(net.loss.quantiles))
    return nn.Sequential(*modules).eval()


def filled(module: torch.nn.Module, state: dict[str, Array]) -> torch.nn.Module:
    """Return a module with these parameters and statistics, copied."""
    torch = imported("torch", "torch")
    tensors = {name: torch.tensor(array) for name, array in state.items()}
    module.load_state_dict(tensors, strict=False)  # batches counted are not ours to say
    return module


def from_torch(module: torch.nn.Sequential, *, loss: losses.LossSpec | None = None) -> MLP:
    """Return a module of PyTorch as a network that predicts the same.

    Parameters
    ----------
    module : torch.nn.Sequential
        Of Linear, BatchNorm1d, Dropout, Flatten, Identity, activation functions that fastmlp has,
        what else `to_torch` makes, and other Sequentials; on any device and in any floating-point
        format.
    loss : str, Loss or (value, gradient), optional
        What training would go on with.  With "cross_entropy" or "binary_cross_entropy" a module
        that ends in logits, as PyTorch's losses want it, gets its softmax or sigmoid.  Default:
        what the end of the module implies, "cross_entropy" for Softmax or LogSoftmax, with its
        groups for what `to_torch` makes of such, "binary_cross_entropy" for Sigmoid, the quantiles
        that are sorted, else "squared_error".

    Returns
    -------
    MLP
        In float64 if a weight is, else in float32.  Behind LogSoftmax it gives the probabilities,
        not their logarithms.  Batch norm that does not stand right behind a hidden layer's Linear
        is folded into weights; dropout before an activation function counts as behind it.

    Raises
    ------
    ValueError
        If a layer has no counterpart, or stands where a network has no place for it.
    """
    nn = imported("torch", "torch").nn
    if not isinstance(module, nn.Sequential):
        raise TypeError(f"module must be a torch.nn.Sequential, got {type(module).__name__}")
    return assembled(parts(nn, module), loss)


def parts(nn: Any, module: Any, path: str = "") -> Iterator[tuple[str, Part]]:
    """Each layer with what it is called."""
    for key, one in module.named_children():
        kind = type(one).__name__
        name = f"layer {path}{key} ({kind})"
        if type(one) is nn.Sequential:
            yield from parts(nn, one, f"{path}{key}.")
        elif kind not in FROM_TORCH or type(one) is not getattr(
            nn if hasattr(nn, kind) else ours(), kind, None
        ):
            raise ValueError(
                f"{name} has no counterpart in fastmlp; expected {', '.join(FROM_TORCH)} or "
                f"Sequential"
            )
        else:
            part = FROM_TORCH[kind](one)
            if part is None:
                raise ValueError(f"{name} has settings with no counterpart in fastmlp: {one}")
            yield name, part


def array(tensor: Any) -> Array:
    """A tensor's numbers, in float64 or float32."""
    tensor = tensor.detach().cpu()
    return real(tensor.numpy() if tensor.element_size() == 8 else tensor.float().numpy())


def linear(module: Any) -> Part:
    """Linear."""
    weight = array(module.weight)
    bias = np.zeros_like(weight[:, 0]) if module.bias is None else array(module.bias)
    return Dense(weight, bias)


def norm(module: Any) -> Part | None:
    """BatchNorm1d, if it has statistics to predict by."""
    if module.running_mean is None:
        return None
    mean, variance = array(module.running_mean), array(module.running_var)
    scale = np.ones_like(mean) if module.weight is None else array(module.weight)
    shift = np.zeros_like(mean) if module.bias is None else array(module.bias)
    return Norm(scale, shift, mean, variance, module.eps)


def softmax(module: Any) -> Part | None:
    """Softmax or LogSoftmax, over the classes."""
    return activations.Softmax() if module.dim in (None, 1, -1) else None


FROM_TORCH: dict[str, Callable[[Any], Part | None]] = {  # None: not with these settings
    "Linear": linear,
    "BatchNorm1d": norm,
    "Dropout": lambda module: Dropped(module.p) if module.p < 1 else None,
    "Flatten": lambda module: activations.Identity(),  # a row is flat
    "Identity": lambda module: activations.Identity(),
    "Sigmoid": lambda module: activations.Sigmoid(),
    "ReLU": lambda module: activations.ReLU(),
    "LeakyReLU": lambda module: activations.LeakyReLU(module.negative_slope),
    "Tanh": lambda module: activations.Tanh(),
    "Softplus": lambda module: activations.Softplus() if module.beta == 1 else None,
    "ELU": lambda module: activations.ELU(module.alpha),
    "SELU": lambda module: activations.SELU(),
    "SiLU": lambda module: activations.SiLU(),
    "GELU": lambda module: activations.GELU() if module.approximate == "none" else None,
    "Exponential": lambda module: activations.Exponential(),
    "GaussianNoise": lambda module: Noise(module.sigma),
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "SortedQuantiles": lambda module: losses.Quantile(module.quantiles),
    "GroupSoftmax": lambda module: activations.Softmax(module.groups),
}
