"""PyTorch's turns of benchmarks/many.py, in a Python that has it: reads a way, prints seconds.

    loop    one network after the other, eager, fused Adam
    vmap    all at once: torch.func.vmap of the gradient over stacked parameters, fused Adam

An epoch each of 64 networks 20-32-32-1 on 5,000 rows in batches of 32; each has an order of rows of
its own.  Both run on one thread, which is faster at these sizes.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

N_NETWORKS, N_ROWS, BATCH = 64, 5000, 32


def network() -> nn.Module:
    return nn.Sequential(
        nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
    )


def examples() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 20)).astype(np.float32)
    return torch.from_numpy(X), torch.from_numpy(np.tanh(X[:, :1] * X[:, 1:2] + X[:, 2:3]))


def loop(X: torch.Tensor, y: torch.Tensor) -> float:
    nets = [network() for _ in range(N_NETWORKS)]
    started = time.perf_counter()
    for net in nets:
        optimizer = torch.optim.Adam(net.parameters(), fused=True)
        for rows in torch.randperm(N_ROWS).split(BATCH):
            loss = 0.5 * (net(X[rows]) - y[rows]).square().sum(1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return time.perf_counter() - started


def stacked(X: torch.Tensor, y: torch.Tensor) -> float:
    nets = [network() for _ in range(N_NETWORKS)]
    model = network().to("meta")
    parameters, buffers = stack_module_state(nets)

    def cost(own: dict, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        h = functional_call(model, (own, buffers), (inputs,))
        return 0.5 * (h - targets).square().sum(1).mean()

    gradients = vmap(grad(cost))
    started = time.perf_counter()
    optimizer = torch.optim.Adam(list(parameters.values()), fused=True)
    orders = torch.stack([torch.randperm(N_ROWS) for _ in nets])
    for rows in orders.split(BATCH, dim=1):
        found = gradients(parameters, X[rows], y[rows])
        for name, one in parameters.items():
            one.grad = found[name]
        optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    X, y = examples()
    for line in sys.stdin:
        print({"loop": loop, "vmap": stacked}[line.strip()](X, y), flush=True)


if __name__ == "__main__":
    main()
