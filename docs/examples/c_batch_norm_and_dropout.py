"""
Batch norm and dropout
======================

Batch normalization makes training less sensitive to the initial weights; dropout reduces
overfitting.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp

X, y = fastmlp.datasets.digits()
X_train, y_train, X_test, y_test = X[:1000], y[:1000], X[1000:], y[1000:]

# %%
# Batch norm
# ----------
#
# With six hidden layers the scale of the initial weights matters: with N(0, 1) the activations grow
# several times from layer to layer, with N(0, 0.05²) they shrink, and only He initialization keeps
# their scale. Batch norm standardizes the sums of each unit to mean 0 and variance 1 over a batch,
# and then scales and shifts them by parameters that are trained as well.

initializers = {
    "N(0, 1)": "normal",
    "N(0, 0.05²)": fastmlp.initializers.Normal(0.05),
    "N(0, 2/n), He": "he_normal",
}
fig, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for ax, (title, init) in zip(axes, initializers.items()):
    for batch_norm in (False, True):
        net = fastmlp.MLP((64, *[50] * 6, 10), init=init, batch_norm=batch_norm, seed=0)
        history = net.fit(
            X_train,
            y_train,
            epochs=30,
            optimizer=fastmlp.Adam(0.01),
            validation_data=(X_test, y_test),
        )
        ax.plot(history.validation_accuracy, label=f"batch_norm={batch_norm}")
    ax.set(title=title, xlabel="epoch")
axes[0].set_ylabel("validation accuracy")
axes[0].legend()

# %%
# For prediction, batch norm can be folded into the weights and biases:
# :attr:`~fastmlp.MLP.folded` returns those of a network without batch norm that predicts the same.

weights, biases = net.folded
folded = fastmlp.MLP(net.sizes, init=(weights, biases))
print(f"largest difference {np.abs(folded.forward(X_test) - net.forward(X_test)).max():.1e}")

# %%
# Dropout
# -------
#
# Three in ten of the training images get a random label. A network with far more parameters than
# images can memorize even these, and then predicts other images less well. With dropout a random
# half of the hidden units is set to zero in each step, so units cannot rely on each other to
# memorize an image.

rng = np.random.default_rng(0)
random_label = rng.random(1000) < 0.3
labels = np.where(random_label, rng.integers(0, 10, 1000), y_train)

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for dropout in (0.0, 0.5):
    net = fastmlp.MLP((64, 200, 200, 10), dropout=dropout, input_dropout=0.4 * dropout, seed=0)
    history = net.fit(
        X_train, labels, epochs=60, batch_size=50, validation_data=(X_test, y_test)
    )
    ax.plot(history.validation_accuracy, label=f"dropout={dropout}")
    memorized = np.mean(net.predict(X_train)[random_label] == labels[random_label])
    print(f"dropout {dropout}: {memorized:.0%} of the random labels were memorized")
ax.set(xlabel="epoch", ylabel="validation accuracy")
ax.legend()
