"""Studies: variants from factors, and mistakes found before anything runs."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from fastmlp.ablation import study as module
from fastmlp.ablation.study import parse, read

Given = dict[str, Any]
REPORT = Path(__file__).parents[2] / "docs" / "studies" / "report.toml"


def names(given: Given) -> list[str]:
    return [str(variant) for variant in parse(given).variants]


def test_one_factor_is_changed_at_a_time(given: Given) -> None:
    assert names(given) == ["base", "activation: sigmoid", "activation: tanh", "depth: two layers"]
    base, sigmoid, _, deep = (variant.settings for variant in parse(given).variants)
    assert (sigmoid.activation[0].name, sigmoid.hidden, sigmoid.epochs) == ("sigmoid", (8,), 2)
    assert (deep.activation[0].name, deep.hidden, deep.epochs) == ("relu", (8, 8), 3)
    assert (base.activation[0].name, base.hidden, base.epochs) == ("relu", (8,), 2)


def test_a_factorial_study_has_every_combination(given: Given) -> None:
    given["study"]["factorial"] = True
    assert names(given) == [
        "base",
        "depth: two layers",
        "activation: sigmoid",
        "activation + depth: sigmoid + two layers",
        "activation: tanh",
        "activation + depth: tanh + two layers",
    ]
    both = parse(given).variants[3].settings
    assert (both.activation[0].name, both.hidden) == ("sigmoid", (8, 8))


@pytest.mark.parametrize(("seeds", "expected"), [(2, (0, 1)), ([7, 3], (7, 3))])
def test_seeds_are_a_number_or_a_list(given: Given, seeds: object, expected: object) -> None:
    given["study"]["seeds"] = seeds
    assert parse(given).seeds == expected


def test_a_study_may_leave_out_what_has_a_default() -> None:
    given = {"base": {"hidden": [8]}, "factors": {"dropout": [0.5]}}
    assert (parse(given).name, parse(given).title) == ("", "Ablation study")
    study = parse(given, "short.toml")
    assert (study.title, study.data, study.validation_images) == ("short.toml", "mnist", 0)
    assert study.seeds == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(("path", "value", "message"), [
    ("bsae", {}, "unknown key 'bsae'; did you mean 'base'?"),
    ("base", {}, "a study needs a table [base]"),
    ("base", 3, "base must be a table, [base], got 3"),
    ("factors", {}, "a study needs a table [factors]"),
    ("study", 3, "study must be a table, [study], got 3"),
    ("study.sedes", 3, "study: unknown key 'sedes'; did you mean 'seeds'?"),
    ("study.title", 3, "study: title must be a text, got 3"),
    ("study.data", "mnits", "study: unknown data 'mnits'; did you mean 'mnist'?"),
    ("study.data", 3, "study: data must be one of 'mnist', 'digits'; got 3"),
    ("study.metric", "rmse", "study: metric is for a table; give label, a column, too"),
    ("study.label", "y", "study: validation_images is for images, and label for a table"),
    ("study.validation_images", -1, "study: validation_images must be at least 0, got -1"),
    ("study.seeds", 0, "study: seeds must be at least 1, got 0"),
    ("study.seeds", 10**12, "study: seeds = 1,000,000,000,000 are too many, at most 100,000; for"),
    ("study.seeds", [1, 1], "study: seeds must be a number, or different seeds in a list"),
    ("study.seeds", [-1], "study: seeds[0] must be at least 0, got -1"),
    ("study.factorial", "no", "study: factorial must be True or False, got 'no'"),
    ("base.hiden", [8], "base: unknown key 'hiden'; did you mean 'hidden'?"),
    ("base.hidden", [0], "base: hidden[0] must be at least 1, got 0"),
    ("base.activation", "rleu", "base: unknown activation 'rleu'; did you mean 'relu'?"),
    ("factors.droput", [0.5], "factors: unknown key 'droput'; did you mean 'dropout'?"),
    ("factors.dropout", 0.5, "factors.dropout must be a list of values to try, got 0.5"),
    ("factors.dropout", [], "factors.dropout is empty"),
    ("factors.dropout", [0.5, 0.5], "factors.dropout has 0.5 twice"),
    ("factors.dropout", [0.5, 1.5], "factors.dropout, 1.5: dropout must be in [0, 1), got 1.5"),
    ("factors.hidden", [[8], ["abc"]], "factors.hidden, abc: hidden[0] must be a whole number"),
    ("factors.optimizer", {"name": "adam"}, "factors.optimizer: 'name' must be a table of keys"),
    ("factors.depth", {"x": {"hiden": [3]}}, "factors.depth, x: unknown key 'hiden'; did you"),
    ("factors.depth", {"x": {"dropout": [0.1, 0.1]}}, "factors.depth, x: dropout has 2 entries"),
])
def test_an_error_names_the_place_in_the_study(
    given: Given, path: str, value: object, message: str
) -> None:
    table, _, key = path.rpartition(".")
    (given[table] if table else given)[key] = value
    with pytest.raises(ValueError) as caught:
        parse(given)
    assert message in str(caught.value)


def test_two_factors_of_a_factorial_study_set_different_keys(given: Given) -> None:
    given["study"]["factorial"] = True
    given["factors"]["epochs"] = [5]
    with pytest.raises(ValueError, match="depth and epochs both set epochs"):
        parse(given)


def test_a_factorial_study_of_too_many_variants_is_refused(given: Given) -> None:
    given["study"]["factorial"] = True
    given["factors"] = {
        "dropout": [i / 100 for i in range(1, 100)],
        "batch_size": list(range(1, 120)),
    }
    with pytest.raises(ValueError, match="makes 12,000 variants; at most 10,000"):
        parse(given)


def test_errors_in_a_file_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text("[base]\nhidden = [8, 0]\n[factors]\ndropout = [0.5]\n")
    with pytest.raises(ValueError, match=r"study\.toml: base: hidden\[1\] must be at least 1"):
        read(path)
    path.write_text("[base\n")
    with pytest.raises(ValueError, match=r"study\.toml: not TOML: .*line 1"):
        read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"study\.toml: not TOML"):
        read(path)


def test_the_docstring_s_examples_are_studies() -> None:
    indented = textwrap.dedent("\n".join(re.findall(r"^    .*|^$", module.__doc__, re.MULTILINE)))
    first, images, table = indented.split("[study]")
    assert not first.strip()
    assert len(parse(tomllib.loads("[study]" + images)).variants) == 5
    study = parse(tomllib.loads("[study]" + table))
    assert study.data == "houses.csv"
    assert study.table == {
        "label": "price", "metric": "mae", "task": "regression", "drop": ["id"], "group": "town",
        "time": None,
    }  # fmt: skip


@pytest.mark.parametrize(("data", "scale"), [("mnist", 1 / 255), ("digits", 1.0)])
def test_bytes_of_images_are_numbers_up_to_1_unless_the_base_says_otherwise(
    given: Given, data: str, scale: float
) -> None:
    given["study"]["data"] = data
    assert {variant.settings.uint8_scale for variant in parse(given).variants} == {scale}
    given["base"]["uint8_scale"] = 0.5
    assert {variant.settings.uint8_scale for variant in parse(given).variants} == {0.5}


def test_the_report_s_study_is_of_the_report_s_network() -> None:
    study = read(REPORT)
    assert (study.data, study.validation_images, len(study.seeds)) == ("mnist", 5000, 5)
    base = study.variants[0].settings
    assert base.hidden == (256, 256)
    assert base.init == fastmlp.initializers.Normal(1.0)
    assert base.optimizer == fastmlp.Adam(0.001)
    assert (base.epochs, base.batch_size, base.l2) == (15, 100, 0.0)
    assert base.uint8_scale == 1 / 255
    factors = {variant.factor for variant in study.variants}
    assert factors >= {
        "activation", "init", "optimizer", "batch_norm", "dropout", "l2", "batch_size", "depth",
        "width", "lifted",
    }


@pytest.fixture
def of_table() -> Given:
    pytest.importorskip("pandas")
    return {
        "study": {"data": "t.csv", "label": "y", "seeds": 2},
        "base": {"quality": "fast", "hidden_layer_sizes": [8]},
        "factors": {"dropout": [0], "depth": {"two": {"hidden_layer_sizes": [8, 8]}}},
    }


def test_a_table_s_configurations_are_parameters_of_estimators(of_table: Given) -> None:
    base, dropout, depth = (variant.settings.to_json() for variant in parse(of_table).variants)
    assert base == {"quality": "fast", "hidden_layer_sizes": [8]}
    assert dropout == {**base, "dropout": 0.0}
    assert depth == {"quality": "fast", "hidden_layer_sizes": [8, 8]}


def test_a_study_of_images_has_larger_seeds_than_that_of_a_table(given: Given) -> None:
    given["study"]["seeds"] = [2**32]
    assert parse(given).seeds == (2**32,)


def test_a_table_s_study_without_factors_changes_the_parts_of_the_default() -> None:
    pytest.importorskip("pandas")
    from fastmlp.ablation.tables import FACTORS
    from fastmlp.tabular import TabularClassifier, TabularRegressor

    study = parse({"study": {"data": "t.csv", "label": "y"}})
    assert study.variants[0].settings.to_json() == {}
    assert [variant.factor for variant in study.variants[1:]] == [
        key for key, values in FACTORS.items() for _ in values
    ]
    for estimator in (TabularClassifier, TabularRegressor):
        assert set(FACTORS) <= set(estimator().get_params())


@pytest.mark.parametrize(("path", "value", "message"), [
    ("study.label", 3, "study: label must be the name of a column, a text, got 3; columns of"),
    ("study.data", 3, "study: data must be the name of a table's file, got 3"),
    ("study.task", "ranking", "study: unknown task 'ranking'"),
    ("study.seeds", [0, 2**32], "study: seeds[1] must be at most 4294967295, got 4294"),
    ("study.drop", "a", "study: drop must be a list of names of columns: write ['a']"),
    ("base.hidden", [8], "base: unknown key 'hidden'"),
    ("base.n_threads", 2, "base: unknown key 'n_threads'"),
    ("base.quality", "better", "base: unknown quality 'better'"),
    ("base.class_weight", "even", "base: unknown class_weight 'even'"),
    ("factors.epochs", [0], "factors.epochs, 0: epochs must be at least 1, got 0"),
    ("factors.droput", [0.5], "factors: unknown key 'droput'; did you mean 'dropout'?"),
    ("factors.depth", {"x": {"hidden": [3]}}, "factors.depth, x: unknown key 'hidden'"),
])
def test_an_error_in_a_table_s_study_names_its_place(
    of_table: Given, path: str, value: object, message: str
) -> None:
    table, _, key = path.rpartition(".")
    of_table[table][key] = value
    with pytest.raises(ValueError) as caught:
        parse(of_table)
    assert message in str(caught.value)
