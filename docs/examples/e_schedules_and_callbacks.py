"""
Schedules and callbacks
=======================

A schedule sets the learning rate in the course of training; a callback is called after each epoch.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp
from fastmlp import schedules

X, y = fastmlp.datasets.digits()
X_train, y_train, X_test, y_test = X[:1500], y[:1500], X[1500:], y[1500:]

# %%
# An optimizer accepts a schedule in place of a number. The history contains the learning rate at
# the end of each epoch.

epochs = 30
rates = {
    "constant": 0.003,
    "step": schedules.Step(0.01, every=300, factor=0.3),
    "cosine": schedules.Cosine(0.01),
    "one cycle": schedules.OneCycle(0.01),
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for name, rate in rates.items():
    net = fastmlp.MLP((64, 100, 10), seed=0)
    history = net.fit(
        X_train,
        y_train,
        epochs=epochs,
        batch_size=50,
        optimizer=fastmlp.Adam(rate),
        validation_data=(X_test, y_test),
    )
    axes[0].plot(history.learning_rate, label=name)
    axes[1].semilogy(history.cost, label=name)
axes[0].set(xlabel="epoch", ylabel="learning rate")
axes[1].set(xlabel="epoch", ylabel="cost on the training images")
axes[1].legend()

# %%
# A custom schedule is a class with one method, which maps an array of step numbers to learning
# rates.


class Triangle(schedules.Schedule):
    """Rises and falls again every 200 steps."""

    name = "triangle"

    def __call__(self, steps):
        return 0.01 * (1 - np.abs(steps % 200 - 100) / 100) + 1e-4


net = fastmlp.MLP((64, 100, 10), seed=0)
net.fit(X_train, y_train, epochs=epochs, batch_size=50, optimizer=fastmlp.Adam(Triangle()))
print(f"accuracy {np.mean(net.predict(X_test) == y_test):.3f}")

# %%
# A custom callback overrides the methods that it needs. This one records the norm of each layer's
# weights, and stops training when that of the output layer exceeds 8. :class:`~fastmlp.Checkpoint`
# and :class:`~fastmlp.EarlyStopping` are callbacks as well.


class Norms(fastmlp.Callback):
    def __init__(self):
        self.norms = []

    def on_epoch_end(self, net, history):
        self.norms.append([np.linalg.norm(W) for W in net.weights])
        return self.norms[-1][-1] > 8


norms = Norms()
net = fastmlp.MLP((64, 100, 10), seed=0)
history = net.fit(X_train, y_train, epochs=300, callbacks=[norms])
print(f"{history.epochs} epochs, stopped by {history.stopped_by}")

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(norms.norms, label=["‖W(1)‖", "‖W(2)‖"])
ax.set(xlabel="epoch", ylabel="norm")
ax.legend()
