"""Callbacks of the networks of a model of a table."""

import numpy as np
import pytest
from sklearn.metrics import make_scorer, roc_auc_score

import fastmlp
from fastmlp.tabular import TabularClassifier, TabularRegressor

OPTIONS = {"quality": "fast", "epochs": 4, "random_state": 0}


class Record(fastmlp.Callback):
    """Records the network that it was made for, and the metrics that it sees after each epoch."""

    def __init__(self, net):
        self.net, self.seen, self.ended = net, [], False

    def on_epoch_end(self, net, history):
        assert net is self.net
        self.seen.append({name: values[-1] for name, values in history.metrics.items()})

    def on_fit_end(self, net, history):
        self.ended = True


@pytest.fixture
def records():
    """Return a list, and the function from a network to its callbacks that fills it."""
    made = []

    def callbacks(net):
        made.append(Record(net))
        return made[-1:]

    return made, callbacks


@pytest.mark.parametrize("n_threads", [1, 2])
def test_each_network_has_its_own_callbacks_in_the_order_of_the_networks(
    mixed, records, n_threads
):
    table, _, label = mixed
    made, callbacks = records
    model = TabularClassifier(**OPTIONS, n_threads=n_threads)
    model.fit(table, label, callbacks=callbacks)
    assert [record.net for record in made] == model.networks_
    assert all(record.ended and len(record.seen) == 4 for record in made)


@pytest.mark.parametrize("metric", ["log_loss", "auc"])
def test_callbacks_see_the_metric_that_the_best_epoch_is_chosen_by(mixed, records, metric):
    table, _, label = mixed
    made, callbacks = records
    model = TabularClassifier(metric, **OPTIONS).fit(table, label, callbacks=callbacks)
    for record, best in zip(made, model.best_epochs_, strict=True):
        values = [seen[metric] for seen in record.seen]
        best_value = max(values) if metric == "auc" else min(values)
        assert values[best - 1] == best_value
        assert 0 < best_value <= 1 or metric != "auc"
        assert record.net.history.metrics == {metric: values}


def test_a_scorer_is_recorded_under_its_text(mixed, records):
    table, _, label = mixed
    made, callbacks = records
    scorer = make_scorer(roc_auc_score, response_method="predict_proba")
    TabularClassifier(scorer, **OPTIONS).fit(table, label, callbacks=callbacks)
    assert set(made[0].seen[0]) == {str(scorer)}


def test_the_model_is_the_same_without_callbacks(mixed, records):
    table, value, _ = mixed
    with_callbacks = TabularRegressor(**OPTIONS).fit(table, value, callbacks=records[1])
    without = TabularRegressor(**OPTIONS).fit(table, value)
    np.testing.assert_array_equal(with_callbacks.predict(table), without.predict(table))


def test_a_callback_can_stop_its_network(mixed):
    class Stop(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            return history.epochs == 2

    table, value, _ = mixed
    model = TabularRegressor(**OPTIONS).fit(table, value, callbacks=lambda net: [Stop()])
    assert model.n_epochs_ == [2, 2]


def test_a_list_of_callbacks_is_refused(mixed):
    table, value, _ = mixed
    with pytest.raises(TypeError, match="callbacks must be a function from a network"):
        TabularRegressor(**OPTIONS).fit(table, value, callbacks=[fastmlp.Callback()])
    with pytest.raises(TypeError, match="must return a list of callbacks for a network, got None"):
        TabularRegressor(**OPTIONS).fit(table, value, callbacks=lambda net: None)


def test_one_early_stopping_for_several_networks_is_refused(mixed):
    table, value, _ = mixed
    stopping = fastmlp.EarlyStopping(monitor="cost")
    with pytest.raises(ValueError, match=r"networks\[0\] and networks\[1\] have one EarlyStopping"):
        TabularRegressor(**OPTIONS).fit(table, value, callbacks=lambda net: [stopping])
