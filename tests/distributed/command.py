"""Program of the ranks: the command line, in which the last rank may meet an error alone.

mpiexec -n N python command.py CASE ARGUMENTS … [AND ARGUMENTS …]
"""

import os
import signal
import sys

from mpi4py import MPI

from fastmlp import cli

case, *arguments = sys.argv[1:]


def fail(*arguments, **options):
    raise OSError("the disk of this rank is full")


def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)


def differ(*arguments, **options):
    return MPI.COMM_WORLD.rank


if case == "no mpi4py":
    sys.modules["mpi4py.MPI"] = None
elif case:  # the command imports these modules, and scikit-learn with them, where it needs them
    from fastmlp.cli import ranks, train_table
    from fastmlp.tabular import members

    if MPI.COMM_WORLD.rank == MPI.COMM_WORLD.size - 1:
        if case == "in training":
            members.train_member = fail
        elif case == "before training":
            ranks.PATIENCE = 0.2
            train_table.read_data = fail
        elif case == "killed":
            members.train_member = die
        elif case == "other data":
            members.checksum = differ
    elif case == "at the end":  # of rank 0
        train_table.judged = fail

statuses = set()
while arguments:
    end = (*arguments, "AND").index("AND")
    statuses.add(cli.main(arguments[:end]))
    arguments = arguments[end + 1 :]
(status,) = statuses
sys.exit(status)
