"""fastmlp.export.to_html: what is in the page, and its scripts against the network itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import activations, datasets
from fastmlp.export import html, to_html

Array = NDArray[Any]
TITLE = '</title><script>alert("1 & 2")</script>'
# Runs the page's scripts, then each of the expressions, in a place that knows `given`.
NODE = """
const vm = require("vm");
const {script, given, expressions} = JSON.parse(require("fs").readFileSync(0, "utf8"));
globalThis.given = given;
vm.runInThisContext(script);
console.log(JSON.stringify(expressions.map((one) => vm.runInThisContext(one)), (key, value) =>
  ArrayBuffer.isView(value) ? Array.from(value) : value));
"""


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Array]:
    """Images (1797, 784) of the UCI digits, each pixel as 3 × 3 with paper around, and labels."""
    X, y = datasets.digits()
    large = np.kron(X.reshape(-1, 8, 8), np.ones((3, 3)))
    return np.pad(large, [(0, 0), (2, 2), (2, 2)]).reshape(-1, 784).astype(np.float32), y


@pytest.fixture(scope="module")
def net(digits: tuple[Array, Array]) -> fastmlp.MLP:
    net = fastmlp.MLP((784, 64, 32, 10), batch_norm=True, uint8_scale=1 / 255)
    net.fit(*digits, epochs=5, batch_size=50)
    return net


@pytest.fixture
def page(net: fastmlp.MLP, tmp_path: Path) -> str:
    to_html(net, tmp_path / "page.html", title=TITLE)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def in_page(page: str) -> dict[str, Any]:
    """What the page says about the network."""
    text = re.search(r'<script type="application/json" id="network">(.*)</script>', page)[1]
    return json.loads(text)


def javascript(*expressions: str, **given: Any) -> list[Any]:
    """Values of JavaScript expressions over `given`, in the page's first three scripts."""
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    script = html._read(*html.SCRIPTS[:3])
    plain = {key: one.tolist() if isinstance(one, np.ndarray) else one
             for key, one in given.items()}
    out = subprocess.run(
        ["node", "-e", NODE],
        input=json.dumps({"script": script, "given": plain, "expressions": expressions}),
        capture_output=True, text=True, check=False,
    )
    assert out.stderr == ""
    return json.loads(out.stdout)


# ------------------------------------------------------------------------------------ the page


def test_the_page_needs_nothing_else(page: str) -> None:
    assert re.findall(r"(?:src|href)\s*=\s*[\"']?([^\"' >]+)", page) == ["data:,"]
    assert not re.search(r"https?:|//[a-z]+\.|url\(|@import|\bfetch\(|XMLHttpRequest", page)
    assert "default-src 'none'" in page


def test_a_title_is_text(page: str) -> None:
    escaped = "&lt;/title&gt;&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;"
    assert page.count(escaped) == 2  # the title and the heading
    assert "<script>alert" not in page
    assert page.count("<script") == page.count("</script>") == 2


def test_nothing_in_the_data_ends_its_script(
    net: fastmlp.MLP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "__version__", "1</script><script>alert(1)//")
    page = html.page(net, "$network & co")
    assert page.count("</script>") == 2
    assert "fastmlp 1</script><script>alert(1)//" in in_page(page)["about"]
    assert "<title>$network &amp; co</title>" in page


@pytest.mark.parametrize("name", [*html.SCRIPTS, *html.STYLES])
def test_no_script_or_style_ends_itself(name: str) -> None:
    assert "</" not in re.sub(r"</(?:b|span|figcaption|canvas)>", "", html._read(name))


@pytest.mark.parametrize("name", html.SCRIPTS)
def test_scripts_are_well_formed(name: str) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    subprocess.run(["node", "--check", html.FOLDER / name], check=True)


def test_every_file_of_the_folder_is_in_the_page() -> None:
    used = {"page.html", *html.SCRIPTS, *html.STYLES}
    assert {path.name for path in html.FOLDER.iterdir()} == used


def test_16_bits_keep_each_weight_to_half_a_step_of_its_row(rng: np.random.Generator) -> None:
    weight = rng.normal(size=(20, 30)).astype(np.float32) * np.logspace(-30, 30, 20)[:, np.newaxis]
    weight[7] = 0
    whole, scales = html.in_16_bits(weight)
    step = np.abs(weight).max(axis=1, keepdims=True) / 32767
    assert whole.dtype == np.int16
    assert np.all(np.abs(whole * scales[:, np.newaxis].astype(np.float64) - weight) <= 0.51 * step)


def test_a_row_too_small_for_a_scale_is_nothing() -> None:
    whole, scales = html.in_16_bits(np.full((1, 3), 1e-42, np.float32))
    assert np.isfinite(whole * scales[:, np.newaxis]).all()


def test_two_layers_of_512_make_less_than_two_megabytes(tmp_path: Path) -> None:
    to_html(fastmlp.MLP((784, 512, 512, 10)), tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < 2e6


def test_a_file_that_cannot_be_written_whole_is_left_as_it_was(
    net: fastmlp.MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        to_html(net, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (fastmlp.MLP((783, 10)), ValueError, r"784 inputs and 10 outputs, got sizes \(783, 10\)"),
        (fastmlp.MLP((784, 9)), ValueError, "784 inputs and 10 outputs"),
        (fastmlp.MLP((784, 10), loss="binary_cross_entropy"), ValueError, "'cross_entropy', got"),
        (
            fastmlp.MLP((784, 10), loss=fastmlp.losses.CrossEntropy((4, 6))),
            ValueError,
            r"ten digits.*got CrossEntropy\(groups=\(4, 6\)\)",
        ),
        (fastmlp.MLP((784, 10), loss="squared_error"), ValueError, "got 'squared_error'"),
        (fastmlp.Ensemble([fastmlp.MLP((784, 10))]), TypeError, "net must be an MLP, got Ensemble"),
        ("net.npz", TypeError, "net must be an MLP, got 'net.npz'"),
    ],
)
def test_other_networks_are_refused(
    given: Any, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        to_html(given, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_networks_too_large_are_refused(
    net: fastmlp.MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MAX_PARAMETERS", net.n_parameters - 1)
    with pytest.raises(ValueError, match="takes up to 5.,... parameters, got 5"):
        to_html(net, tmp_path / "page.html")


def test_a_title_must_be_a_text(net: fastmlp.MLP, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="title must be text, got 7"):
        to_html(net, tmp_path / "page.html", title=7)  # type: ignore[arg-type]


# ------------------------------------------------------------------- its scripts against NumPy


def test_probabilities_are_those_of_the_network(
    net: fastmlp.MLP, page: str, digits: tuple[Array, Array]
) -> None:
    X = digits[0][:200]
    found, = javascript(
        "(network = readNetwork(given.page),"
        " given.X.map((x) => forward(network, Float32Array.from(x)).a.at(-1)))",
        page=in_page(page), X=X,
    )
    np.testing.assert_allclose(found, net.forward(X), atol=1e-3, rtol=0)
    np.testing.assert_array_equal(np.argmax(found, axis=1), net.predict(X))


@pytest.mark.parametrize("name", [name for name in activations.TABLE if name != "softmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_and_gradients_are_those_of_the_network(
    name: str, dtype: str, rng: np.random.Generator
) -> None:
    """Of a network with the page's own 16-bit weights: nothing but rounding is left."""
    net = fastmlp.MLP((784, 30, 20, 10), activation=name, dtype=dtype, uint8_scale=1 / 100, seed=3)
    rounded = [
        whole * scales[:, np.newaxis] for whole, scales in map(html.in_16_bits, net.weights)
    ]
    net.set_parameters(rounded, [rng.normal(size=n).astype(np.float32) for n in net.sizes[1:]])
    image = rng.integers(0, 256, (1, 784), dtype=np.uint8)
    hidden, gradient = javascript(
        "(network = readNetwork(given.page), pass = forward(network, Float32Array.from(given.x)),"
        " pass.a)",
        "inputGradient(network, pass, 3, 8)",
        page=html.contents(net), x=image[0] / 255,
    )
    wider = 100 if name == "exponential" else 1  # z's absolute error is e^z's relative one
    for found, expected in zip(hidden, net.activations(image), strict=True):
        np.testing.assert_allclose(found, expected[0], rtol=2e-5 * wider, atol=2e-6)
    # z_3 − z_8 = cost of class 8 − cost of class 3, and ∂x/∂ink = 255 · uint8_scale
    by_x = net.gradients(image, [8], wrt="input") - net.gradients(image, [3], wrt="input")
    np.testing.assert_allclose(gradient, 2.55 * by_x[0], rtol=1e-4 * wider, atol=1e-5)


@pytest.mark.parametrize("ink", [1.0, 2.5])
def test_a_network_without_hidden_layers_is_a_page_too(
    rng: np.random.Generator, ink: float
) -> None:
    net = fastmlp.MLP((784, 10), seed=1)
    x = rng.random((1, 784), np.float32)
    found, = javascript(
        "forward(readNetwork(given.page), Float32Array.from(given.x)).a.at(-1)",
        page=html.contents(net, ink), x=x[0],
    )
    np.testing.assert_allclose(found, net.forward(ink * x)[0], atol=1e-3)


def test_ink_is_that_of_bytes_by_default() -> None:
    assert html.contents(fastmlp.MLP((784, 10)))["inputScale"] == 255
    assert html.contents(fastmlp.MLP((784, 10), uint8_scale=0.5))["inputScale"] == 127.5


def test_a_changed_image_is_read_as_wanted_and_is_still_an_image(
    net: fastmlp.MLP, page: str, digits: tuple[Array, Array]
) -> None:
    X, y = digits[0][:40], digits[1][:40]
    found, = javascript(
        "(network = readNetwork(given.page), given.X.map((x, k) =>"
        " changeOfMind(network, Float32Array.from(x), (given.y[k] + 1) % 10)))",
        page=in_page(page), X=X, y=y,
    )
    changed = np.array([one["image"] for one in found], np.float32)
    np.testing.assert_array_equal(net.predict(changed), (y + 1) % 10)
    assert changed.min() >= 0 and changed.max() <= 1
    probabilities = net.predict_proba(changed)[np.arange(40), (y + 1) % 10]
    np.testing.assert_allclose([one["probability"] for one in found], probabilities, atol=2e-3)
    assert np.median(probabilities) < 0.7  # just so far, and not much farther


def test_where_nothing_can_be_changed_no_change_is_found() -> None:
    net = fastmlp.MLP((784, 10), init="zeros")
    net.set_parameters(net.weights, [np.arange(10.0)])
    found, = javascript(
        "changeOfMind(readNetwork(given.page), new Float32Array(784), 2)", page=html.contents(net)
    )
    assert found is None


# -------------------------------------------------------------------- the drawing as MNIST was


def centred(alpha: Array) -> tuple[Array, float]:
    """What the page makes of ink (height, width), 0 to 255: an image (28, 28) and a length."""
    height, width = alpha.shape
    found, = javascript(
        f"centred(Uint8Array.from(given.alpha), {width}, {height})", alpha=alpha.ravel()
    )
    return np.reshape(found["image"], (28, 28)), found["length"]


def test_no_ink_is_no_image() -> None:
    assert javascript("centred(new Uint8Array(100), 10, 10)") == [None]


def test_a_scaled_image_in_mnist_s_form_comes_back(rng: np.random.Generator) -> None:
    """A box of 20 × 14 with its centre of mass at pixel (14, 14), drawn 7 times as large."""
    ink = rng.integers(1, 256, (20, 14)).astype(np.uint8)
    mass = ink.sum()
    centre = [(ink.sum(1) @ np.arange(20)) / mass, (ink.sum(0) @ np.arange(14)) / mass]
    top, left = (round(14 - one) for one in centre)
    expected = np.zeros((28, 28))
    expected[top : top + 20, left : left + 14] = ink / 255
    drawing = np.zeros((200, 170), np.uint8)
    drawing[31:171, 45:143] = np.kron(ink, np.ones((7, 7)))
    found, length = centred(drawing)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert length == 140


@pytest.mark.parametrize("shape", [(70, 50), (33, 61), (7, 3), (1, 1), (90, 2), (2, 90)])
def test_ink_fits_the_box_in_proportion_and_loses_no_mass(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    height, width = shape
    drawing = np.zeros((100, 110), np.uint8)
    drawing[5 : 5 + height, 9 : 9 + width] = rng.integers(100, 256, shape)
    found, length = centred(drawing)
    scale = 20 / max(shape)
    assert length == max(shape)
    np.testing.assert_allclose(found.sum(), (drawing / 255).sum() * scale**2, rtol=1e-5)
    rows, columns = found.any(axis=1).nonzero()[0], found.any(axis=0).nonzero()[0]
    assert np.ptp(rows) + 1 == np.ceil(round(height * scale, 6))
    assert np.ptp(columns) + 1 == np.ceil(round(width * scale, 6))
    for mean in (found.sum(1) @ np.arange(28), found.sum(0) @ np.arange(28)):
        assert abs(mean / found.sum() - 14) <= 0.5 + 1e-5


def test_a_drawing_heavy_at_one_end_stays_in_the_picture() -> None:
    drawing = np.zeros((400, 60), np.uint8)
    drawing[:400, 29] = 40
    drawing[360:] = 255
    found, _ = centred(drawing)
    np.testing.assert_allclose(found.sum(), (drawing / 255).sum() / 20**2, rtol=1e-5)
    assert found[:, 1:].any(axis=1).nonzero()[0][0] == 0  # centred it would begin above the top
