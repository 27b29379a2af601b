"""
A first network
===============

A network learns to classify handwritten digits: 1,797 images of 8 × 8 pixels, which come with the
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
# The network has 64 inputs, one for each pixel, 100 hidden units and 10 outputs, one for each
# digit. A tenth of the training images is the validation set. When the cost on it has not improved
# for ten epochs, training stops, and the parameters of the best epoch are restored.

net = fastmlp.MLP((64, 100, 10), seed=0)
history = net.fit(
    X_train, y_train, epochs=200, batch_size=50, validation_data=0.1, early_stopping=10
)
print(f"{history.epochs} epochs in {sum(history.seconds):.2f} s, stopped by {history.stopped_by}")

# %%
# The history contains the figures of each epoch.

fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
axes[0].semilogy(history.cost, label="training")
axes[0].semilogy(history.validation_cost, label="validation")
axes[0].set(xlabel="epoch", ylabel="cost")
axes[0].legend()
axes[1].plot(history.validation_accuracy)
axes[1].set(xlabel="epoch", ylabel="validation accuracy")

# %%
# How accurate is the network on the test images, and which of them does it misclassify? The title
# of each image gives the predicted digit with its probability, and the label.

correct = net.predict(X_test) == y_test
probabilities = net.predict_proba(X_test)
print(f"accuracy {np.mean(correct):.3f}")

wrong = np.flatnonzero(~correct)[:10]
fig, axes = plt.subplots(2, 5, figsize=(8, 3.6), layout="constrained")
for ax, i in zip(axes.flat, wrong):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    predicted = probabilities[i].argmax()
    ax.set_title(
        f"{predicted} ({probabilities[i, predicted]:.0%}), label {y_test[i]}", fontsize=10
    )
for ax in axes.flat:
    ax.axis("off")

# %%
# The file contains the whole network as arrays and text; loading it executes no code.

path = Path(tempfile.mkdtemp(), "digits.npz")
net.save(path)
loaded = fastmlp.load(path)
print(loaded)
assert np.array_equal(loaded.predict(X_test), net.predict(X_test))
