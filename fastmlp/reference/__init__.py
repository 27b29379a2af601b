"""The same network in NumPy alone: matrix products, whole arrays, no tricks.

This is the oracle of tests and benchmarks.  It shares no line with the rest of fastmlp, states
every formula once, and prefers the form of it that can be read to the one that runs fast.
Rows are examples, so layer l, with weight W(l) of shape (n_out, n_in), reads

    z(l+1) = a(l) W(l)ᵀ + b(l)         a(l+1) = f(z(l+1))         a(1) = X

    J = Σ_i s_i cost_i / Σ_i s_i + λ/2 Σ W²                       s_i = 1 without sample weights

With batch norm z(l+1) = γ û + b(l), û = (u − μ)/√(σ² + ε), u = a(l) W(l)ᵀ, by the batch's mean and
variance in training and by running ones in prediction.  Dropout and noise are given: factors of
a(l) and terms of z(l+1).

Nothing is validated beyond what the formulas need.
"""

from .functions import ACTIVATIONS, LOSSES, Loss
from .network import Draws, Network
from .optimizers import OPTIMIZERS, Optimizer

__all__ = ["ACTIVATIONS", "LOSSES", "OPTIMIZERS", "Draws", "Loss", "Network", "Optimizer"]
