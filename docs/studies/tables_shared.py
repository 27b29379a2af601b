"""Members that share weights (TabM), in PyTorch, for docs/studies/tables_kinds.md.

    python docs/studies/tables_shared.py

Each of eight members multiplies the inputs of the first layer by factors of its own, r, which begin
at a random ±1 for each column of the table; the members share the weights of the hidden layers, and
each has an output layer of its own (TabM-mini of Gorishniy, Kotelnikov and Babenko, 2025).  With
the piecewise-linear code member i has sᵢ ∘ W (rᵢ ∘ x) + bᵢ in each layer (TabM).  The loss is the
mean of the members' losses, the prediction the mean of their predictions; of all of them the same
epoch is kept.  Networks, batches, schedules and validation rows are those of the default.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import tables_parts as parts
import torch
from tables_kinds import FIELDS, cells, trained
from tables_parts import KINDS, TURNS, Array, Data
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from fastmlp.encodings import Encoding, OneHot, Periodic, PiecewiseLinear
from fastmlp.tabular.members import BETA_2
from fastmlp.tabular.plan import NetworkPlan, plan_of

RUNS = Path(__file__).parent / "tables_kinds" / "shared.csv"
TABLES, MEMBERS = ("magic", "phoneme", "ames"), 8
NETWORKS, DEFAULTS = 2, 6  # of each encoding, with members and of the default
KINDS_OF = ("TabM with the code", "TabM-mini with waves")  # by encoding
BOTH = "TabM in both halves"


class Inputs(nn.Module):
    """What a network's first layer sees: columns as they are, codes, and learned waves."""

    def __init__(self, encodings: list[Encoding]) -> None:
        super().__init__()
        self.encodings = encodings
        self.periodic = [j for j, one in enumerate(encodings) if isinstance(one, Periodic)]
        self.others = [j for j in range(len(encodings)) if j not in self.periodic]
        if self.periodic:
            one, n = encodings[self.periodic[0]], len(self.periodic)
            shapes, r = ((n, one.size), (n, one.size, one.n_out), (n, one.n_out)), one.size**-0.5
            self.frequencies = nn.Parameter(torch.randn(shapes[0]) * one.sigma)
            self.phases = nn.Parameter((torch.rand(shapes[0]) * 2 - 1) * np.pi)
            self.weights = nn.Parameter((torch.rand(shapes[1]) * 2 - 1) * r)
            self.bias = nn.Parameter((torch.rand(shapes[2]) * 2 - 1) * r)

    def prepared(self, X: Array) -> torch.Tensor:
        """Return the inputs that do not depend on parameters, the columns with waves last."""
        found: list[Array] = []
        for x, one in ((X[:, j], self.encodings[j]) for j in self.others):
            if isinstance(one, OneHot):
                found += list(x == np.arange(one.n_levels)[:, None])
            elif isinstance(one, PiecewiseLinear):
                ends = zip(one.edges[:-1], one.edges[1:], strict=True)
                found += [np.clip((x - low) / (high - low), 0, 1) for low, high in ends]
            else:
                found.append(x)
        found += list(X[:, self.periodic].T)
        return torch.tensor(np.array(found).T.astype(np.float32))

    def columns(self) -> Array:
        """Return of each input the number of its column; a number and its code have the same."""
        column = np.cumsum([not isinstance(one, PiecewiseLinear) for one in self.encodings]) - 1
        found = [np.repeat(column[j], self.encodings[j].n_outputs) for j in self.others]
        found.append(column[self.periodic])
        found += [np.repeat(column[j], self.encodings[j].n_outputs - 1) for j in self.periodic]
        return np.concatenate(found)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the inputs with the waves."""
        if not self.periodic:
            return x
        q = x[:, -len(self.periodic) :, None]
        waves = torch.cos(2 * np.pi * self.frequencies * q + self.phases)
        sums = torch.einsum("bcn,cno->bco", waves, self.weights) + self.bias
        return torch.cat([x, sums.flatten(1)], 1)


class Members(nn.Module):
    """Networks that share the weights W of the hidden layers."""

    def __init__(self, columns: Array, plan: NetworkPlan, n_out: int, full: bool) -> None:
        super().__init__()
        self.W, self.b, self.r, self.s = (nn.ParameterList() for _ in range(4))
        self.full, self.dropout = full, nn.Dropout(plan.dropout)
        n_in, k = len(columns), MEMBERS
        for n in plan.hidden:
            self.W.append(nn.Parameter(torch.randn(n, n_in) * (2 / n_in) ** 0.5))
            self.b.append(nn.Parameter(torch.zeros(k if full else 1, n)))
            if not len(self.r):
                signs = torch.randint(0, 2, (k, int(columns.max()) + 1)).float() * 2 - 1
                self.r.append(nn.Parameter(signs[:, columns].contiguous()))
            elif full:
                self.r.append(nn.Parameter(torch.ones(k, n_in)))
            if full:
                self.s.append(nn.Parameter(torch.ones(k, n)))
            n_in = n
        self.head = nn.Parameter(torch.randn(k, n_in, n_out) * (2 / n_in) ** 0.5)
        self.head_bias = nn.Parameter(torch.zeros(k, 1, n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs (members, rows, n_out)."""
        W = (self.W[0] * self.r[0][:, None]).flatten(0, 1)  # W (rᵢ ∘ x) = (W ∘ rᵢ) x
        z = (x @ W.T).view(len(x), MEMBERS, -1).transpose(0, 1)
        for i in range(len(self.W)):
            if i:
                z = (z * self.r[i][:, None] if self.full else z) @ self.W[i].T
            z = z * self.s[i][:, None] + self.b[i][:, None] if self.full else z + self.b[i]
            z = self.dropout(nn.functional.silu(z))
        return torch.baddbmm(self.head_bias, z, self.head)


def errors_of(encoding: str, data: Data, network: int) -> Array:
    """Train a network with members; return its errors at the test rows, in the best epoch."""
    torch.manual_seed(network)
    order = np.random.RandomState(network)
    plan = plan_of("good", data.n_rows).networks[0]
    X, X_test, encodings = data.inputs(encoding)
    inputs = Inputs(encodings)
    train, test = (inputs.prepared(one) for one in (X, X_test))
    y = torch.tensor(data.y[0]).to(torch.int64 if data.classes else torch.float32)
    members = Members(inputs.columns(), plan, 1 + data.classes, full=encoding == TURNS[0])
    net = nn.Sequential(inputs, members)
    validation = data.validation[network]
    rows = np.delete(np.arange(len(X)), validation)

    decay = {id(one): plan.weight_decay for one in (*members.W, members.head)}
    groups = [{"params": [p], "weight_decay": decay.get(id(p), 0.0)} for p in net.parameters()]
    rate, steps = plan.learning_rate, plan.epochs * -(-len(rows) // plan.batch_size)
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, BETA_2))
    schedule = OneCycleLR(optimizer, rate, total_steps=steps + 1, cycle_momentum=False)

    @torch.no_grad()
    def mean(x: torch.Tensor) -> Array:
        outputs = net(x)
        values = outputs.softmax(2)[..., 1] if data.classes else outputs[..., 0]
        return values.mean(0).numpy().astype(float)

    least, best = np.inf, np.zeros(0)
    for _ in range(plan.epochs):
        net.train()
        shuffled = order.permutation(rows)
        for start in range(0, len(rows), plan.batch_size):
            batch = torch.tensor(shuffled[start : start + plan.batch_size])
            outputs, targets = net(train[batch]).flatten(0, 1), y[batch].repeat(MEMBERS)
            if data.classes:
                loss = nn.functional.cross_entropy(outputs, targets)
            else:
                loss = nn.functional.mse_loss(outputs[:, 0], targets) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        net.eval()
        now = data.loss(mean(train[validation]), validation)
        if now <= least:
            least, best = now, mean(test)
    return (best if data.classes else np.clip(best, data.y[0].min(), data.y[0].max())) - data.y[1]


def run(name: str) -> list[dict[str, Any]]:
    """Return the rows of shared.csv for a table."""
    found = {("default", one): trained(KINDS["default"], name, 0, one, DEFAULTS) for one in TURNS}
    for kind, encoding in zip(KINDS_OF, TURNS, strict=True):
        began = process_time()
        errors = [errors_of(encoding, parts.data(name, 0), i) for i in range(NETWORKS)]
        result = errors, (process_time() - began) / NETWORKS
        found[kind, encoding] = found[BOTH, encoding] = result
    return list(cells(name, 0, found))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, which has no options."""
    return argparse.ArgumentParser(description=__doc__.split("\n")[0])


def main() -> None:
    """Train, and write shared.csv."""
    parser().parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    torch.set_num_threads(1)
    with RUNS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for name in TABLES:
            writer.writerows(run(name))


if __name__ == "__main__":
    main()
