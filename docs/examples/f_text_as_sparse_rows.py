"""
Text as sparse rows
===================

As a bag of words, a text is a row of thousands of columns, one for each word, of which a few dozen
are not zero. SciPy's CSR matrices store only the non-zero values, and training reads these matrices
directly: the zeros cost neither memory nor time.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import sparse

import fastmlp

# %%
# The texts are generated: a vocabulary of 20,000 words whose frequencies follow Zipf's law, eight
# topics that each prefer 400 of these words, and 6,000 texts of 40 to 120 words, of which one in
# ten is preferred by the topic.

n_words, n_topics, n_texts = 20_000, 8, 6_000
rng = np.random.default_rng(0)
common = 1 / np.arange(1, n_words + 1)
common /= common.sum()
preferred = np.array([rng.choice(n_words, 400, replace=False) for _ in range(n_topics)])

topics = rng.integers(0, n_topics, n_texts)
rows, columns = [], []
for text, topic in enumerate(topics):
    length = rng.integers(40, 121)
    words = rng.choice(n_words, length, p=common)
    chosen = rng.random(length) < 0.1
    words[chosen] = rng.choice(preferred[topic], chosen.sum())
    rows.append(np.full(length, text))
    columns.append(words)
rows, columns = np.concatenate(rows), np.concatenate(columns)

# %%
# The occurrences of a word in a text are counted. Then the counts are replaced by 1 + log(count),
# and each row is scaled to norm 1.

X = sparse.csr_matrix((np.ones(len(rows), "float32"), (rows, columns)), (n_texts, n_words))
X.data = 1 + np.log(X.data)
X = sparse.diags(1 / np.sqrt(X.multiply(X).sum(axis=1).A1)).astype("float32") @ X
per_text = X.nnz / X.shape[0]
print(f"{X.shape}, {per_text:.0f} words per text: {X.nnz / np.prod(X.shape):.2%} non-zero")
megabytes = (X.data.nbytes + X.indices.nbytes) / 1e6
print(f"{megabytes:.0f} MB instead of {4 * np.prod(X.shape) / 1e6:.0f}")

# %%
# Training is the same as with dense examples.

X_train, y_train, X_test, y_test = X[:5000], topics[:5000], X[5000:], topics[5000:]
net = fastmlp.MLP((n_words, 64, n_topics), dropout=0.3, seed=0)
history = net.fit(X_train, y_train, epochs=8, validation_data=(X_test, y_test))
print(f"{sum(history.seconds):.1f} s, accuracy {history.validation_accuracy[-1]:.3f}")

# %%
# The confusion matrix shows which topics are predicted for which.

confusion = np.zeros((n_topics, n_topics), int)
np.add.at(confusion, (y_test, net.predict(X_test)), 1)
fig, ax = plt.subplots(figsize=(4.5, 4), layout="constrained")
ax.imshow(confusion, cmap="Blues")
for i, j in np.ndindex(*confusion.shape):
    if confusion[i, j]:
        ax.text(j, i, confusion[i, j], ha="center", va="center", color="w" if i == j else "k")
ax.set(xlabel="predicted", ylabel="topic")
