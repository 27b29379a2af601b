"""The playground in headless Chromium: its buttons, keys and widths, and its numbers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastmlp import playground, steps

fcntl = pytest.importorskip("fcntl")  # not on Windows

Tab = Callable[..., Any]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HELPERS = """
const nextFrame = () => new Promise((done) => requestAnimationFrame(done));
const until = async (isTrue) => { while (!isTrue()) await nextFrame(); };
const choose = (id, value) => {
  const input = element(id);
  if (input.type === "checkbox") input.checked = value; else input.value = value;
  input.dispatchEvent(new Event("change", {bubbles: true}));
};
const click = (action) => document.querySelector(`[data-action=${action}]`).click();
const press = (key) => (document.activeElement ?? document.body).dispatchEvent(
  new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
"""


class Chromium:
    """A headless Chromium that is told what to do through a pipe, without a driver."""

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, self.write = os.pipe()
        self.read, from_browser = os.pipe()

        def connect() -> None:  # Chromium reads from 3 and writes to 4
            high = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in (to_browser, from_browser)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        options = ["--headless=new", "--disable-dev-shm-usage", "--disable-gpu"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # which root may not use
        self.process = subprocess.Popen(
            [program, *options, "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            stderr=subprocess.DEVNULL, preexec_fn=connect, pass_fds=(3, 4),
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self.number = 0
        self.received = b""
        self.events: list[dict[str, Any]] = []
        self.session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the Chrome DevTools Protocol."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        session = {} if self.session is None else {"sessionId": self.session}
        os.write(self.write, json.dumps(message | session).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def receive(self) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self.received:
            part = os.read(self.read, 1 << 16)
            assert part, "Chromium has ended"
            self.received += part
        message, self.received = self.received.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, address: str, width: int, scheme: str) -> None:
        """Open a page, and wait until it is loaded."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.events.clear()
        loader = self.call("Page.navigate", url=address)["loaderId"]
        while not self.has_loaded(loader):
            self.events.append(self.receive())

    def has_loaded(self, loader: str) -> bool:
        """Whether the load event of this navigation has come, not that of an earlier page."""
        methods = [
            event["method"]
            for event in self.events
            if event["method"] == "Page.loadEventFired"
            or event.get("params", {}).get("frame", {}).get("loaderId") == loader
        ]
        return (
            "Page.frameNavigated" in methods
            and "Page.loadEventFired" in methods[methods.index("Page.frameNavigated") :]
        )

    def run(self, script: str) -> Any:
        """What a script, the body of an async function, returns."""
        body = f"{HELPERS} const found = await (async () => {{ {script} }})();"
        text = f"(async () => {{ {body} return JSON.stringify(found, plain); }})()"
        answer = self.call(
            "Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return json.loads(answer["result"]["value"])

    def close(self) -> None:
        """End the browser."""
        self.process.terminate()
        self.process.wait(30)
        os.close(self.write)
        os.close(self.read)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("there is no Chromium")
    found = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(playground.page(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def tab(chromium: Chromium, address: str) -> Iterator[Tab]:
    """Returns what a script returns in the page, which is opened anew for it."""
    events = []

    def run(script: str, width: int = 1200, scheme: str = "light") -> Any:
        chromium.open(address, width, scheme)
        found = chromium.run(script)
        events.extend(chromium.events)
        return found

    yield run
    logs = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [event for event in events if event["method"] in logs] == []
    requests = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    assert {one["params"]["request"]["url"] for one in requests} <= {address, "data:,"}


@pytest.mark.parametrize(
    ("name", "hidden", "activation", "loss", "last"),
    [
        ("moons", "4, 3", "tanh", "squared_error", "sigmoid"),
        ("digits", "12", "relu", "cross_entropy", "softmax"),
    ],
)
def test_its_buttons_do_the_seven_steps_of_fastmlp_steps(
    tab: Tab, name: str, hidden: str, activation: str, loss: str, last: str
) -> None:
    """After twenty updates by the loop in the docstring of fastmlp.steps."""
    first, batches, after, J, text = tab(f"""
        choose("set", "{name}"); choose("hidden", "{hidden}"); choose("activation", "{activation}");
        choose("loss", "{loss}"); choose("learning-rate", "0.3"); choose("lambda", "0.001");
        const first = state.trainer.network;
        const batches = [];
        for (let n = 0; n < 20; n++) {{
          for (let k = 0; k < 7; k++) click("step");
          batches.push([state.trainer.record.pass.a[0], state.trainer.record.Y]);
        }}
        press("3");
        return [first, batches, state.trainer.network, state.trainer.record.cost.total,
                element("tables").innerText];
    """)
    weights, biases = first["weights"], first["biases"]
    f = [activation] * (len(weights) - 1) + [last]
    for X, y in batches:
        z, a = steps.forward(X, weights, biases, f)
        expected_J = steps.cost(y, a[-1], z[-1], weights, loss, l2=0.001)
        delta_out = steps.output_delta(y, a[-1], z[-1], last, loss)
        deltas = steps.hidden_deltas(delta_out, weights, z, f)
        layers = zip(deltas, a[:-1], weights, strict=True)
        gradients = [steps.batch_gradients(*layer, l2=0.001) for layer in layers]
        parameters = zip(weights, biases, strict=True)
        weights, biases = zip(*steps.update(parameters, gradients, 0.3), strict=True)
    assert_allclose(J, expected_J, atol=1e-6)
    for found, expected in zip(after["weights"], weights, strict=True):
        assert_allclose(found, expected, atol=1e-6)
    shown = re.search(r"δ1\(2\)\s+(\S+)", text)
    assert shown is not None
    assert float(shown[1].replace("−", "-")) == pytest.approx(deltas[0][0, 0], abs=1e-4, rel=1e-2)


@pytest.mark.parametrize(("name", "accuracy"), [("moons", 0.95), ("circles", 0.95)])
def test_it_trains_until_it_is_paused_and_can_be_repeated(
    tab: Tab, name: str, accuracy: float
) -> None:
    found = tab(f"""
        choose("set", "{name}"); choose("speed", "100");
        click("toggle");
        const running = element("run").textContent;
        await until(() => state.trainer.updates >= 2000);
        click("toggle");
        const {{updates, network}} = state.trainer;
        await nextFrame();
        await nextFrame();
        const stopped = state.trainer.updates === updates;
        const shown = parseFloat(element("test-accuracy").textContent) / 100;
        click("restart");
        while (state.trainer.updates < updates) state.trainer.update();
        return {{running, stopped, shown, same:
          JSON.stringify(network) === JSON.stringify(state.trainer.network)}};
    """)
    assert found["shown"] >= accuracy
    del found["shown"]
    assert found == {"running": "Pause", "stopped": True, "same": True}


def test_it_is_used_by_keyboard(tab: Tab) -> None:
    shown = tab("""
        const shown = () => [state.trainer.updates, state.trainer.done, state.view.step,
                             state.view.layer, state.view.unit];
        const found = [];
        for (const key of ["s", "s", "1", "7", "u", "3", "0"]) { press(key); found.push(shown()); }
        diagram.units[0][0].focus();
        for (const key of ["ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp"]) {
          press(key);
          found.push(shown());
        }
        const stops = [...document.querySelectorAll(".unit")].filter((unit) => unit.tabIndex === 0);
        return [found, document.activeElement.getAttribute("aria-label"), stops.length];
    """)
    assert shown[0] == [
        [0, 1, 1, 0, 0],
        [0, 2, 2, 0, 0],
        [0, 2, 1, 0, 0],
        [0, 2, 1, 0, 0],  # step 7 is not done yet
        [1, 7, 7, 0, 0],
        [1, 7, 3, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 1],
        [0, 0, 0, 2, 1],
        [0, 0, 0, 2, 0],
        [0, 0, 0, 2, 0],
    ]
    assert shown[1:] == ["Unit 1 of layer 4", 1]


def test_keys_typed_into_a_field_are_text(tab: Tab) -> None:
    updates = tab("""
        element("hidden").focus();
        for (const key of ["s", "u", "r"]) press(key);
        await nextFrame();
        return [state.trainer.done, state.trainer.updates, state.isRunning];
    """)
    assert updates == [0, 0, False]


@pytest.mark.parametrize("text", ["4, 0", "17", "2.5", "x", "1 1 1 1 1"])
def test_wrong_hidden_layers_are_named_and_the_network_stays(tab: Tab, text: str) -> None:
    warning, sizes, healed = tab(f"""
        choose("hidden", "{text}");
        const warning = element("warning").textContent;
        const {{sizes}} = state.trainer.network;
        choose("hidden", "");
        return [warning, sizes, [element("warning").textContent, state.trainer.network.sizes]];
    """)
    assert "up to 4 whole numbers from 1 to 16" in warning
    assert sizes == [2, 4, 3, 2]
    assert healed == ["", [2, 2]]


@pytest.mark.parametrize("name", ["moons", "digits"])
def test_training_that_diverges_is_stopped_with_a_remedy(tab: Tab, name: str) -> None:
    warning, is_running, again = tab(f"""
        choose("set", "{name}"); choose("activation", "relu"); choose("loss", "cross_entropy");
        state.trainer.network.weights[0].forEach((row) => row.fill(1e308));
        click("toggle");
        await until(() => !state.isRunning || state.trainer.updates > 100);
        const found = [element("warning").textContent, state.isRunning];
        click("restart");
        return [...found, element("warning").textContent];
    """)
    assert "choose a smaller learning rate" in warning
    assert not is_running
    assert again == ""


def test_batch_norm_takes_at_least_two_examples(tab: Tab) -> None:
    size = tab("""
        choose("batch-size", "1"); choose("batch-norm", true); click("update");
        return [element("batch-size").value, state.trainer.record.rows.length];
    """)
    assert size == ["2", 2]


@pytest.mark.parametrize("width", [320, 360, 760, 1200, 1920])
def test_nothing_is_wider_than_the_screen(tab: Tab, width: int) -> None:
    script = """
        const found = [];
        for (const set of ["moons", "digits"]) {
          choose("set", set);
          choose("hidden", "16, 16, 16, 16");
          for (let k = 0; k < 7; k++) {
            click("step");
            found.push(document.documentElement.scrollWidth);
          }
        }
        return found;
    """
    assert max(tab(script, width)) <= width


def test_dark_mode_is_the_system_s(tab: Tab) -> None:
    script = "return getComputedStyle(document.body).backgroundColor;"
    light, dark = tab(script), tab(script, scheme="dark")
    assert np.mean([int(part) for part in re.findall(r"\d+", light)]) > 200
    assert np.mean([int(part) for part in re.findall(r"\d+", dark)]) < 60
