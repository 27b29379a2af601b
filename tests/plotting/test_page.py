"""The page about a model is one valid file with the right numbers."""

from __future__ import annotations

import base64
import re
import sys
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

pytest.importorskip("matplotlib")

Array = NDArray[Any]
Given = tuple[Array, Array]
Digits = tuple[fastmlp.MLP, Array, Array]


class Page(HTMLParser):
    """What a page has: its text, its elements' attributes, and whether all of them are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: list[str] = []
        self.opened: list[str] = []
        self.feed(text)
        self.close()
        assert not self.opened

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        if tag != "meta":
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.opened[-1:] != ["style"]:
            self.texts.append(data.strip())

    def of(self, name: str) -> list[str]:
        return [str(value) for key, value in self.attributes if key == name]


def table(page: Page) -> dict[str, str]:
    """What stands in the page behind each name."""
    return dict(zip(page.texts, page.texts[1:], strict=False))


@pytest.fixture(scope="module")
def classes() -> Given:
    """Examples of three classes that overlap."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 230)
    return (np.eye(3, 6)[y] + 0.5 * rng.normal(size=(230, 6))).astype(np.float32), y


@pytest.fixture(scope="module")
def trained(classes: Given) -> fastmlp.MLP:
    net = fastmlp.MLP((6, 16, 3), seed=1)
    net.fit(*classes, epochs=3, batch_size=50, validation_data=0.2)
    return net


GIVEN: dict[str, Any] = {
    "title": "A <script>",
    "configuration": {"optimizer <b>": "Adam & Eve"},
    "times": {"of it all": 12.5},
    "class_names": ["$a", "<i>b</i>", "c & d"],
}


@pytest.fixture(scope="module")
def written(trained: fastmlp.MLP, classes: Given) -> str:
    """A page about a table."""
    return fastmlp.plotting.page(trained, *classes, **GIVEN)


@pytest.fixture(scope="module")
def page(written: str) -> Page:
    return Page(written)


@pytest.fixture(scope="module")
def named(trained: fastmlp.MLP, classes: Given) -> Page:
    """A page about sparse examples whose rows and columns have names."""
    sparse = pytest.importorskip("scipy.sparse")
    X, y = classes
    return Page(
        fastmlp.plotting.page(
            trained,
            sparse.csr_matrix(X),
            y,
            row_numbers=[f"line {k + 2}" for k in range(230)],
            column_names=[f"column <{k}>" for k in range(6)],
        )
    )


@pytest.fixture(scope="module")
def digits() -> Digits:
    X, y = fastmlp.datasets.digits()
    net = fastmlp.MLP((64, 16, 10))
    net.fit(X[:1500], y[:1500], epochs=3)
    return net, X[1500:], y[1500:]


@pytest.fixture(scope="module")
def text(digits: Digits) -> str:
    """A page about images."""
    return fastmlp.plotting.page(*digits)


def test_the_page_has_its_numbers(page: Page, trained: fastmlp.MLP, classes: Given) -> None:
    X, y = classes
    wrong = int(np.sum(trained.predict(X) != y))
    for text in [f"{100 - 100 * wrong / 230:.2f} %", f"{wrong} of 230", "163", "6-16-3", "12.5 s"]:
        assert text in page.texts
    for figures in (trained.history.cost, trained.history.validation_cost):
        assert {f"{one:.6g}" for one in figures} <= set(page.texts)
    assert table(page)["fastmlp"] == fastmlp.__version__
    assert table(page)["threads"] == str(fastmlp.get_num_threads())
    titles = ["Training", "Confusion matrix", "Mistakes", "Calibration", "Weights", "Activations",
              "Network", "Configuration", "Times", "Environment", "Epochs"]
    assert [text for text in page.texts if text in titles] == titles


def test_the_matrix_s_counts_are_text(page: Page, trained: fastmlp.MLP, classes: Given) -> None:
    X, y = classes
    predicted = trained.predict(X)
    first, last = page.texts.index("Confusion matrix"), page.texts.index("Mistakes")
    for i, j in np.ndindex(3, 3):
        count = np.sum((y == i) & (predicted == j))
        assert count == 0 or str(count) in page.texts[first:last]


def test_names_cannot_be_markup(page: Page) -> None:
    assert page.texts.count("A <script>") == 2  # the title and the heading
    assert table(page)["optimizer <b>"] == "Adam & Eve"
    assert {"$a", "<i>b</i>", "c & d"} <= set(page.texts)
    assert not {"script", "b", "i"} & set(page.tags)


def test_the_page_has_no_references_to_other_files(text: str) -> None:
    page = Page(text)
    assert "http" not in text
    assert "@import" not in text
    assert not {"link", "script", "iframe", "img"} & set(page.tags)
    for reference in page.of("href") + page.of("src") + re.findall(r"url\((.*?)\)", text):
        assert reference.startswith(("#", "data:image/png;base64,"))


def test_references_within_the_page_lead_somewhere(text: str) -> None:
    page = Page(text)
    ids = page.of("id")
    assert len(ids) == len(set(ids))
    used = {one[1:] for one in page.of("href") if one.startswith("#")}
    used |= set(re.findall(r"url\(#(.*?)\)", text))
    assert used
    assert used <= set(ids)


def test_plots_take_the_page_s_colors(page: Page) -> None:
    styles = " ".join(page.of("style"))
    assert "currentColor" in styles
    assert "#000000" not in styles.replace("fill: #000000", "")  # but counts on light cells
    assert page.of("role") == ["img"] * 5
    assert all(page.of("aria-label"))


def test_mistakes_are_pictures_where_examples_are(text: str, digits: Digits) -> None:
    net, X, y = digits
    sheet = re.search(r'<div class="ink">.*?base64,\s*([^"]*)"', text, re.DOTALL)
    assert sheet is not None
    assert base64.b64decode(sheet[1]).startswith(b"\x89PNG")
    wrong = np.flatnonzero(net.predict(X) != y)
    h = net.predict_proba(X[wrong])
    k = np.argmax(h.max(axis=1))
    assert f"{y[wrong[k]]}→{h[k].argmax()} {100 * h[k].max():.0f}%" in Page(text).texts


def test_mistakes_are_a_table_where_they_are_not(
    page: Page, trained: fastmlp.MLP, classes: Given
) -> None:
    X, y = classes
    h = trained.predict_proba(X)
    wrong = np.flatnonzero(h.argmax(axis=1) != y)
    k = wrong[np.argmax(h[wrong].max(axis=1))]
    names = ["$a", "<i>b</i>", "c & d"]
    at = page.texts.index("probability") + 1
    assert page.texts[at : at + 4] == [
        str(k), names[y[k]], names[h[k].argmax()], f"{100 * h[k].max():.1f} %",
    ]


def test_a_model_without_a_history_has_no_curves(tmp_path: Any, digits: Digits) -> None:
    net, X, y = digits
    net.save(tmp_path / "net.npz")
    page = Page(fastmlp.plotting.page(fastmlp.load(tmp_path / "net.npz"), X, y))
    assert not {"Training", "Times", "Epochs", "Configuration"} & set(page.texts)
    assert "Confusion matrix" in page.texts


def test_an_ensemble_has_the_epochs_of_each_network(
    ensemble: fastmlp.Ensemble, classes: Given
) -> None:
    page = Page(fastmlp.plotting.page(ensemble, *classes))
    assert {"network 1", "6-8-8-3", "Epochs of network 2"} <= set(page.texts)
    assert f"{ensemble.networks[1].history.cost[2]:.6g}" in page.texts
    assert "Of the first of 2 networks." in page.texts


def test_regression_has_rmse_and_r2_beside_its_cost(curve: Given) -> None:
    net = fastmlp.MLP((2, 8, 1), loss="squared_error")
    X, y = curve
    net.fit(X, y, epochs=2)
    page = Page(fastmlp.plotting.page(net, X, y, row_numbers=range(100, 250)))
    error = net.predict(X) - y
    figures = table(page)
    assert figures["cost J (squared_error)"] == f"{net.cost(X, y):.4g}"
    assert figures["RMSE"] == f"{np.sqrt(np.mean(error**2)):.4g}"
    assert figures["R²"] == f"{1 - np.sum(error**2) / np.sum((y - y.mean()) ** 2):.4f}"
    assert "Predicted against actual values" in page.texts
    assert not {"Confusion matrix", "Mistakes", "Calibration"} & set(page.texts)
    k = int(np.argmax(np.abs(error)))
    at = page.texts.index("difference") + 1
    assert page.texts[at : at + 2] == [str(100 + k), f"{y[k]:.6g}"]


def test_several_targets_have_a_table_of_scores(curve: Given) -> None:
    X, y = curve
    page = Page(fastmlp.plotting.page(
        fastmlp.MLP((2, 8, 2), loss="squared_error"), X, np.column_stack([y, -y])
    ))
    assert {"mean R²", "Scores of the targets", "target 2"} <= set(page.texts)


def test_several_labels_have_their_accuracy(classes: Given) -> None:
    X, y = classes
    labels = np.column_stack([y == 0, y == 1])
    net = fastmlp.MLP((6, 8, 2), loss="binary_cross_entropy")
    page = Page(fastmlp.plotting.page(net, X, labels))
    figures = table(page)
    accuracy = 100 * np.mean(net.predict(X) == labels)
    assert figures["accuracy of all labels"] == f"{accuracy:.2f} %"
    assert "Confusion matrix" not in page.texts


def test_a_custom_loss_with_other_targets_has_a_page(curve: Given) -> None:
    X, y = curve
    net = fastmlp.MLP((2, 1), loss=(lambda h, y: (h[:, 0] - y[:, 0]) ** 2 / y[:, 1],
                                    lambda h, y: 2 * (h - y[:, :1]) / y[:, 1:]))
    page = Page(fastmlp.plotting.page(net, X, np.column_stack([y, np.ones(150)])))
    assert "RMSE" not in page.texts and "Weights" in page.texts


def test_the_row_numbers_of_the_user_s_file_are_shown(
    named: Page, trained: fastmlp.MLP, classes: Given
) -> None:
    X, y = classes
    h = trained.predict_proba(X)
    wrong = np.flatnonzero(h.argmax(axis=1) != y)
    k = wrong[np.argmax(h[wrong].max(axis=1))]
    assert named.texts[named.texts.index("probability") + 1] == f"line {k + 2}"
    with pytest.raises(ValueError, match="row_numbers has 2 entries for 230 examples"):
        fastmlp.plotting.page(trained, X, y, row_numbers=[1, 2])


def test_weights_have_the_names_of_their_columns(named: Page) -> None:
    assert {f"column <{k}>" for k in range(6)} <= set(named.texts)
    assert named.texts.count("column <0>") == 1


def test_many_classes_have_a_table_of_confusions(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(200, 3)), rng.integers(0, 40, 200)
    net = fastmlp.MLP((3, 40))
    page = Page(fastmlp.plotting.page(net, X, y))
    predicted = net.predict(X)
    pairs = Counter((i, j) for i, j in zip(y, predicted, strict=True) if i != j)
    at = page.texts.index("times") + 1
    true, other, count = map(int, page.texts[at : at + 3])
    assert pairs[true, other] == count == max(pairs.values())


def test_a_learning_rate_that_does_not_vary_has_no_column(page: Page) -> None:
    assert page.texts[-5 * 3 - 5 :][:5] == [
        "epoch", "cost", "validation cost", "validation accuracy", "seconds",
    ]


def test_the_network_s_own_columns_and_what_ended_its_training_early_are_stated(
    net: fastmlp.MLP, classes: Given
) -> None:
    net.fit(*classes, epochs=5, cost_below=100.0)
    net.metadata["columns"] = [f"column <{k}>" for k in range(6)]
    texts = Page(fastmlp.plotting.page(net, *classes)).texts
    assert "Ended early by cost_below." in texts
    assert "column <5>" in texts


def test_sparse_examples_have_a_page(named: Page, trained: fastmlp.MLP, classes: Given) -> None:
    X, y = classes
    assert f"{np.sum(trained.predict(X) != y)} of 230" in named.texts


def test_the_user_s_settings_stay(
    written: str, trained: fastmlp.MLP, classes: Given, n_figures: Callable[[], int]
) -> None:
    """And change nothing of the page."""
    import matplotlib

    own = {"font.size": 30.0, "axes.facecolor": "red", "lines.linewidth": 7.0}
    with matplotlib.rc_context(own):
        before = dict(matplotlib.rcParams)
        text = fastmlp.plotting.page(trained, *classes, **GIVEN)
        assert dict(matplotlib.rcParams) == before
    assert text == written
    assert n_figures() == 0


def test_a_page_is_of_networks(estimator: Any, classes: Given) -> None:
    with pytest.raises(TypeError, match="model must be an MLP or an Ensemble, got <"):
        fastmlp.plotting.page(estimator, *classes)


def test_without_matplotlib_the_extra_is_named(
    trained: fastmlp.MLP, classes: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, module, None)
    for draw in (fastmlp.plotting.confusion, fastmlp.plotting.page):
        with pytest.raises(ImportError, match=r'pip install "fastmlp\[plot\]"'):
            draw(trained, *classes)
