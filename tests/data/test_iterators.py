"""An iterator of chunks is good for one epoch, and a function returns one."""

from __future__ import annotations

import pytest

from fastmlp import MLP


def test_an_iterator_is_taken_for_one_epoch(classes):
    assert MLP((6, 3)).fit(iter([classes]), epochs=1).epochs == 1


@pytest.mark.parametrize("epochs", [2, 3])
def test_an_iterator_is_refused_for_more(classes, epochs):
    chunks = iter([classes] * epochs)
    with pytest.raises(ValueError, match=f"good for one epoch, and epochs is {epochs}"):
        MLP((6, 3)).fit(chunks, epochs=epochs)
    assert len(list(chunks)) == epochs  # none was taken


def test_a_function_that_returns_no_chunks_is_told():
    with pytest.raises(TypeError, match="X must return an iterable of chunks .* got None"):
        MLP((6, 3)).fit(lambda: None)
