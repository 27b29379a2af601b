"""Learned edges of the piecewise-linear code, in PyTorch, for docs/studies/tables_kinds.md.

    python docs/studies/tables_edges.py            # a quarter of an hour on one core

Networks with the code as in fastmlp.tabular, whose edges are fixed at quantiles or learned: the
first edge of each column, and the logarithms of the widths of its bins.  Only columns with all 16
bins are learned.  Both have the same initial parameters, batches and validation rows.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tables_parts as parts
import torch
from tables_kinds import FIELDS, products
from tables_parts import Array, Data
from torch import nn

from fastmlp.encodings import OneHot, PiecewiseLinear
from fastmlp.tabular.members import BETA_2
from fastmlp.tabular.plan import plan_of

RUNS = Path(__file__).parent / "tables_kinds" / "edges.csv"
NETWORKS = 3
TABLES = ("phoneme", "magic", "diamonds", "ames")
KINDS = {"fixed": 0.0, "learned": 1.0, "learned, rate × 10": 10.0}  # factors of the learning rate


class Network(nn.Module):
    """The network of a plan; its inputs are other columns, and those with a code."""

    def __init__(self, edges: Array, n_others: int, sizes: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.tensor(edges[:, 0]))
        self.widths = nn.Parameter(torch.log(torch.tensor(np.diff(edges, axis=1))))
        layers: list[nn.Module] = []
        n_in = n_others + self.widths.numel()
        for n_out in sizes:
            layer = nn.Linear(n_in, n_out)
            nn.init.normal_(layer.weight, 0, (2 / n_in) ** 0.5)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.SiLU(), nn.Dropout(dropout)]
            n_in = n_out
        self.layers = nn.Sequential(*layers[:-2])

    def forward(self, others: torch.Tensor, z: torch.Tensor) -> Any:
        """Return the outputs."""
        widths = self.widths.exp()
        edges = self.first[:, None] + widths.cumsum(1) - widths
        code = ((z[:, :, None] - edges) / widths).clamp(0, 1)
        return self.layers(torch.cat([others, code.flatten(1)], 1))


def columns(X: Array, encodings: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inputs that stay as they are, and the columns whose code may be learned."""
    others: list[Array] = []
    z: list[Array] = []
    for x, one in zip(X.T, encodings, strict=True):
        if isinstance(one, OneHot):
            others += list((x == np.arange(one.n_levels)[:, None]).astype(np.float32))
        elif not isinstance(one, PiecewiseLinear):
            others.append(x)
        elif one.size == 16:
            z.append(x)
        else:
            ends = zip(one.edges[:-1], one.edges[1:], strict=True)
            others += [np.clip((x - low) / (high - low), 0, 1) for low, high in ends]
    return (torch.tensor(np.array(others).T.astype(np.float32)),
            torch.tensor(np.array(z).T.astype(np.float32)))  # fmt: skip


def errors_of(factor: float, data: Data, repetition: int, network: int) -> Array:
    """Train a network; return its errors at the test rows, in the best epoch."""
    torch.manual_seed(10 * repetition + network)
    order = np.random.RandomState(network)
    plan = plan_of("good", data.n_rows).networks[0]
    X, X_test, encodings = data.inputs("piecewise_linear")
    train, test = columns(X, encodings), columns(X_test, encodings)
    full = [one.edges for one in encodings if isinstance(one, PiecewiseLinear) and one.size == 16]
    y = torch.tensor(data.y[0]) if data.classes else torch.tensor(data.y[0]).float()
    sizes = (*plan.hidden, 2 if data.classes else 1)
    net = Network(np.array(full, np.float32), train[0].shape[1], sizes, plan.dropout)
    validation = data.validation[network]
    rows = np.delete(np.arange(len(X)), validation)

    named = list(net.layers.named_parameters())
    groups = [
        {"params": [p for name, p in named if "weight" in name], "weight_decay": plan.weight_decay},
        {"params": [p for name, p in named if "bias" in name], "weight_decay": 0.0},
        {"params": [net.first, net.widths], "weight_decay": 0.0},
    ]
    rates = [plan.learning_rate * one for one in (1.0, 1.0, factor)]
    optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, BETA_2))
    steps = plan.epochs * -(-len(rows) // plan.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, total_steps=steps + 1, cycle_momentum=False
    )

    def loss(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if data.classes:
            return nn.functional.cross_entropy(outputs, y)
        return ((outputs[:, 0] - y) ** 2).mean() / 2

    least, best = np.inf, np.zeros(0)
    for _ in range(plan.epochs):
        net.train()
        shuffled = order.permutation(rows)
        for start in range(0, len(rows), plan.batch_size):
            batch = torch.tensor(shuffled[start : start + plan.batch_size])
            optimizer.zero_grad()
            loss(net(*(one[batch] for one in train)), y[batch]).backward()
            optimizer.step()
            schedule.step()
        net.eval()
        with torch.no_grad():
            now = loss(net(*(one[validation] for one in train)), y[validation]).item()
            if now <= least:
                least, outputs = now, net(*test)
                values = outputs.softmax(1)[:, 1] if data.classes else outputs[:, 0]
                best = values.numpy().astype(float)
    if not data.classes:
        best = np.clip(best, data.y[0].min(), data.y[0].max())
    return best - data.y[1]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, which has no options."""
    return argparse.ArgumentParser(description=__doc__.split("\n")[0])


def main() -> None:
    """Train, and write edges.csv."""
    parser().parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    torch.set_num_threads(1)
    with RUNS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*FIELDS[:4], "error"))
        for repetition in range(2):
            for name in TABLES:
                for kind, factor in KINDS.items():
                    found = [errors_of(factor, parts.data(name, repetition), repetition, i)
                             for i in range(NETWORKS)]  # fmt: skip
                    error = f"{products(found) ** 0.5:.6g}"
                    writer.writerow((kind, name, repetition, NETWORKS, error))


if __name__ == "__main__":
    main()
