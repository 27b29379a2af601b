"""
The seven steps, one by one
===========================

:mod:`fastmlp.steps` contains the training step of backpropagation as plain functions on arrays, in
the order and notation of the derivation. Here these functions and the compiled engine train the
same network and arrive at the same numbers.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp
from fastmlp import steps

X, labels = fastmlp.datasets.digits()
X = X[:1000].astype("float64")
y = np.eye(10)[labels[:1000]]  # the row of a label has a 1 there, and 0 elsewhere

net = fastmlp.MLP(
    (64, 30, 10),
    activation="tanh",
    output_activation="sigmoid",
    loss="squared_error",
    dtype="float64",
)
f, alpha, lam = ["tanh", "sigmoid"], 0.5, 1e-4

# %%
# Both start from the same weights and biases. For each batch the steps compute z(l) and a(l) in the
# forward pass, the deltas in the backward pass, and the gradients from both.

W, b = net.weights, net.biases
costs = []
for _ in range(20):
    for first in range(0, 1000, 50):
        batch, target = X[first : first + 50], y[first : first + 50]
        z, a = steps.forward(batch, W, b, f)  # step 1
        delta_out = steps.output_delta(target, a[-1], z[-1], f[-1])  # step 2
        deltas = steps.hidden_deltas(delta_out, W, z, f)  # step 3
        gradients = [  # steps 4 and 5
            steps.batch_gradients(delta, a_l, W_l, l2=lam)
            for delta, a_l, W_l in zip(deltas, a, W)
        ]
        W, b = zip(*steps.update(zip(W, b), gradients, alpha))  # step 6
    z, a = steps.forward(X, W, b, f)
    costs.append(steps.cost(y, a[-1], z[-1], W, l2=lam))  # step 7

# %%
# ``fit`` does the same in one compiled loop. With ``shuffle=False`` it uses the same batches.

history = net.fit(
    X, y, epochs=20, batch_size=50, optimizer=fastmlp.GradientDescent(alpha), l2=lam, shuffle=False
)
difference = max(np.abs(a - b).max() for a, b in zip(net.weights, W))
print(f"largest difference of a weight after 400 updates: {difference:.1e}")
assert difference < 1e-12

# %%
# Step 7 evaluates the cost after an epoch; the history contains the mean over the epoch's batches,
# while the parameters were changing.

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(range(1, 21), costs, "o-", label="steps.cost after each epoch")
ax.plot(range(1, 21), history.cost, label="history.cost during each epoch")
ax.set(xlabel="epoch", ylabel="J")
ax.legend()

# %%
# A central difference checks one element of the gradient: how J changes with one weight.

step = np.zeros_like(W[0])
step[3, 20] = 1e-5


def J(shift):
    z, a = steps.forward(X, [W[0] + shift, W[1]], b, f)
    return steps.cost(y, a[-1], z[-1], [W[0] + shift, W[1]], l2=lam)


net.set_parameters(W, b)
by_backpropagation = net.gradients(X, y, l2=lam)[0][0][3, 20]
by_difference = (J(step) - J(-step)) / 2e-5
print(f"backpropagation {by_backpropagation:.10f}, central difference {by_difference:.10f}")
