"""Descriptions of networks."""

from __future__ import annotations

import pytest

from fastmlp import MLP
from fastmlp.encodings import Numeric

SPEC = MLP((6, 16, 3)).state.spec


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (MLP((6, 16, 3), seed=5, activation="tanh"), True),
        (MLP((6, 3)), True),
        (MLP((6, 3, 9, 3)), True),
        (MLP((5, 16, 3)), False),
        (MLP((6, 16, 2)), False),
        (MLP((3, 6, 3)), False),
        (MLP((6, 16, 6)), False),
        (MLP((6, 16, 3), dtype="float64"), False),
        (MLP((6, 16, 3), loss="squared_error"), False),
        (MLP((6, 16, 3), uint8_scale=0.5), False),
        (MLP((6, 16, 3), encodings=[Numeric()] * 6), False),
    ],
    ids=repr,
)
def test_networks_read_alike_what_has_the_same_columns_targets_and_numbers(other, alike):
    assert SPEC.reads_alike(other.state.spec) is alike
    assert other.state.spec.reads_alike(SPEC) is alike


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**33 + 5, 2**64 - 1, 2**70])
def test_a_seed_is_split_into_as_many_words_as_it_has(seed):
    words = MLP((2, 2), seed=seed).state.spec.seed_words.tolist()
    assert sum(word << (32 * k) for k, word in enumerate(words)) == seed
    assert len(words) == max(1, (seed.bit_length() + 31) // 32)
