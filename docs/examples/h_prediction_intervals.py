"""
Prediction intervals
====================

A network can predict how uncertain the target is: trained with the quantile loss, it predicts
several quantiles at once, which never cross.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp

rng = np.random.default_rng(0)


def sample(m):
    """Return m points of a curve with noise that grows with x."""
    x = rng.uniform(0, 3, (m, 1))
    return x, np.sin(2 * x[:, 0]) + (0.1 + 0.2 * x[:, 0]) * rng.normal(size=m)


X_train, y_train = sample(4000)
X_test, y_test = sample(4000)

# %%
# There is one output for each quantile: 5 %, 50 % and 95 % of the targets should lie below them.

net = fastmlp.MLP((1, 64, 64, 3), loss=fastmlp.losses.Quantile((0.05, 0.5, 0.95)), seed=0)
optimizer = fastmlp.Adam(fastmlp.schedules.OneCycle(0.01))
history = net.fit(X_train, y_train, epochs=60, batch_size=100, optimizer=optimizer)

# %%
# Nine in ten of the test targets should lie between the outer two quantiles.

low, median, high = net.predict(X_test).T
print(f"within: {np.mean((low <= y_test) & (y_test <= high)):.1%}")
print(f"below:  {np.mean(y_test < low):.1%},  above: {np.mean(y_test > high):.1%}")

# %%
# The interval is wider where the noise is larger.

x = np.linspace(0, 3, 200)[:, None]
low, median, high = net.predict(x).T
fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(X_test, y_test, ".", ms=2, color="0.6", label="test data")
ax.fill_between(x[:, 0], low, high, alpha=0.3, label="90 % interval")
ax.plot(x, median, label="median")
ax.set(xlabel="x", ylabel="y", xlim=(0, 3))
ax.legend()
