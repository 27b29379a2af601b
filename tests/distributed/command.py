"""Program of the ranks: commands, one after the other, in which one rank may meet an error alone.

mpiexec -n N python command.py CASE ARGUMENTS … [AND CASE ARGUMENTS …]
"""

import os
import signal
import sys

from mpi4py import MPI

from fastmlp import cli


def fail(*arguments, **options):
    raise OSError("the disk of this rank is full")


def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)


def differ(*arguments, **options):
    return MPI.COMM_WORLD.rank


def changes(case):
    """Return what a case changes on this rank: names of a module, one of them, and its value."""
    if not case:
        return []
    if case == "no mpi4py":
        return [(sys.modules, "mpi4py.MPI", None)]
    # the command imports these modules, and scikit-learn with them, where it needs them
    from fastmlp.cli import ranks, train_table
    from fastmlp.tabular import model_training

    of_last = {
        "in training": [(vars(model_training), "train_member", fail)],
        "before training": [
            (vars(ranks), "PATIENCE", 0.2), (vars(train_table), "read_data", fail)
        ],
        "killed": [(vars(model_training), "train_member", die)],
        "other data": [(vars(model_training), "checksum", differ)],
        "at the end": [],
    }[case]  # fmt: skip
    if MPI.COMM_WORLD.rank == MPI.COMM_WORLD.size - 1:
        return of_last
    return [(vars(train_table), "judged", fail)] if case == "at the end" else []


words, statuses = sys.argv[1:], []
while words:
    end = (*words, "AND").index("AND")
    case, *arguments = words[:end]
    words = words[end + 1 :]
    before = []
    for names, name, new in changes(case):
        before.append((names, name, names[name]))
        names[name] = new
    statuses.append(cli.main(arguments))
    for names, name, old in before:
        names[name] = old
sys.exit(max(statuses) if all(statuses) else 0)
