"""The same network in NumPy only: matrix products of whole arrays, each formula once.

Tests and benchmarks compare the compiled network with this one.  It shares no code with the rest of
fastmlp, and prefers the readable form of a formula to the fast one.  Examples are rows, so that
layer l with weight W(l) of shape (n_out, n_in) is

    z(l+1) = a(l) W(l)ᵀ + b(l)         a(l+1) = f(z(l+1))         a(1) = X

    J = Σ_i s_i cost_i / Σ_i s_i + λ/2 Σ W²                       s_i = 1 without sample weights

With batch norm z(l+1) = γ û + b(l) with û = (u − μ)/√(σ² + ε) and u = a(l) W(l)ᵀ.  Mean and
variance are those of the batch in training, and running averages in prediction.  The random numbers
of dropout and noise are arguments: factors of a(l), and terms of z(l+1).  With encodings of the
columns a(1) = e(X).

Arguments are not checked.
"""

from .encodings import ENCODINGS
from .functions import ACTIVATIONS, LOSSES, Loss
from .network import Draws, Network
from .optimizers import OPTIMIZERS, Optimizer

__all__ = [
    "ACTIVATIONS",
    "ENCODINGS",
    "LOSSES",
    "OPTIMIZERS",
    "Draws",
    "Loss",
    "Network",
    "Optimizer",
]
