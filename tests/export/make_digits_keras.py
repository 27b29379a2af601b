"""Makes digits.keras, digits.weights.h5 and what Keras says of some digits, digits_keras.npz.

Needs Keras and PyTorch:

    KERAS_BACKEND=torch python tests/export/make_digits_keras.py
"""

import zipfile
from pathlib import Path

import keras
import numpy as np

import fastmlp

HERE = Path(__file__).parent
layers = keras.layers

keras.utils.set_random_seed(5)
X, y = fastmlp.datasets.digits()
model = keras.Sequential([
    keras.Input((64,)),
    layers.Normalization(mean=0.3, variance=0.14, axis=None),
    layers.Dropout(0.1),
    layers.Dense(12, use_bias=False),
    layers.BatchNormalization(name="of another name"),
    layers.Activation("gelu"),
    layers.Dense(10, activation=layers.LeakyReLU(0.1)),
    layers.BatchNormalization(scale=False),
    layers.Dropout(0.2),
    layers.Dense(10, activation="softmax"),
])
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
model.fit(X, y, epochs=12, batch_size=64, verbose=0)

copy = keras.models.clone_model(model)  # without the optimizer's state
copy.set_weights(model.get_weights())
copy.save(HERE / "digits.keras")
with zipfile.ZipFile(HERE / "digits.keras") as file:
    contents = {name: file.read(name) for name in file.namelist()}
with zipfile.ZipFile(HERE / "digits.keras", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
    for name, content in contents.items():
        file.writestr(name, content)

again = keras.models.load_model(HERE / "digits.keras")
outputs = keras.ops.convert_to_numpy(again(X[::90]))

# the kind of model of which weights alone are enough
keras.utils.set_random_seed(6)
plain = keras.Sequential([
    keras.Input((64,)),
    layers.Dense(12, use_bias=False),
    layers.BatchNormalization(),
    layers.Activation("gelu"),
    layers.Dropout(0.1),
    layers.Dense(10),
    layers.BatchNormalization(),
    layers.Activation("gelu"),
    layers.Dense(10, activation="softmax"),
])
plain.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
plain.fit(X, y, epochs=12, batch_size=64, verbose=0)
plain.compile()  # without the optimizer's state
plain.save_weights(HERE / "digits.weights.h5")
np.savez_compressed(
    HERE / "digits_keras.npz",
    X=X[::90],
    outputs=outputs,
    outputs_by_weights=keras.ops.convert_to_numpy(plain(X[::90])),
)
