"""Fine tuning: layers that stay as they are, and a trained network with a new output layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import checks

if TYPE_CHECKING:
    from .network import MLP

__all__ = ["freeze", "unfreeze", "with_head"]


def freeze(net: MLP, layers: int | Iterable[int]) -> None:
    """Keep layers as they are in training.

    Nothing is computed for them but the way forward, and no delta below the lowest layer that
    trains.  What frozen first layers make of the examples is computed once a fit, if nothing is
    dropped there and it takes at most 512 MiB.  A frozen layer's batch norm uses its running
    statistics.

    Parameters
    ----------
    layers : int or iterable of int
        Indices into `weights`, from 0.
    """
    net._frozen |= set(checks.layer_numbers(layers, len(net.sizes) - 1))


def unfreeze(net: MLP, layers: int | Iterable[int] | None = None) -> None:
    """Train layers again.

    Parameters
    ----------
    layers : int or iterable of int, optional
        Indices into `weights`, from 0.  Default: all.
    """
    n_layers = len(net.sizes) - 1
    wanted = range(n_layers) if layers is None else checks.layer_numbers(layers, n_layers)
    net._frozen -= set(wanted)


def with_head(net: MLP, n_out: int, *, seed: int | None = None) -> MLP:
    """Return a network for other classes: a new output layer, copies of all the rest.

    Parameters
    ----------
    n_out : int
        Number of its classes.
    seed : int, optional
        Of the new layer's weights (He's normal distribution) and of the new network.
        Default: this network's seed.

    Returns
    -------
    MLP
        Not trained yet; nothing of it is frozen.

    Examples
    --------
    >>> tuned = net.with_head(5, seed=1)
    >>> tuned.freeze(0)
    >>> history = tuned.fit(X, y % 5, epochs=2)
    """
    if not net.loss.classification:
        raise ValueError(
            f"with_head gives a classifier other classes; this network is trained by "
            f"{net.loss.name} and gives values"
        )
    n_out = checks.whole("n_out", n_out, net.loss.least_outputs)
    seed = net.seed if seed is None else checks.seed(seed)
    sizes = (*net.sizes[:-1], n_out)
    kept = len(sizes) - 2
    engine = net._engine
    layers = [
        (engine.get_average(l) if net.use_average else None) or engine.get_layer(l)
        for l in range(kept)
    ]
    made = type(net)(
        sizes,
        activation=net.activation,
        output_activation=net.output_activation,
        loss=net.loss,
        batch_norm=net.batch_norm,
        dropout=net.dropout,
        input_dropout=net.input_dropout,
        noise=net.noise,
        dtype=net.dtype,
        seed=seed,
        uint8_scale=net.uint8_scale,
    )
    for l, (layer, statistics) in enumerate(zip(layers, net.statistics[:kept], strict=True)):
        made._engine.set_layer(l, *layer)
        if statistics is not None:
            made._engine.set_statistics(l, *statistics)
    return made
