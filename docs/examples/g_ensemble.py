"""
A committee
===========

Networks that begin with other weights make other mistakes. The mean of their probabilities is right
more often than each of them, and knows better when it is not.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp

X, y = fastmlp.datasets.digits()
X_train, y_train, X_test, y_test = X[:500], y[:500], X[500:], y[500:]

# %%
# They train side by side, each on a thread of its own, and become what each would become alone.

committee = fastmlp.Ensemble([fastmlp.MLP((64, 100, 10), seed=seed) for seed in range(10)])
committee.fit(X_train, y_train, epochs=40, batch_size=50)

alone = [np.mean(net.predict(X_test) == y_test) for net in committee.networks]
together = np.mean(committee.predict(X_test) == y_test)
print(f"alone {min(alone):.4f} to {max(alone):.4f}, together {together:.4f}")

# %%
# Accuracy with one member, two, three, and so on.

outputs = np.array([net.predict_proba(X_test) for net in committee.networks])
growing = np.cumsum(outputs, axis=0).argmax(axis=2)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(range(1, 11), np.mean(growing == y_test, axis=1), "o-", label="together")
ax.plot(range(1, 11), alone, "x", label="alone")
ax.set(xlabel="networks", ylabel="accuracy on 1,297 others")
ax.legend()

# %%
# Asked to answer only where it is sure, the committee leaves out the right ones: of the answers it
# gives, how many are right?

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, h in [("one network", outputs[0]), ("committee", outputs.mean(axis=0))]:
    surest_first = np.argsort(-h.max(axis=1))
    right = (h.argmax(axis=1) == y_test)[surest_first]
    answered = np.arange(1, len(right) + 1)
    ax.plot(answered / len(right), np.cumsum(right) / answered, label=name)
ax.set(xlabel="part of the images answered, the surest first", ylabel="right", xlim=(0.3, 1))
ax.legend()
