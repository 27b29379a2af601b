"""
Augmentation by distortions
===========================

A slightly rotated or shifted digit is still the same digit. Training on randomly distorted copies,
computed anew for each batch, makes the network learn this, which helps when there are few images.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp

X, y = fastmlp.datasets.digits()
X_train, y_train, X_test, y_test = X[:300], y[:300], X[500:], y[500:]

# %%
# The distortion rotates by up to 12 degrees, scales by up to a tenth, shifts by up to half a pixel,
# and adds a small elastic deformation. Each row shows an image and nine distorted copies of it.

augment = fastmlp.augment.Distortion(
    rotation=12, scale=0.1, translation=0.5, elastic=1.0, smoothness=2.0
)

fig, axes = plt.subplots(3, 10, figsize=(9, 3), layout="constrained")
for row, image in zip(axes, X_train[[0, 3, 5]]):
    copies = augment(np.tile(image, (9, 1)), seed=1)
    for ax, pixels in zip(row, [image, *copies]):
        ax.imshow(pixels.reshape(8, 8), cmap="gray_r")
        ax.axis("off")

# %%
# The same network trained without and with distortions, over five seeds.

accuracies = {"original": [], "distorted": []}
for seed in range(5):
    for name, distortion in zip(accuracies, (None, augment)):
        net = fastmlp.MLP((64, 200, 10), dropout=0.2, seed=seed)
        net.fit(X_train, y_train, epochs=150, batch_size=50, augment=distortion)
        accuracies[name].append(np.mean(net.predict(X_test) == y_test))

for name, values in accuracies.items():
    print(f"{name:12}  {np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}")

# %%

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for position, values in enumerate(accuracies.values()):
    ax.plot(np.full(5, position), values, "o", alpha=0.6)
ax.set(
    xticks=[0, 1], xticklabels=accuracies, xlim=(-0.5, 1.5), ylabel="test accuracy"
)
