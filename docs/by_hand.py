"""One step of training by hand: compute every number of by_hand.md and draw by_hand.svg.

The network is 2-2-1 with the sigmoid and the squared error of Tao Hu, "A technical report about
Deep Learning". The numbers are computed here with Python's floats, a formula for each, by the
report's indices: W[l, i, j] connects neuron j of layer l to neuron i of layer l+1.

    python docs/by_hand.py

writes both files again, by_hand.md from the template below. tests/test_by_hand.py compares them
with what this script computes, and the numbers with those of fastmlp.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

HERE = Path(__file__).parent
X = {1: (1.0, 0.5), 2: (-1.0, 2.0)}  # the examples
Y = {1: 1.0, 2: 0.0}
W = {
    (1, 1, 1): 0.4, (1, 1, 2): -0.6,
    (1, 2, 1): 0.9, (1, 2, 2): 0.2,
    (2, 1, 1): 0.7, (2, 1, 2): -0.5,
}
B = {(1, 1): 0.1, (1, 2): -0.3, (2, 1): 0.2}
LAM, ALPHA = 0.1, 0.5

Parameters = dict[tuple[int, ...], float]


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def forward(k: int, w: Parameters, b: Parameters) -> dict[str, float]:
    """Step 1 for example k: z and a of every neuron, named z21 for layer 2, neuron 1."""
    n = {"a11": X[k][0], "a12": X[k][1]}
    for l, i in b:
        n[f"z{l + 1}{i}"] = w[l, i, 1] * n[f"a{l}1"] + w[l, i, 2] * n[f"a{l}2"] + b[l, i]
        n[f"a{l + 1}{i}"] = sigmoid(n[f"z{l + 1}{i}"])
    return n


def backward(k: int, n: dict[str, float]) -> dict[str, float]:
    """Steps 2 to 4 for example k: f', δ of every neuron, and the gradient of its own cost."""
    for name in ("21", "22", "31"):
        n[f"f{name}"] = n[f"a{name}"] * (1 - n[f"a{name}"])
    n["d31"] = -(Y[k] - n["a31"]) * n["f31"]
    for i in (1, 2):
        n[f"d2{i}"] = W[2, 1, i] * n["d31"] * n[f"f2{i}"]
    for l, i, j in W:
        n[f"gW{l}{i}{j}"] = n[f"d{l + 1}{i}"] * n[f"a{l}{j}"]
    for l, i in B:
        n[f"gb{l}{i}"] = n[f"d{l + 1}{i}"]
    return n


def cost(w: Parameters, b: Parameters) -> float:
    """J(W,b) = 1/m Σ ½(y − h)² + λ/2 Σ W²."""
    errors = [(Y[k] - forward(k, w, b)["a31"]) ** 2 / 2 for k in X]
    return sum(errors) / len(X) + LAM / 2 * sum(value**2 for value in w.values())


def numbers() -> dict[str, float]:
    """Return every number of the page by its name in the template.

    Names of numbers of an example end with _1 or _2, those of the batch with _m, and those of the
    updated network with _new.
    """
    found: dict[str, float] = {}
    for k in X:
        own = backward(k, forward(k, W, B))
        found |= {f"{name}_{k}": value for name, value in own.items()}
        found[f"J_{k}"] = (Y[k] - own["a31"]) ** 2 / 2
    new_w, new_b = {}, {}
    for index, value in W.items():
        name = "W" + "".join(map(str, index))
        mean = (found[f"g{name}_1"] + found[f"g{name}_2"]) / len(X)
        found |= {f"mean{name}": mean, f"{name}_m": mean + LAM * value, name: value}
        new_w[index] = found[f"{name}_new"] = value - ALPHA * found[f"{name}_m"]
    for index, value in B.items():
        name = "b" + "".join(map(str, index))
        mean = (found[f"g{name}_1"] + found[f"g{name}_2"]) / len(X)
        found |= {f"{name}_m": mean, name: value}
        new_b[index] = found[f"{name}_new"] = value - ALPHA * mean
    found["squares"] = sum(value**2 for value in W.values())
    found["penalty"] = LAM / 2 * found["squares"]
    found["error_m"] = (found["J_1"] + found["J_2"]) / len(X)
    found["J"], found["J_new"] = cost(W, B), cost(new_w, new_b)
    found["change"] = found["J_new"] - found["J"]
    found["norm"] = sum(value**2 for name, value in found.items()
                        if re.fullmatch(r"(W\d{3}|b\d{2})_m", name))
    found["predicted"] = -ALPHA * found["norm"]
    h = 1e-3
    around = [cost(W | {(1, 2, 1): W[1, 2, 1] + shift}, B) for shift in (h, -h)]
    found["above"], found["below"] = around
    found["difference"] = (around[0] - around[1]) / (2 * h)
    return found


def shown(value: float, digits: int = 6) -> str:
    """Return a number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def output() -> str:
    """Return what the program on the page prints: a line for each array, of six digits each."""
    found = numbers()
    names = {f"{symbol}({l})": [f"{key}{l}{i}_{k}" for k in X for i in (1, 2)[: 4 - l]]
             for symbol, key in (("z", "z"), ("a", "a"), ("δ", "d")) for l in (2, 3)}
    for symbol, end in (("∂J/∂", "_m"), ("new ", "_new")):
        for l in (1, 2):
            names[f"{symbol}W({l})"] = [f"W{l}{i}{j}{end}" for k, i, j in W if k == l]
            names[f"{symbol}b({l})"] = [f"b{l}{i}{end}" for k, i in B if k == l]
    names |= {"J": ["J"], "new J": ["J_new"]}
    return "\n".join(
        f"{name:<9}" + "".join(f"{found[one]:10.6f}" for one in own) for name, own in names.items()
    )


def page() -> str:
    """Return by_hand.md: the template, with <<name>> replaced by the number of this name.

    <<name:4>> has four digits instead of six.
    """
    found = numbers()

    def value(match: re.Match[str]) -> str:
        return shown(found[match[1]], int(match[2] or 6))

    text = (HERE / "by_hand.template").read_text(encoding="utf-8")
    text = re.sub(r"<<(\w+)(?::(\d))?>>", value, text.replace("<<output>>", output()))
    formula = r"```math.*?```|\$[^$\n]+\$"  # TeX makes a minus sign of a hyphen
    return re.sub(formula, lambda one: one[0].replace("−", "-"), text, flags=re.DOTALL)


# ---------------------------------------------------------------------------------- the picture

PLACES = {  # centres of the neurons
    "11": (90, 130), "12": (90, 350), "21": (420, 130), "22": (420, 350), "31": (750, 240),
}
STYLE = """\
  <style>
    text { font: 14px system-ui, sans-serif; fill: #222; text-anchor: middle }
    .name { font-weight: bold }
    .forward { fill: #1b5e9e }
    .backward { fill: #b3400e }
    line { stroke: #999; stroke-width: 1.5 }
    rect { fill: #fff; stroke: #555 }
    .label { stroke: none }
  </style>"""


def lines(x: float, y: float, rows: list[tuple[str, str]]) -> list[str]:
    """Return lines of text, (class, text) each, centred on a point."""
    top = y - 9 * (len(rows) - 1) + 5
    return [
        f'  <text class="{kind}" x="{x:.0f}" y="{top + 18 * k:.0f}">{text}</text>'
        for k, (kind, text) in enumerate(rows)
    ]


def box(x: float, y: float, width: float, rows: list[tuple[str, str]], kind: str) -> list[str]:
    height = 18 * len(rows) + 8
    frame = (f'  <rect class="{kind}" x="{x - width / 2:.0f}" y="{y - height / 2:.0f}" '
             f'width="{width:.0f}" height="{height}" rx="8"/>')
    return [frame, *lines(x, y, rows)]


def svg() -> str:
    """Return the picture: example 1 with its z, a, δ, and its gradient at each connection."""
    n = {name: shown(value, 4) for name, value in numbers().items()}
    edges, labels, neurons = [], [], []
    for l, i, j in W:
        (x1, y1), (x2, y2) = PLACES[f"{l}{j}"], PLACES[f"{l + 1}{i}"]
        edges.append(f'  <line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
        t = 0.5 if l == 2 or i == j else 0.36
        labels += box(x1 + t * (x2 - x1), y1 + t * (y2 - y1), 132, [
            ("", f"W({l}){'₁₂'[i - 1]}{'₁₂'[j - 1]} = {shown(W[l, i, j], 1)}"),
            ("backward", f"∂J/∂W = {n[f'gW{l}{i}{j}_1']}"),
        ], "label")
    for place, (x, y) in PLACES.items():
        l, i = int(place[0]), int(place[1])
        name, kind = f"neuron {i} of layer {l}", "neuron"
        rows = [("name", name)]
        if l > 1:
            rows += [("", f"b = {shown(B[l - 1, i], 1)}"),
                     ("forward", f"z = {n[f'z{place}_1']}"),
                     ("forward", f"a = {n[f'a{place}_1']}"),
                     ("backward", f"δ = ∂J/∂b = {n[f'd{place}_1']}")]
        else:
            rows = [("name", f"input {i}"), ("forward", f"a = {shown(X[1][i - 1], 1)}")]
        neurons += box(x, y, 96 if l == 1 else 176, rows, kind)
    result = ("forward", f"J = {n['J_1']}")
    neurons += lines(
        750, 340, [("name", "cost of example 1"), ("", f"y = {shown(Y[1], 1)}"), result]
    )
    legend = lines(420, 36, [
        ("forward", "forward, left to right: z = W a + b, a = f(z)"),
        ("backward", "backward, right to left: δ = (Wᵀ δ) ∘ f′(z), ∂J/∂W = δ aᵀ"),
    ])
    title = "One example through the 2-2-1 network"
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 440" role="img" '
        'aria-labelledby="title">',
        f'  <title id="title">{title}: z, a, δ and gradients in numbers</title>',
        STYLE,
        '  <rect class="label" width="860" height="440"/>',
        *edges, *labels, *neurons, *legend,
        "</svg>", "",
    ])


def main() -> None:
    """Write the page and its picture."""
    (HERE / "by_hand.md").write_text(page(), encoding="utf-8")
    (HERE / "by_hand.svg").write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
