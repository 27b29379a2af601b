"""Gradients, cost and activations have the same bits in any build, form of X and threads."""

import pytest


def test_gradients_and_cost_of_any_form_of_examples(isa, dtype, form, Run):
    for threads in (1, 2, 5):
        Run(isa, dtype, form=form, threads=threads).check_gradients_and_cost()


def test_gradients_and_cost_of_any_network(isa, dtype, cases, Run):
    for case in cases:
        Run(isa, dtype, *case, weighted=True, threads=2).check_gradients_and_cost()


@pytest.mark.parametrize("hidden", ["relu", "tanh"])
def test_activations_of_given_examples(isa, dtype, hidden, form, Run):
    base, data = Run(isa, dtype, hidden, use_sparse=False).engine()
    expected = [a.tobytes() for a in base.activations(data, 1)]
    engine, data = Run(isa, dtype, hidden, form=form).engine()
    for threads in (1, 2, 5):
        assert [a.tobytes() for a in engine.activations(data, threads)] == expected
        assert engine.forward(data, threads).tobytes() == expected[-1]
