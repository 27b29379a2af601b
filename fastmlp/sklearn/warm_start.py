"""Going on with a network whose estimator has other parameters than before.

What leaves the weights their shapes is heeded: activation, dropout, loss and dtype.  Other layers
or outputs and batch norm are refused.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..model import transfer
from ..model.spec import NetworkSpec
from ..network import MLP

__all__ = ["continued"]


def continued(net: MLP, spec: NetworkSpec, rng: np.random.RandomState, call: str) -> MLP:
    """Return the network, with the same parameters, as the estimator describes it now.

    Parameters
    ----------
    net : MLP
        The network of the previous call.
    spec : NetworkSpec
        What the estimator's parameters, X and y describe now.
    rng : RandomState
        Random numbers for the seed of dropout, where the network had none.
    call : str
        "warm_start=True" or "partial_fit", for messages.

    Raises
    ------
    ValueError
        If the parameters do not fit the new description.
    """
    old = net.state.spec
    for name, before, now in (
        ("hidden_layer_sizes", old.sizes[1:-1], spec.sizes[1:-1]),
        ("batch_norm", old.batch_norm, spec.batch_norm),
        ("the number of outputs, which y and loss determine,", old.sizes[-1], spec.sizes[-1]),
    ):
        if before != now:
            others = ", or this one without warm_start" if call == "warm_start=True" else ""
            raise ValueError(
                f"{call} continues with the weights of the previous call, for which {name} was "
                f"{before}; it cannot become {now}. Fit a new estimator{others}"
            )
    new = replace(
        old,
        activation=spec.activation,
        output_activation=spec.output_activation,
        loss=spec.loss,
        dropout=spec.dropout,
        dtype=spec.dtype,
    )
    if any(new.dropout) and not any(old.dropout):
        new = replace(new, seed=int(rng.randint(2**31)))
    if new == old:
        return net
    made = MLP.from_state(transfer.with_spec(net.state, new), dict(net.metadata))
    made.history = net.history
    return made
