"""The page to draw on in a headless Chromium, and hands that draw MNIST's digits on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import datasets, recipes
from fastmlp.export import to_html

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
Point = tuple[int, int]  # row, column
INK = 0.4  # what is at least so dark is a line's


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser that notes each request and each message of a page."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no Chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.add_argument("--headless=new")
    options.add_argument("--disable-dev-shm-usage")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which root may not use
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    found.set_script_timeout(120)
    yield found
    found.quit()


@pytest.fixture(scope="session")
def net(mnist_folder: Path) -> fastmlp.MLP:
    """The network of the recipe `quick`, trained for a third of its epochs."""
    recipe = recipes.read("quick")
    recipe = replace(recipe, settings=replace(recipe.settings, epochs=4))
    X, y, *_ = datasets.mnist(mnist_folder)
    return recipes.train(recipe, X, y, n_threads=1)[0]  # the other is the browser's


@pytest.fixture(scope="session")
def page(net: fastmlp.MLP, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of its page."""
    path = tmp_path_factory.mktemp("draw") / "page.html"
    to_html(net, path)
    return path.as_uri()


@pytest.fixture
def tab(browser: Any, page: str) -> Iterator[Any]:
    """The browser with the page just opened, 1200 px wide and in the light."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    show(browser, 1200, 1000, "light")
    browser.get(page)
    yield browser
    assert browser.get_log("browser") == []  # neither errors nor warnings


def show(browser: Any, width: int, height: int, scheme: str, **media: str) -> None:
    """Set the window's size and what the user prefers."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    features = [
        {"name": f"prefers-{name.replace('_', '-')}", "value": value}
        for name, value in {"color_scheme": scheme, **media}.items()
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.fixture(name="show")
def show_fixture(browser: Any) -> Callable[..., None]:
    """Sets width, height and preferences."""
    return lambda *arguments, **media: show(browser, *arguments, **media)


@pytest.fixture
def strokes_of() -> Callable[[NDArray[Any]], list[list[Point]]]:
    """Strokes of a pen that write an image (28, 28) from 0 to 1."""
    return strokes


# ------------------------------------------------------------------- from images to strokes


def strokes(image: NDArray[Any]) -> list[list[Point]]:
    """Return lines through the middle of the ink of an image (28, 28) from 0 to 1."""
    left = {(int(y), int(x)) for y, x in np.argwhere(thinned(image >= INK))}
    found = []
    while left:
        ends = [point for point in left if len(neighbours(point, left)) == 1]
        line = walk(min(ends or left), left)
        found.append(line)
    return found


def walk(start: Point, left: set[Point]) -> list[Point]:
    """Follow a line to its end, straight on at crossings, and take it out of what is left.

    It ends on the pixel of an earlier stroke or of its own beginning if it meets one.
    """
    everything = set(left)
    left.discard(start)
    line = [start]
    while near := neighbours(line[-1], left):
        here = np.subtract(line[-1], line[max(0, len(line) - 4)])
        step = max(near, key=lambda point: float(np.dot(np.subtract(point, line[-1]), here)))
        left.discard(step)
        line.append(step)
    closing = [one for one in neighbours(line[-1], everything) if one not in line[-3:]]
    return line + closing[:1]


def neighbours(point: Point, among: set[Point]) -> list[Point]:
    """Return the points of a set beside one, those that share an edge first."""
    y, x = point
    around = [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1)]
    return [(y + dy, x + dx) for dy, dx in around if (y + dy, x + dx) in among]


def thinned(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ink peeled to lines one pixel wide (Zhang and Suen 1984)."""
    ink = np.pad(ink, 1)
    while True:
        before = ink.copy()
        for first in (True, False):
            around = [
                np.roll(ink, (dy, dx), (0, 1))  # p2 … p9: from above, clockwise
                for dy, dx in [
                    (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)
                ]
            ]
            p2, _, p4, _, p6, _, p8, _ = around
            count = np.sum(around, axis=0)
            turns = sum(~a & b for a, b in zip(around, around[1:] + around[:1], strict=True))
            edge = ~(p2 & p4 & p6) & ~(p4 & p6 & p8) if first else ~(p2 & p4 & p8) & ~(p2 & p6 & p8)
            ink = ink & ~((2 <= count) & (count <= 6) & (turns == 1) & edge)
        if np.array_equal(ink, before):
            return ink[1:-1, 1:-1]
