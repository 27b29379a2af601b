"""The page to draw on, in a real browser: what it reads, and how it is to use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import datasets

from_selenium = pytest.importorskip("selenium.webdriver")
ActionChains, Keys, Wait = (
    from_selenium.ActionChains,
    from_selenium.Keys,
    pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait,
)

Strokes = Callable[[NDArray[Any]], list[list[tuple[int, int]]]]
Show = Callable[..., None]
COUNT = 200
SEEN = """
const shown = () => ({
  answer: document.getElementById("answer").textContent,
  says: document.getElementById("says").textContent,
  percents: [...document.querySelectorAll(".percent")].map((one) => one.textContent),
  best: [...document.querySelectorAll(".bars li")].findIndex((row) => row.matches(".best")),
});
const canvas = document.getElementById("drawing");
// After the page, which asked for the same frame before.
const nextFrame = () => new Promise((done) => requestAnimationFrame(done));
"""
# Each image as ink on the canvas at its place and size, then the event that a stroke ends with.
PAINT = f"""
{SEEN}
const [images, places, done] = arguments;
(async () => {{
  const found = [];
  const pen = canvas.getContext("2d");
  const small = new OffscreenCanvas(28, 28);
  for (const [k, [x, y, size]] of places.entries()) {{
    const ink = new ImageData(28, 28);
    images[k].forEach((one, at) => (ink.data[4 * at + 3] = one));
    small.getContext("2d").putImageData(ink, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, x, y, size, size);
    canvas.dispatchEvent(new Event("input"));
    await nextFrame();
    found.push(shown());
  }}
  done(found);
}})();
"""
# Each digit's strokes as pointer events on the canvas.
DRAW = f"""
{SEEN}
const [digits, places, done] = arguments;
const fire = (kind, x, y) => {{
  const box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent(kind, {{
    bubbles: true, cancelable: true, pointerId: 7, isPrimary: true, pointerType: "pen", button: 0,
    clientX: box.left + (x / canvas.width) * box.width,
    clientY: box.top + (y / canvas.height) * box.height,
  }}));
}};
(async () => {{
  const found = [];
  for (const [k, [x, y, size]] of places.entries()) {{
    document.getElementById("clear").click();
    for (const stroke of digits[k]) {{
      const points = stroke.map(([row, column]) =>
        [x + ((column + 0.5) * size) / 28, y + ((row + 0.5) * size) / 28]);
      fire("pointerdown", ...points[0]);
      points.forEach((point) => fire("pointermove", ...point));
      fire("pointerup", ...points.at(-1));
    }}
    await nextFrame();
    found.push(shown());
  }}
  done(found);
}})();
"""


@pytest.fixture(scope="module")
def images(mnist_folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Test images of MNIST (200, 784), uint8, and their labels."""
    *_, X, y = datasets.mnist(mnist_folder)
    return X[:COUNT], y[:COUNT]


@pytest.fixture
def places(rng: np.random.Generator) -> list[list[float]]:
    """Where on the canvas of 560 × 560 each image is, and how large: x, y, size."""
    size = rng.uniform(330, 560, COUNT)  # the digit itself is 20/28 of it
    return np.column_stack([*rng.uniform(0, 560 - size, (2, COUNT)), size]).tolist()


def in_one_stroke(tab: Any, *points: tuple[int, int]) -> None:
    """Draw with the mouse through points counted from the canvas's middle."""
    canvas = tab.find_element("id", "drawing")
    tab.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    hand = ActionChains(tab, duration=20).move_to_element_with_offset(canvas, *points[0])
    hand.click_and_hold()
    for (x, y), (from_x, from_y) in zip(points[1:], points[:-1], strict=True):
        hand.move_by_offset(x - from_x, y - from_y)
    hand.release().perform()


def text(tab: Any, name: str) -> str:
    """The text of an element, its spaces plain."""
    return tab.find_element("id", name).get_attribute("textContent").replace("\xa0", " ")


def wait_for(tab: Any, true: Callable[[], bool]) -> None:
    Wait(tab, 10, poll_frequency=0.02).until(lambda _: true())


def ink(tab: Any) -> int:
    """How many pixels of the canvas have ink."""
    return tab.execute_script("return pen.ink().filter((one) => one > 0).length")


# --------------------------------------------------------------------------------- what it reads


def test_it_reads_mnist_s_images_as_the_network_does(
    tab: Any, net: fastmlp.MLP, images: tuple[Any, Any], places: list[list[float]]
) -> None:
    X, y = images
    found = tab.execute_async_script(PAINT, X.tolist(), places)
    read = np.array([one["best"] for one in found])
    assert np.mean(read == y) >= 0.97
    assert np.mean(read == net.predict(X)) >= 0.98  # scaled up and down again


def test_an_answer_is_given_when_it_is_sure_and_only_then(
    tab: Any, images: tuple[Any, Any], places: list[list[float]]
) -> None:
    found = tab.execute_async_script(PAINT, images[0].tolist(), places)
    for one in found:
        percents = [float(p.replace("\xa0", " ").strip("<% ")) for p in one["percents"]]
        assert percents[one["best"]] == max(percents)
        assert abs(sum(percents) - 100) < 1.5
        if max(percents) > 80.05:
            assert one["answer"] == str(one["best"])
        elif max(percents) < 79.95:
            assert one["answer"] == "?"
            assert one["says"].startswith(f"Unsure: {one['best']} or ")
    assert {one["answer"] for one in found} == {"?", *map(str, range(10))}


def test_it_reads_what_a_pen_draws(
    tab: Any, images: tuple[Any, Any], places: list[list[float]], strokes_of: Strokes
) -> None:
    X, y = images
    digits = [strokes_of(x.reshape(28, 28) / 255) for x in X]
    found = tab.execute_async_script(DRAW, digits, places)
    assert np.mean(np.array([one["best"] for one in found]) == y) >= 0.95


def test_its_probabilities_are_those_of_the_network(tab: Any, net: fastmlp.MLP) -> None:
    in_one_stroke(tab, (0, -120), (-10, 0), (-15, 120))
    wait_for(tab, lambda: text(tab, "answer") == "1")
    image, found = tab.execute_script(
        "return [Array.from(state.reading.image), Array.from(state.reading.probabilities)]"
    )
    expected = net.predict_proba(np.array([image], np.float32))[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


# ------------------------------------------------------------------------------------ how to use it


def test_nothing_drawn_is_said(tab: Any) -> None:
    assert text(tab, "says") == "Nothing drawn yetDraw one digit, as large as you like."
    wait_for(tab, lambda: text(tab, "status").startswith("Nothing drawn yet."))
    assert tab.find_element("css selector", ".percent").text == "–"


def test_a_click_is_only_a_dot(tab: Any) -> None:
    in_one_stroke(tab, (30, 30))
    wait_for(tab, lambda: text(tab, "says").startswith("Only a dot so far"))
    assert text(tab, "answer") == "·"


@pytest.mark.parametrize("kind", ["mouse", "touch", "pen"])
def test_mouse_finger_and_pen_draw(tab: Any, kind: str) -> None:
    box = tab.find_element("id", "drawing").rect
    points = [(box["x"] + box["width"] / 2, box["y"] + box["height"] * at) for at in (0.2, 0.8)]
    tab.execute_script("window.kinds = new Set(); drawing.addEventListener('pointermove',"
                       " (event) => event.isTrusted && kinds.add(event.pointerType))")
    steps = ["touchStart", "touchMove", "touchEnd"] if kind == "touch" else [
        "mousePressed", "mouseMoved", "mouseReleased"
    ]
    for step, (x, y) in zip(steps, [points[0], points[1], points[1]], strict=True):
        if kind == "touch":
            fingers = [] if step == "touchEnd" else [{"x": x, "y": y}]
            tab.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": step, "touchPoints": fingers})
        else:
            tab.execute_cdp_cmd("Input.dispatchMouseEvent", {
                "type": step, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1,
                "pointerType": kind,
            })
    assert tab.execute_script("return [...kinds]") == [kind]
    wait_for(tab, lambda: text(tab, "answer") == "1")
    wait_for(tab, lambda: text(tab, "status").startswith("It is a 1. "))


def test_undo_takes_strokes_back_and_clear_all_of_them(tab: Any) -> None:
    amounts = [ink(tab)]
    for x in (-100, 0, 100):
        in_one_stroke(tab, (x, -80), (x, 80))
        amounts.append(ink(tab))
    assert amounts == sorted(set(amounts))
    tab.find_element("id", "undo").click()
    assert ink(tab) == amounts[2]
    tab.find_element("id", "clear").click()
    assert ink(tab) == 0
    wait_for(tab, lambda: text(tab, "says").startswith("Nothing drawn yet"))
    for expected in (amounts[2], amounts[1], 0, 0):  # clearing is undone too
        ActionChains(tab).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
        assert ink(tab) == expected


def test_the_keyboard_draws(tab: Any) -> None:
    canvas = tab.find_element("id", "drawing")
    ActionChains(tab).send_keys(Keys.TAB).perform()
    assert tab.switch_to.active_element == canvas
    ActionChains(tab).send_keys(*[Keys.ARROW_UP] * 8, Keys.SPACE).perform()
    wait_for(tab, lambda: text(tab, "status") == "Pen down.")
    ActionChains(tab).send_keys(*[Keys.ARROW_DOWN] * 17, Keys.SPACE).perform()
    wait_for(tab, lambda: text(tab, "answer") == "1")
    drawn = ink(tab)
    ActionChains(tab).send_keys(*[Keys.ARROW_LEFT] * 5).perform()  # lifted: it only moves
    assert ink(tab) == drawn
    ActionChains(tab).send_keys(Keys.DELETE).perform()
    assert ink(tab) == 0


def test_every_control_is_reached_by_the_keyboard(tab: Any) -> None:
    expected = ["drawing", "undo", "clear", "target", "unit", "follow"]
    found = []
    for _ in expected:
        ActionChains(tab).send_keys(Keys.TAB).perform()
        here = tab.switch_to.active_element
        found.append(here.get_attribute("id") or here.get_attribute("name"))
        assert here.get_attribute("aria-label") or here.accessible_name
    assert found == expected


def test_the_prediction_can_be_changed_to_any_digit(tab: Any) -> None:
    in_one_stroke(tab, (0, -120), (-10, 0), (-15, 120))
    wait_for(tab, lambda: "prediction from 1 into " in text(tab, "change-says"))
    before = tab.execute_script("return gradient.toDataURL()")
    tab.find_element("css selector", "#targets input:checked").send_keys(*[Keys.ARROW_RIGHT] * 9)
    assert "turns the prediction from 1 into 8" in text(tab, "change-says")
    assert tab.execute_script("return gradient.toDataURL()") != before
    read = "return ranking(forward(network, changeOfMind(network, state.reading.image, 8).image)"
    assert tab.execute_script(f"{read}.a.at(-1))[0]") == 8
    tab.find_element("css selector", "#targets input:checked").send_keys(*[Keys.ARROW_LEFT] * 7)
    assert text(tab, "change-says").startswith("The prediction is 1 already")


def test_the_most_active_unit_is_framed_until_another_is_chosen(tab: Any) -> None:
    in_one_stroke(tab, (0, -120), (-10, 0), (-15, 120))
    wait_for(tab, lambda: text(tab, "unit-says").endswith("the most active"))
    most = tab.execute_script("return state.reading.pass.a[0].indexOf(Math.max(...state.reading."
                              "pass.a[0])) + 1")
    assert text(tab, "unit-says").startswith(f"Unit {most} of 512: ")
    mosaic = tab.find_element("id", "mosaic")
    tab.execute_script("arguments[0].scrollIntoView({block: 'center'})", mosaic)
    mosaic.click()
    assert not tab.find_element("id", "follow").is_selected()
    chosen = text(tab, "unit-says").split(":")[0]
    tab.find_element("id", "unit").send_keys(Keys.ARROW_RIGHT)
    number = int(chosen.split()[1]) + 1
    assert text(tab, "unit-says").startswith(f"Unit {number} of 512: ")
    tab.find_element("id", "follow").send_keys(Keys.SPACE)
    assert text(tab, "unit-says").startswith(f"Unit {most} of 512: ")


# ------------------------------------------------------------------------------------ how it looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(tab: Any, show: Show, scheme: str) -> None:
    in_one_stroke(tab, (0, -120), (-15, 120))
    show(1200, 1000, scheme)
    style = "return getComputedStyle(document.body)"
    dark = scheme == "dark"
    rgb = json.loads(tab.execute_script(f"{style}.backgroundColor").replace("rgb(", "[")[:-1] + "]")
    assert (max(rgb) < 50) == dark
    # pictures on canvases follow: the darkest ink of what the network sees
    seen = ("const copy = document.createElement('canvas').getContext('2d');"
            "copy.drawImage(seen, 0, 0); const d = copy.getImageData(0, 0, 28, 28).data;"
            "return Math.max(...d.filter((v, k) => k % 4 === 0 && d[k + 3] === 255))")
    wait_for(tab, lambda: (tab.execute_script(seen) > 200) == dark)


@pytest.mark.parametrize("width", [320, 360, 768, 1920])
def test_nothing_is_wider_than_the_screen(tab: Any, show: Show, width: int) -> None:
    show(width, 740, "light")
    tab.refresh()
    in_one_stroke(tab, (0, -80), (-10, 80))
    wait_for(tab, lambda: text(tab, "answer") == "1")
    page = "document.documentElement"
    assert tab.execute_script(f"return {page}.scrollWidth - {page}.clientWidth") == 0
    assert tab.execute_script("return innerWidth") == width
    beyond = ("return [...document.querySelectorAll('main *:not(.bar)')].filter((one) =>"
              " one.getBoundingClientRect().right > innerWidth + 0.5).map((one) => one.outerHTML)")
    assert tab.execute_script(beyond) == []


def test_nothing_moves_for_those_who_want_it_still(tab: Any, show: Show) -> None:
    moving = ("return [...document.querySelectorAll('*')].filter((one) =>"
              " getComputedStyle(one).transitionDuration !== '0s').length")
    assert tab.execute_script(moving) > 0
    show(1200, 1000, "light", reduced_motion="reduce")
    assert tab.execute_script(moving) == 0


def test_the_page_asks_the_network_for_nothing(tab: Any, page: str) -> None:
    in_one_stroke(tab, (0, -120), (-15, 120))
    wait_for(tab, lambda: text(tab, "status").startswith("It is a 1"))
    messages = [json.loads(one["message"])["message"] for one in tab.get_log("performance")]
    asked = {
        one["params"]["request"]["url"]
        for one in messages if one["method"] == "Network.requestWillBeSent"
    }
    assert asked - {"data:,"} == {page}
