"""
A first network
===============

A network learns to read handwritten digits: 1,797 images of 8 × 8 pixels, which come with the
package.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastmlp

X, y = fastmlp.datasets.digits()
X_train, y_train, X_test, y_test = X[:1500], y[:1500], X[1500:], y[1500:]

# %%
# 64 inputs, one for each pixel, 100 hidden units and 10 outputs, one for each digit. A tenth of the
# training images is set aside to measure each epoch by, and when the cost on these has not become
# lower for ten epochs, training ends and goes back to the best one.

net = fastmlp.MLP((64, 100, 10), seed=0)
history = net.fit(
    X_train, y_train, epochs=200, batch_size=50, validation_data=0.1, early_stopping=10
)
print(f"{history.epochs} epochs in {sum(history.seconds):.2f} s, ended by {history.stopped_by}")

# %%
# The history has the figures of each epoch.

fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
axes[0].semilogy(history.cost, label="training")
axes[0].semilogy(history.validation_cost, label="validation")
axes[0].set(xlabel="epoch", ylabel="cost")
axes[0].legend()
axes[1].plot(history.validation_accuracy)
axes[1].set(xlabel="epoch", ylabel="validation accuracy")

# %%
# How often is it right about images of writers it has not seen, and where is it wrong? Each picture
# says what the network took it for, how sure it was, and what it is.

right = net.predict(X_test) == y_test
probabilities = net.predict_proba(X_test)
print(f"accuracy {np.mean(right):.3f}")

wrong = np.flatnonzero(~right)[:10]
fig, axes = plt.subplots(2, 5, figsize=(8, 3.6), layout="constrained")
for ax, i in zip(axes.flat, wrong):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    said = probabilities[i].argmax()
    ax.set_title(f"{said} ({probabilities[i, said]:.0%}), is {y_test[i]}", fontsize=10)
for ax in axes.flat:
    ax.axis("off")

# %%
# The file holds all there is to the network, and is read without running anything in it.

path = Path(tempfile.mkdtemp(), "digits.npz")
net.save(path)
again = fastmlp.load(path)
print(again)
assert np.array_equal(again.predict(X_test), net.predict(X_test))
