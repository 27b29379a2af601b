"""
Batch norm and dropout
======================

Two ways to make a network train better, that help against different things: batch norm against a
bad beginning, dropout against learning by heart.
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
# With six hidden layers it matters how large the first weights are: from N(0, 1) what leaves a
# layer is several times what entered it, from N(0, 0.05²) a fraction, and only He's choice keeps
# the size. Batch norm makes mean and variance of what enters a unit 0 and 1 over a batch, and then
# stretches and shifts it by parameters that are trained too.

beginnings = {
    "N(0, 1)": "normal",
    "N(0, 0.05²)": fastmlp.initializers.Normal(0.05),
    "N(0, 2/n), He's": "he_normal",
}
fig, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for ax, (title, init) in zip(axes, beginnings.items()):
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
axes[0].set_ylabel("accuracy on 797 others")
axes[0].legend()

# %%
# A trained network leaves for another program as plain weights and biases:
# :attr:`~fastmlp.MLP.folded` are those of a network without batch norm that predicts the same.

weights, biases = net.folded
plain = fastmlp.MLP(net.sizes, init=(weights, biases))
print(f"largest difference {np.abs(plain.forward(X_test) - net.forward(X_test)).max():.1e}")

# %%
# Dropout
# -------
#
# Three in ten of the training images get a label by chance. A network with far more parameters than
# images can learn even these by heart, and then says such nonsense about other images. With dropout
# half of the hidden units, others in each step, are left out: no unit can rely on the others to
# remember an image together.

rng = np.random.default_rng(0)
by_chance = rng.random(1000) < 0.3
labels = np.where(by_chance, rng.integers(0, 10, 1000), y_train)

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for dropout in (0.0, 0.5):
    net = fastmlp.MLP((64, 200, 200, 10), dropout=dropout, input_dropout=0.4 * dropout, seed=0)
    history = net.fit(
        X_train, labels, epochs=60, batch_size=50, validation_data=(X_test, y_test)
    )
    ax.plot(history.validation_accuracy, label=f"dropout={dropout}")
    learned = np.mean(net.predict(X_train)[by_chance] == labels[by_chance])
    print(f"dropout {dropout}: {learned:.0%} of the labels by chance learned by heart")
ax.set(xlabel="epoch", ylabel="accuracy on 797 others")
ax.legend()
