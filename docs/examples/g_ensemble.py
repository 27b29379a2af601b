"""
An ensemble
===========

Networks that start from different weights make different errors. The mean of their probabilities is
more often correct than each of them, and it separates correct from incorrect predictions better.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp

X, y = fastmlp.datasets.digits()
X_train, y_train, X_test, y_test = X[:500], y[:500], X[500:], y[500:]

# %%
# The networks are trained in parallel, one thread each, with the same result as if each were
# trained alone.

ensemble = fastmlp.Ensemble([fastmlp.MLP((64, 100, 10), seed=seed) for seed in range(10)])
ensemble.fit(X_train, y_train, epochs=40, batch_size=50)

alone = [np.mean(net.predict(X_test) == y_test) for net in ensemble.networks]
together = np.mean(ensemble.predict(X_test) == y_test)
print(f"single networks {min(alone):.4f} to {max(alone):.4f}, ensemble {together:.4f}")

# %%
# Accuracy of the ensemble of the first one, two, three, … networks.

outputs = np.array([net.predict_proba(X_test) for net in ensemble.networks])
growing = np.cumsum(outputs, axis=0).argmax(axis=2)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(range(1, 11), np.mean(growing == y_test, axis=1), "o-", label="ensemble")
ax.plot(range(1, 11), alone, "x", label="single network")
ax.set(xlabel="networks", ylabel="test accuracy")
ax.legend()

# %%
# A classifier may reject examples of which it is not sure. The plot shows the accuracy on the
# accepted examples, starting with the most certain predictions: the ensemble ranks them better.

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, h in [("one network", outputs[0]), ("ensemble", outputs.mean(axis=0))]:
    most_certain_first = np.argsort(-h.max(axis=1))
    correct = (h.argmax(axis=1) == y_test)[most_certain_first]
    accepted = np.arange(1, len(correct) + 1)
    ax.plot(accepted / len(correct), np.cumsum(correct) / accepted, label=name)
ax.set(xlabel="fraction of accepted examples", ylabel="accuracy on these", xlim=(0.3, 1))
ax.legend()
