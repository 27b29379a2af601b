"""Training one network in several processes, on one machine or many, by MPI.

For example, in a file train.py that is started by ``mpiexec -n 4 python train.py``::

    net = fastmlp.MLP((784, 256, 256, 10), seed=0)          # the same on every rank
    fastmlp.distributed.fit(net, X_local, y_local, epochs=15, batch_size=1024)

Each process, a rank, has its own examples and computes the gradient of its part of every batch.
The gradients are added up over the ranks, and each makes the same update.  docs/distributed.md
describes how to start such programs.

The module needs mpi4py and an MPI library: ``pip install "fastmlp[mpi]"`` installs both.
"""

from .fitting import fit

__all__ = ["fit"]
