"""PyTorch: modules that give what networks give, both ways, and what cannot be taken."""

from __future__ import annotations

import importlib
import pickle

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.export import from_torch, to_torch
from fastmlp.losses import CrossEntropy, Quantile

torch = pytest.importorskip("torch")
nn = torch.nn
prune = importlib.import_module("torch.nn.utils.prune")
modules = importlib.import_module("fastmlp.export.torch_modules")
GaussianNoise, SortedQuantiles = modules.GaussianNoise, modules.SortedQuantiles
pytestmark = pytest.mark.usefixtures("torch")


def outputs(module: nn.Module, X: np.ndarray) -> np.ndarray:
    dtype = next(module.parameters()).dtype
    return module(torch.tensor(X, dtype=dtype)).detach().numpy()


@pytest.fixture
def X(X):
    """Not as far out as in other tests: float32 outputs are to agree to 1e-6."""
    return np.clip(X, -3, 3)


def test_the_module_gives_the_networks_outputs(network, X, close):
    module = to_torch(network)
    assert not module.training
    expected = network.forward(X)
    if network.loss.name == "quantile":  # in ascending order
        expected = network.predict(X)
    close(outputs(module, X), expected, 1e-6 if network.dtype == np.float32 else 1e-12)


def test_the_same_network_comes_back(network, X):
    back = from_torch(to_torch(network), loss=network.loss)
    for name in ("activation", "batch_norm", "noise", "dropout", "input_dropout", "loss"):
        assert getattr(back, name) == getattr(network, name)
    np.testing.assert_array_equal(back.forward(X), network.forward(X))


def test_layers_are_as_trained(make):
    module = to_torch(make())
    hidden = ["Linear", "BatchNorm1d", "GaussianNoise", "ReLU", "Dropout"]
    kinds = ["Dropout", *hidden, *hidden, "Linear", "Softmax"]
    assert [type(one).__name__ for one in module] == kinds
    assert [one.p for one in module if isinstance(one, nn.Dropout)] == [0.1, 0.1, 0.2]


def test_what_stands_before_the_output_activation_are_logits(make, X, close):
    net = make(dtype="float64")
    z = outputs(to_torch(net)[:-1], X)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    close(e / e.sum(axis=1, keepdims=True), net.forward(X))


def test_a_softmax_in_groups_keeps_its_groups(make, X, close):
    net = make("groups", dtype="float64")
    module = to_torch(net)
    assert "GroupSoftmax(groups=(3, 2, 4))" in repr(module)
    back = from_torch(module)
    assert (back.loss, back.output_activation) == (net.loss, net.output_activation)
    np.testing.assert_array_equal(back.predict(X), net.predict(X))
    from_logits = from_torch(module[:-1], loss=net.loss)
    np.testing.assert_array_equal(from_logits.forward(X), net.forward(X))
    y = torch.tensor(net.predict(X[::-1]))
    parts = module[:-1](torch.tensor(X)).detach().split(module[-1].groups, dim=1)
    costs = [nn.functional.cross_entropy(z, label) for z, label in zip(parts, y.T, strict=True)]
    assert float(sum(costs)) == pytest.approx(net.cost(X, y.numpy()), rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "loss", "message"),
    [
        ("groups", "cross_entropy", r"Softmax\(groups=\(3, 2, 4\)\) does not go with loss Cross"),
        ("classes", CrossEntropy((3, 2, 4)), r"groups \(3, 2, 4\) of the loss take 9 outputs"),
        ("classes", CrossEntropy((3,)), r"Softmax\(\) does not go with loss CrossEntropy\(groups"),
    ],
)
def test_groups_that_do_not_fit_are_told(kind, loss, message, make):
    with pytest.raises(ValueError, match=message):
        from_torch(to_torch(make(kind)), loss=loss)


def test_training_goes_on_as_here(X):
    """A step of gradient descent there and here, batch norm by the batch's own statistics."""
    from fastmlp import GradientDescent

    net = MLP((6, 9, 3), batch_norm=True, dtype="float64")
    y = np.arange(len(X)) % 3
    module = to_torch(net).train()
    step = torch.optim.SGD(module.parameters(), 0.1)
    nn.functional.cross_entropy(module[:-1](torch.tensor(X)), torch.tensor(y)).backward()
    step.step()
    net.fit(X, y, epochs=1, batch_size=len(X), optimizer=GradientDescent(0.1))
    np.testing.assert_allclose(outputs(module.eval(), X), net.forward(X), rtol=1e-12, atol=1e-12)


def test_noise_is_added_before_the_activation_in_training_alone(X):
    net = MLP((6, 9, 3), activation="tanh", noise=0.4, loss="squared_error", dtype="float64")
    module, (W, V), (b, c) = to_torch(net), net.weights, net.biases
    np.testing.assert_allclose(outputs(module, X), net.forward(X), rtol=1e-12, atol=1e-12)
    assert "GaussianNoise(sigma=0.4)" in repr(module)
    torch.manual_seed(2)
    noise = 0.4 * torch.randn(len(X), 9, dtype=torch.float64).numpy()
    torch.manual_seed(2)
    expected = np.tanh(X @ W.T + b + noise) @ V.T + c
    np.testing.assert_allclose(outputs(module.train(), X), expected, rtol=1e-12, atol=1e-12)
    assert not np.array_equal(outputs(module, X), outputs(module, X))


def test_quantiles_are_sorted_in_evaluation_alone(make, X):
    net = make("quantiles of two", dtype="float64", output_activation="tanh")
    assert (net.predict(X) != net.forward(X)).any()
    module = to_torch(net)
    np.testing.assert_allclose(outputs(module, X), net.predict(X), rtol=1e-12)
    np.testing.assert_allclose(outputs(module.train(), X), net.forward(X), rtol=1e-12)
    assert from_torch(module).loss == net.loss
    assert f"SortedQuantiles(quantiles={net.loss.quantiles})" in repr(module)
    given = from_torch(module, loss=Quantile((0.3, 0.4)))
    assert given.loss == Quantile((0.3, 0.4))
    with pytest.raises(ValueError, match="loss must have 2 quantiles, .* got Huber"):
        from_torch(module, loss="huber")


def test_one_quantile_has_nothing_to_sort():
    net = MLP((6, 9, 2), loss=Quantile([0.3]))
    assert [type(one).__name__ for one in to_torch(net)] == ["Linear", "ReLU", "Linear", "Identity"]


def test_modules_can_be_pickled(network, X):
    module = to_torch(network)
    copied = pickle.loads(pickle.dumps(module))
    np.testing.assert_array_equal(outputs(copied, X), outputs(module, X))


def test_the_module_shares_no_memory_with_the_network(make, X):
    net = make()
    before = net.forward(X)
    module = to_torch(net)
    with torch.no_grad():
        for one in module.parameters():
            one.zero_()
    np.testing.assert_array_equal(net.forward(X), before)


# ------------------------------------------------------------------------- others' modules


def moved(module: nn.Module) -> nn.Module:
    """The module with parameters and statistics that are not as they began, for prediction."""
    torch.manual_seed(3)
    for name, one in module.state_dict().items():
        if one.dtype.is_floating_point:
            one.copy_(torch.rand(one.shape) + (0.2 if "running" in name else -0.4))
    return module.eval()


MODULES = {
    "logits": lambda: [nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)],
    "without bias": lambda: [nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)],
    "nested": lambda: [nn.Flatten(), nn.Sequential(nn.Linear(6, 5), nn.Sequential(nn.ELU(0.3))),
                       nn.Linear(5, 2)],
    "batch norm with bias below": lambda: [nn.Linear(6, 5), nn.BatchNorm1d(5), nn.GELU(),
                                           nn.Linear(5, 3)],
    "another ε": lambda: [nn.Linear(6, 5), nn.BatchNorm1d(5, eps=0.1), nn.SiLU(), nn.Linear(5, 3)],
    "batch norm without γ": lambda: [nn.Linear(6, 5), nn.BatchNorm1d(5, affine=False), nn.SELU(),
                                     nn.Linear(5, 3)],
    "batch norm of the input": lambda: [nn.BatchNorm1d(6), nn.Dropout(0.1), nn.Linear(6, 3)],
    "batch norm behind": lambda: [nn.Linear(6, 5), nn.LeakyReLU(0.3), nn.Dropout(0.2),
                                  nn.BatchNorm1d(5), nn.Linear(5, 3)],
    "batch norm twice": lambda: [nn.BatchNorm1d(6), nn.BatchNorm1d(6), nn.Linear(6, 3),
                                 nn.BatchNorm1d(3), nn.BatchNorm1d(3), nn.Linear(3, 2)],
    "batch norm at the output": lambda: [nn.Linear(6, 3), nn.BatchNorm1d(3), nn.Softmax(dim=1)],
    "dropout before": lambda: [nn.Linear(6, 5), nn.Dropout(0.1), nn.BatchNorm1d(5), nn.Softplus(),
                               nn.Dropout(0.2), nn.Linear(5, 1), nn.Sigmoid()],
    "noise twice": lambda: [nn.Linear(6, 5), nn.BatchNorm1d(5), GaussianNoise(0.3),
                            GaussianNoise(0.4), nn.Tanh(), nn.Linear(5, 2)],
    "noise before batch norm": lambda: [nn.Linear(6, 5), GaussianNoise(0.3), nn.BatchNorm1d(5),
                                        nn.Linear(5, 2)],
    "linear chain": lambda: [nn.Linear(6, 5), nn.Identity(), nn.Linear(5, 4), nn.Linear(4, 2)],
}


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("layers", MODULES.values(), ids=MODULES)
def test_networks_give_the_modules_outputs(layers, double, X, close):
    module = moved(nn.Sequential(*layers()))
    if double:
        module = module.double()
    close(from_torch(module).forward(X), outputs(module, X))


def test_bfloat16_becomes_float32(X):
    module = moved(nn.Sequential(*MODULES["logits"]())).bfloat16()
    net = from_torch(module)
    assert net.dtype == np.float32
    np.testing.assert_array_equal(net.weights[0], module[0].weight.detach().float().numpy())


def test_dropout_is_imported():
    net = from_torch(nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5), *MODULES["dropout before"]()))
    assert net.input_dropout == pytest.approx(0.75)
    assert net.dropout == pytest.approx((0.28,))


def test_noise_is_imported():
    assert from_torch(nn.Sequential(*MODULES["noise twice"]())).noise == pytest.approx((0.5,))
    net = from_torch(nn.Sequential(*MODULES["noise before batch norm"]()))
    assert (net.noise, net.batch_norm) == (pytest.approx((0.3,)), (False,))


@pytest.mark.parametrize(
    ("end", "loss", "found"),
    [
        ([], None, "squared_error"),
        ([], "cross_entropy", "cross_entropy"),
        ([], "binary_cross_entropy", "binary_cross_entropy"),
        ([nn.Softmax(dim=-1)], None, "cross_entropy"),
        ([nn.LogSoftmax(dim=1)], None, "cross_entropy"),
        ([nn.Sigmoid()], None, "binary_cross_entropy"),
        ([nn.Sigmoid()], "squared_error", "squared_error"),
        ([nn.Tanh()], None, "squared_error"),
    ],
)
def test_the_loss_is_what_the_end_implies_or_as_given(end, loss, found):
    net = from_torch(nn.Sequential(nn.Linear(6, 3), *end), loss=loss)
    assert net.loss.name == found
    assert net.output_activation.name in net.loss.output_activations


class Linear(nn.Linear):
    """Somebody's own layer of that name."""


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Linear(6, 5), nn.Conv1d(5, 5, 1)], r"layer 1 \(Conv1d\) has no counterpart"),
        ([nn.Sequential(nn.PReLU())], r"layer 0.0 \(PReLU\) has no counterpart"),
        ([Linear(6, 5)], r"layer 0 \(Linear\) has no counterpart"),
        ([nn.Linear(6, 5), nn.GELU("tanh")], r"layer 1 \(GELU\) has settings"),
        ([nn.Linear(6, 5), nn.Softplus(beta=2)], r"layer 1 \(Softplus\) has settings"),
        ([nn.Linear(6, 5), nn.Softplus(threshold=5)], r"layer 1 \(Softplus\) has settings"),
        ([nn.Linear(6, 5), nn.Softplus(1, 19.9)], r"layer 1 \(Softplus\) has settings"),
        ([nn.Flatten(0), nn.Linear(6, 5)], r"layer 0 \(Flatten\) has settings"),
        ([nn.Flatten(2), nn.Linear(6, 5)], r"layer 0 \(Flatten\) has settings"),
        ([nn.Flatten(1, 2), nn.Linear(6, 5)], r"layer 0 \(Flatten\) has settings"),
        ([nn.Linear(6, 5, dtype=torch.cfloat)], r"layer 0 \(Linear\) has settings"),
        ([nn.utils.parametrizations.weight_norm(nn.Linear(6, 5))], "has no counterpart"),
        ([prune.identity(nn.Linear(6, 5), "weight")], r"layer 0 \(Linear\) has hooks"),
        ([nn.Linear(6, 5), nn.Softmax(dim=0)], r"layer 1 \(Softmax\) has settings"),
        ([nn.Dropout(1.0), nn.Linear(6, 5)], r"layer 0 \(Dropout\) has settings"),
        ([nn.BatchNorm1d(6, track_running_stats=False)], r"layer 0 \(BatchNorm1d\) has settings"),
        ([nn.Linear(6, 5), nn.ReLU(), nn.ReLU()], r"layer 2 \(ReLU\): an activation function must"),
        ([nn.ReLU(), nn.Linear(6, 5)], r"layer 0 \(ReLU\): an activation function"),
        ([GaussianNoise(0.1), nn.Linear(6, 5)], r"layer 0 \(GaussianNoise\): noise must follow"),
        ([nn.Linear(6, 5), nn.ReLU(), GaussianNoise(0.1)], r"layer 2 \(Gaus.* must follow"),
        ([nn.Linear(6, 5), GaussianNoise(0.1)], "noise of the outputs has no place"),
        ([nn.Linear(6, 5), GaussianNoise(-0.1), nn.ReLU(), nn.Linear(5, 2)], r"in \[0, inf\), got"),
        ([SortedQuantiles((0.1, 0.9)), nn.Linear(6, 4)], "a layer after sorted quantiles"),
        ([nn.Linear(6, 3), SortedQuantiles((0.1, 0.9))], "the network has 3 outputs"),
        ([nn.Linear(6, 5), nn.Linear(4, 3)], r"layer 1 \(Linear\): it has 4 inputs, .* 5 outputs"),
        ([nn.Linear(6, 5), nn.Softmax(dim=1), nn.Linear(5, 2)], "softmax is for the output layer"),
        ([nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(5)], "of the outputs has no place"),
        ([nn.Linear(6, 5), nn.Dropout(0.1)], "dropout of the outputs has no place"),
        ([nn.Linear(6, 5), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(5, 2)], r"expected \(5,\)"),
        ([nn.Flatten()], "there is no dense layer"),
    ],
)
def test_layers_without_counterpart_are_named(layers, message):
    with pytest.raises(ValueError, match=message):
        from_torch(nn.Sequential(*layers))


def test_a_softplus_of_higher_threshold_is_the_same(X, close):
    for threshold in (20, 30):
        module = moved(nn.Sequential(nn.Linear(6, 5), nn.Softplus(1, threshold), nn.Linear(5, 2)))
        close(from_torch(module).forward(X), outputs(module, X))


def test_a_sequential_of_another_forward_is_refused():
    class Doubled(nn.Sequential):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(ValueError, match="Doubled has a forward of its own"):
        from_torch(Doubled(nn.Linear(6, 3)))
    with pytest.raises(ValueError, match=r"layer 0 \(Doubled\) has no counterpart"):
        from_torch(nn.Sequential(Doubled(nn.Linear(6, 3))))
    module = nn.Sequential(nn.Linear(6, 3))
    module.register_forward_hook(lambda module, x, y: 2 * y)
    with pytest.raises(ValueError, match="the module has hooks"):
        from_torch(module)


def test_the_module_has_parameters_of_one_moment(make, monkeypatch):
    net = make("classes")
    before = net.forward(np.ones((2, 6)))
    layers = type(net.state).predicting_layers

    def beside(state, *arguments):  # another thread trains between two readings
        found = layers(state, *arguments)
        net.fit(np.ones((40, 6)) * 9, np.zeros(40, int), epochs=1)
        return found

    monkeypatch.setattr(type(net.state), "predicting_layers", beside)
    module = to_torch(net)
    np.testing.assert_allclose(outputs(module, np.ones((2, 6), "f4")), before, rtol=1e-5)


def test_weights_that_are_not_finite_are_refused():
    module = nn.Sequential(nn.Linear(6, 3))
    with torch.no_grad():
        module[0].weight[1, 2] = torch.nan
    with pytest.raises(ValueError, match="must be finite"):
        from_torch(module)


def test_wrong_kinds_are_refused(ensemble):
    with pytest.raises(TypeError, match=r"a torch.nn.Sequential, got Linear: make a Sequential of"):
        from_torch(nn.Linear(6, 3))
    for saved in (nn.Linear(6, 3).state_dict(), "net.pt"):
        with pytest.raises(TypeError, match="make the module that it was saved from, and load it"):
            from_torch(saved)
    with pytest.raises(TypeError, match="export its networks one by one"):
        to_torch(ensemble)


@pytest.mark.parametrize("dims", [(1, -1), (1, 1), (-1, -1)], ids=str)
def test_flatten_of_rows_changes_nothing(dims, X):
    linear = nn.Linear(6, 5)
    net = from_torch(nn.Sequential(nn.Flatten(*dims), linear))
    np.testing.assert_array_equal(net.weights[0], linear.weight.detach())


@pytest.mark.parametrize("shape", [(6,), (2, 6), (3, 2, 6)], ids=str)
def test_quantiles_are_sorted_along_the_last_axis(shape):
    h = torch.arange(np.prod(shape), dtype=torch.float32).flip(0).reshape(shape)
    module = SortedQuantiles((0.1, 0.5, 0.9)).eval()
    expected = np.sort(h.numpy().reshape(*shape[:-1], 2, 3)).reshape(shape)
    np.testing.assert_array_equal(module(h), expected)
