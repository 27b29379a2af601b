"""Fine tuning: a trained network with a new output layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import checks

if TYPE_CHECKING:
    from .network import MLP

__all__ = ["with_head"]


def with_head(net: MLP, n_out: int, seed: int | None) -> MLP:
    """Return what `MLP.with_head` promises."""
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
