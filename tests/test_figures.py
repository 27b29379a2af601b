"""The figures of docs/accuracy.md and docs/studies are those of the runs that are kept beside them.

What only a long training gives has its command on the page; these commands are parsed here.
"""

from __future__ import annotations

import csv
import math
import os
import re
import shlex
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import cli

DOCS = Path(__file__).parents[1] / "docs"
STUDIES = DOCS / "studies"
ACCURACY = DOCS / "accuracy.md"
PAGES = [ACCURACY, *sorted(STUDIES.glob("*.md"))]
# that the studies' scripts need
PACKAGES = {"accuracy": "matplotlib", "search": "optuna"}
TORCH = ("tables_edges", "tables_shared")
# 0.975 quantiles of Student's distribution by degrees of freedom, from the table of Student (1908)
# in the form of Abramowitz and Stegun (1964), 26.10
QUANTILES = {1: 12.706205, 4: 2.776445, 5: 2.570582}
NUMBER = r"[+−]?\d[\d,]*(?:\.\d+)?"

Values = list[float]


@pytest.fixture
def script(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """A script of docs/studies as a module."""

    def imported(name: str) -> Any:
        if name in TORCH:
            request.getfixturevalue("torch")
        if name in PACKAGES:
            pytest.importorskip(PACKAGES[name])
        spec = spec_from_file_location(f"{name}_study", STUDIES / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look
        monkeypatch.syspath_prepend(STUDIES)  # as `python docs/studies/name.py` has it
        before = process_state()
        spec.loader.exec_module(module)
        assert [name for name, value in process_state() if (name, value) not in before] == []
        return module

    return imported


def process_state() -> list[tuple[str, Any]]:
    """What no import of a script may change for the tests after it: names and values."""
    variables = (pair for pair in os.environ.items() if not pair[0].startswith("KMP_"))
    numbers = np.random.get_state()[1].tobytes()  # noqa: NPY002 (the state that all share)
    others = {"folder": os.getcwd(), "threads": fastmlp.get_num_threads(), "numbers": numbers}
    return [*variables, *others.items()]


def runs(study: str) -> list[dict[str, str]]:
    with (STUDIES / study / "runs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by(study: str, *keys: str) -> dict[tuple[str, ...], Values]:
    """Test accuracies by these columns, in the order of the seeds."""
    found: dict[tuple[str, ...], Values] = {}
    for row in sorted(runs(study), key=lambda row: int(row["seed"])):
        found.setdefault(tuple(row[key] for key in keys), []).append(float(row["accuracy"]))
    return found


def by_factor(study: str) -> dict[tuple[str, ...], Values]:
    return by(study, "factor", "value")


def words(page: Path) -> str:
    """The text of a page without line breaks."""
    return " ".join(page.read_text("utf-8").split())


def gain(values: Values, others: Values, digits: int = 2) -> str:
    """The mean difference in percentage points."""
    return signed(fmean(a - b for a, b in zip(values, others, strict=True)), digits)


def signed(value: float, digits: int = 2) -> str:
    return f"{100 * value:+.{digits}f}".replace("-", "−")


def interval(values: Values, others: Values) -> tuple[float, float]:
    """The 95 % confidence interval of the mean difference, seed by seed."""
    d = [a - b for a, b in zip(values, others, strict=True)]
    margin = QUANTILES[len(d) - 1] * stdev(d) / math.sqrt(len(d))
    return fmean(d) - margin, fmean(d) + margin


def difference(values: Values, others: Values) -> str:
    """The mean difference and its interval in percentage points."""
    low, high = interval(values, others)
    return f"{gain(values, others)} [{signed(low)}, {signed(high)}]"


def percent(value: float, digits: int = 2) -> str:
    return f"{100 * value:.{digits}f}"


def spread(values: Values) -> str:
    """Mean and standard deviation in percent."""
    return f"{percent(fmean(values))} ± {percent(stdev(values))}"


@pytest.mark.parametrize("study", ["costs", "fine_tuning", "search", "tables", "tables_kinds"])
def test_the_page_of_a_study_is_what_its_script_computes_from_its_runs(
    study: str, script: Callable[[str], Any]
) -> None:
    module = script(study)
    page = (STUDIES / f"{study}.md").read_text("utf-8")
    assert module.page(module.read(STUDIES / study / "runs.csv")) == page


def test_the_page_on_batch_norm_is_what_its_script_computes(
    script: Callable[[str], Any],
) -> None:
    module = script("batch_norm")
    runs = module.read(STUDIES)
    page = (STUDIES / "batch_norm.md").read_text("utf-8")
    assert module.page(runs) == page
    base, normalized = by_factor("report")["base", ""], by_factor("report")["batch_norm", "on"]
    assert f"{spread(base)} | {spread(normalized)} | {difference(normalized, base)} |" in page


def test_the_page_on_activations_is_what_its_script_computes(
    script: Callable[[str], Any],
) -> None:
    module = script("activations")
    folder = STUDIES / "activations"
    layers, correct = module.read(folder / "layers.csv"), module.accuracies(folder / "runs.csv")
    assert module.page(layers, correct) == (STUDIES / "activations.md").read_text("utf-8")


def test_the_first_layers_of_the_study_of_activations_are_computed_again(
    script: Callable[[str], Any],
) -> None:
    module = script("activations")
    study = module.studies.read(STUDIES / "activations.toml")
    data = module.Images.load("digits", 0)
    written = {
        (one.activation, one.init, one.rate, one.layer): one
        for one in module.read(STUDIES / "activations" / "layers.csv") if one.seed == 0
    }
    for *names, settings in module.combinations(study):
        net = settings.network(64, 10, 0)
        for l, (delta, n) in enumerate(
            module.inside(net, settings.activation, data.X, data.y), start=2
        ):
            own = written[*names, l]
            assert own.delta_first == pytest.approx(delta, rel=1e-4)
            assert own.inactive_first == n


@pytest.mark.parametrize("study", ["report", "strong"])
def test_the_table_of_an_ablation_has_the_figures_of_its_runs(study: str) -> None:
    text = (STUDIES / study / "table.md").read_text("utf-8")
    accuracies, base = by_factor(study), by_factor(study)["base", ""]
    for (factor, value), own in accuracies.items():
        same = [row for row in runs(study) if (row["factor"], row["value"]) == (factor, value)]
        change = "" if factor == "base" else difference(own, base)
        cost = fmean(float(row["cost"]) for row in same)
        seconds = fmean(float(row["seconds"]) for row in same)
        line = f"| {factor} | {value} | {spread(own)} | {change} | {cost:.4g} | {seconds:.1f} |"
        assert line in text
    assert len(re.findall(r"^\|.* ± ", text, re.MULTILINE)) == len(accuracies)
    seconds = sum(float(row["seconds"]) for row in runs(study))
    assert f"{len(runs(study))} runs by" in text and f": {seconds:,.0f} seconds of training" in text


def test_the_figures_of_the_study_of_the_report_are_those_of_its_runs() -> None:
    runs = by_factor("report")
    base = runs["base", ""]

    def change(factor: str, value: str) -> str:
        return gain(runs[factor, value], base, 1)

    def level(factor: str, value: str) -> str:
        return difference(runs[factor, value], base)

    lifted = [runs["lifted", f"He, AdamW one-cycle{more}"] for more in
              ("", ", batch norm", ", batch norm, smoothing")]
    poor = runs["lifted", "N(0, 1), AdamW one-cycle, batch norm, smoothing"]
    glorot = [runs["init", name] for name in ("he_normal", "glorot_normal", "glorot_uniform")]
    assert {percent(fmean(one), 1) for one in glorot} == {"97.9"}
    assert {gain(one, base, 1) for one in glorot} == {"+3.6"}
    singles = {key: fmean(one) for key, one in runs.items() if key[0] != "lifted"}
    assert sorted(singles, key=lambda key: -singles[key])[:3] == [
        ("init", "glorot_normal"), ("init", "glorot_uniform"), ("init", "he_normal")
    ]
    assert fmean(poor) < min(map(fmean, glorot))
    for row in (("l2", "1e-05"), ("l2", "0.0001"), ("l2", "0.001"), ("dropout", "0.2"),
                ("activation", "sigmoid"), ("activation", "leaky_relu"),
                ("depth", "1 hidden layer"), ("depth", "3 hidden layers")):
        low, high = interval(runs[row], base)
        assert low < 0 < high, row
    assert_all_figures(
        words(STUDIES / "README.md").split("## ")[1],
        [
            f"test accuracy of {spread(base)} %",
            "gives 97.9 % (+3.6 points)",
            f"removes the scale ({change('batch_norm', 'on')})",
            f"steps ({change('batch_size', '32')}), batches of 500 a fifth as many "
            f"({change('batch_size', '500')})",
            f"a little ({change('optimizer', 'RMSprop')})",
            f"512, gain {change('width', '512').removeprefix('+')} points",
            f"three quarters fewer, lose {change('width', '64').removeprefix('−')}.",
            f"one hidden layer ({level('depth', '1 hidden layer')})",
            f"three ({level('depth', '3 hidden layers')})",
            f"fail ({percent(fmean(runs['dropout', '0.5']), 0)} %)",
            f"sigmoid {level('activation', 'sigmoid')}",
            f"leaky ReLU {level('activation', 'leaky_relu')}",
            f"one-cycle schedule gives {spread(lifted[0])} %",
            f"batch norm gives {spread(lifted[1])} % ({difference(lifted[1], lifted[0])})",
            f"smoothing {spread(lifted[2])} % ({difference(lifted[2], lifted[1])})",
            f"give {spread(poor)} %: less than",
        ],
        # printed by the report, the title's sum, and settings of the network
        settings={"94.74", "98.7", "0.001", "0.2", "0.5"},
    )


def test_the_network_of_the_report_begins_as_the_page_says(mnist_folder: Path) -> None:
    images = fastmlp.datasets.mnist(mnist_folder)
    # every fifth image; images of two sources alternate, so that an even step would take one source
    X, y = images.X_train[5_000::5], images.y_train[5_000::5]
    activations, logits, costs = [], [], []
    for seed in range(5):
        init = fastmlp.initializers.Normal(1.0)
        net = fastmlp.MLP((784, 256, 256, 10), init=init, seed=seed, uint8_scale=1 / 255)
        a = net.activations(X)[-2]
        z = a @ net.weights[2].T + net.biases[2]
        activations.append(root_mean_square(a))
        logits.append(root_mean_square(z))
        costs.append(net.cost(X, y))
    text = words(STUDIES / "README.md")
    assert f"initial activations of about {round(fmean(activations), -1):.0f} in" in text
    for name, values in (("logits", logits), ("an initial cost", costs)):
        low, high = (round(end, -2) for end in (min(values), max(values)))
        assert f"{name} of {low:,.0f} to {high:,.0f}" in text


def root_mean_square(values: Any) -> float:
    return math.sqrt(np.mean(np.square(values, dtype=np.float64)))


def test_the_figures_of_fine_tuning_are_those_of_its_runs() -> None:
    runs = by("fine_tuning", "way", "examples")
    counts = ("10", "50", "100", "500")
    compared = [("head, then all", "from scratch"), ("head, then all", "all layers"),
                ("slow layers", "from scratch")]
    heads = [fmean(runs["head alone", n]) for n in counts[1:]]
    others = [fmean(runs[way, n]) for way, n in runs
              if n in counts[1:] and way not in ("head alone", "digits 0 to 4")]
    assert_all_figures(
        words(STUDIES / "README.md").split("## ")[2],
        [
            f"({percent(min(heads))} to {percent(max(heads))} % against {percent(min(others))} to "
            f"{percent(max(others))} % by",
            *(
                f"| {n} | " + " | ".join(difference(runs[a, n], runs[b, n]) for a, b in compared)
                for n in counts
            ),
        ],
        settings=set(),
    )
    for n in counts:
        mean = {way: fmean(values) for (way, k), values in runs.items() if k == n}
        assert max(mean, key=lambda way: mean[way]) == "head, then all"
        assert mean["slow layers"] < mean["from scratch"]
        lower = interval(runs["slow layers", n], runs["from scratch", n])[1] < 0
        assert lower == (n in ("100", "500"))


def assert_all_figures(text: str, fragments: list[str], settings: set[str]) -> None:
    """The text has each of these fragments, and no other decimals or percentages but settings."""
    for fragment in fragments:
        assert fragment in text
        text = text.replace(fragment, "")
    text = re.sub(r"`[^`]*`", "", text)
    assert set(re.findall(r"\d+\.\d+|\d+(?= %)", text)) <= settings


def test_the_accuracy_of_a_recipe_is_the_mean_of_its_seeds() -> None:
    recipes = (DOCS / "recipes.md").read_text("utf-8")
    rows = re.findall(
        rf"^\| `([\w-]+)` \|[^|]*\|[^|]*\| ((?:{NUMBER}(?:, )?)+) \|([^|]*)\|",
        ACCURACY.read_text("utf-8"), re.MULTILINE,
    )
    assert [name for name, *_ in rows] == [
        "fast", "quick", "report-best", "plain", "strong", "record", "ensemble"
    ]
    for name, by_seed, mean in rows:
        values = [float(one) / 100 for one in by_seed.split(", ")]
        assert mean.strip() == (spread(values) if len(values) > 1 else "")
        assert re.search(rf"^\| `{name}` \|[^|]*\| {mean.strip() or by_seed} \|", recipes, re.M)
    strong = re.search(r"reached ([\d., ]+) and ([\d.]+) %, ([\d.± ]+) %", words(ACCURACY))
    assert strong is not None
    assert spread([float(one) / 100 for one in (*strong[1].split(", "), strong[2])]) == strong[3]


def test_the_table_of_the_parts_of_a_recipe_is_that_of_the_study_strong() -> None:
    runs = by_factor("strong")
    base = runs.pop(("base", ""))
    text = words(ACCURACY)
    assert f"(base {percent(fmean(base))} %)" in text
    rows = re.findall(rf"\| ([^|]+) \| ({NUMBER}) \| (\[{NUMBER}, {NUMBER}\]) \|", text)
    assert sorted(f"{mean} {ends}" for _, mean, ends in rows) == sorted(
        difference(values, base) for values in runs.values()
    )
    named = {
        "distortions": ("distortions", "none"),
        "batch norm": ("batch_norm", "off"),
        "label smoothing": ("label_smoothing", "0"),
        "dropout": ("dropout", "0"),
        "weight decay": ("weight_decay", "none"),
    }
    for name, mean, ends in rows:
        if name in named:
            assert f"{mean} {ends}" == difference(runs[named[name]], base)
    effects = {key for key, values in runs.items() if np.prod(interval(values, base)) > 0}
    assert effects == {named[name] for name in ("distortions", "batch norm", "label smoothing")}


def test_the_first_trials_of_a_seed_are_the_same_for_all_samplers() -> None:
    measured = ("sampler", "seconds")
    first: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in runs("search"):
        if int(row["trial"]) < 10:
            equal = {key: value for key, value in row.items() if key not in measured}
            first.setdefault((row["seed"], row["trial"]), []).append(equal)
    for same in first.values():
        assert len(same) == 3 and same[0] == same[1] == same[2]


@pytest.mark.parametrize("sampler, name", [("tpe", "TPE"), ("gp", "Gaussian process")])
def test_the_difference_from_random_search_is_that_of_the_best_errors(
    sampler: str, name: str
) -> None:
    best: dict[str, dict[str, float]] = {}  # by sampler and seed
    for row in runs("search"):
        own = best.setdefault(row["sampler"], {})
        own[row["seed"]] = min(float(row["error"]), own.get(row["seed"], math.inf))
    ours, theirs = list(best[sampler].values()), list(best["random"].values())
    low, high = interval(ours, theirs)
    zero = ", an interval that contains zero" if low < 0 < high else ""
    lower = sum(a < b for a, b in zip(ours, theirs, strict=True))
    assert (
        f"{name} against random search after 40 trials: {difference(ours, theirs)}{zero}; "
        f"lower in {lower} of {len(ours)} repetitions"
    ) in words(STUDIES / "search.md")


def commands() -> list[list[str]]:
    """The commands of the pages, each once, with its words in capitals replaced."""
    examples = {"NAME": "fast", "S": "0", "CARD...": "a.card.json", "FILE.toml": "a.toml",
                "FILE": "a.npz", "FOLDER": "folder"}
    found = set()
    for page in PAGES:
        for code in re.findall(r"`([^`]+)`|^    (\S.*)$", page.read_text("utf-8"), re.MULTILINE):
            line = "".join(code)
            if re.match(r"fastmlp [a-z]|python docs/", line):
                found.add(line)
    return [[examples.get(word, word) for word in shlex.split(line)] for line in sorted(found)]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_commands_of_the_pages_exist(
    command: list[str], script: Callable[[str], Any]
) -> None:
    program, *arguments = command
    if program == "fastmlp":
        args = cli.build_parser().parse_args(arguments)
        if getattr(args, "recipe", None) not in (None, "a.toml"):
            assert args.recipe in fastmlp.recipes.names()
        return
    path, *options = arguments
    name = Path(path).stem
    assert path == f"docs/studies/{name}.py"
    script(name).parser().parse_args(options)
