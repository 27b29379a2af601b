"""Write a network as C by emlearn, in an interpreter that has emlearn and scikit-learn.

    PYTHON device_emlearn.py NETWORK.npz OUT.h

NETWORK.npz has weights W1, W2 (n_in, n_out) and biases b1, b2 of a network with ReLU and softmax.
Prints emlearn's version and the folder of its headers.
"""

import sys

import emlearn
import numpy as np
from sklearn.neural_network import MLPClassifier


def main() -> None:
    """Write the header."""
    path, out = sys.argv[1:]
    arrays = np.load(path)
    weights, biases = ([arrays[f"{name}{l}"] for l in (1, 2)] for name in "Wb")
    n_in, n_hidden = weights[0].shape
    n_out = weights[1].shape[1]
    model = MLPClassifier((n_hidden,), max_iter=1, random_state=0)
    model.partial_fit(np.zeros((n_out, n_in)), np.arange(n_out), classes=np.arange(n_out))
    model.coefs_, model.intercepts_ = weights, biases
    emlearn.convert(model).save(file=out, name="net")
    print(emlearn.__version__, emlearn.includedir)


if __name__ == "__main__":
    main()
