"""Recipes as files: their tables are checked, and errors name the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastmlp import AdamW, recipes
from fastmlp.augment import Distortion
from fastmlp.schedules import OneCycle

NAMES = ["ensemble", "fast", "plain", "quick", "record", "report-best", "strong"]


def test_the_recipes_that_come_with_the_package() -> None:
    assert recipes.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_is_named_like_its_file_and_reads_bytes_as_numbers_up_to_1(name: str) -> None:
    recipe = recipes.read(name)
    assert recipe.name == name
    assert len(recipe.description) <= 90
    assert recipe.settings.uint8_scale == 1 / 255


def test_the_settings_are_those_of_the_file() -> None:
    fast = recipes.read("fast")
    assert fast.settings.hidden == (512,)
    assert fast.settings.batch_size == 200
    assert fast.settings.optimizer == AdamW(OneCycle(0.006), beta_2=0.98)
    assert fast.settings.augment is None
    assert recipes.read("report-best").settings.hidden == (256, 256)
    assert recipes.read("plain").settings.augment is None
    assert recipes.read("record").settings.augment.elastic > 0
    assert recipes.read("record").ensemble_size == 1


def test_the_ensemble_is_one_of_networks_of_the_recipe_record() -> None:
    ensemble = recipes.read("ensemble")
    assert ensemble.ensemble_size == 3
    assert ensemble.settings == recipes.read("record").settings


def test_distortions_are_as_written(everything: recipes.Recipe) -> None:
    augment = Distortion(rotation=10, translation=0.5, gentle_classes=(1, 7))
    assert everything.settings.augment == augment


def test_a_recipe_can_be_any_toml_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\ndescription = "Mine."\n[network]\nhidden = [5]\n')
    assert recipes.read(file) == recipes.read(str(file))
    assert recipes.read(file).settings.hidden == (5,)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"netwrok": {}}, "unknown key 'netwrok'; did you mean 'network'"),
        ({"network": {"widths": [3]}}, "network: unknown key 'widths'. Known: hidden"),
        ({"network": {"drop_out": 0.1}}, "network: unknown key 'drop_out'; did you mean 'drop"),
        ({"network": {"epochs": 3}}, r"unknown key 'epochs'; it belongs in \[training\]"),
        ({"training": {"hidden": [3]}}, r"unknown key 'hidden'; it belongs in \[network\]"),
        ({"training": {"epochs": 0}}, "epochs must be at least 1, got 0"),
        ({"training": {"schedule": "one_cycel"}}, "did you mean 'one_cycle'"),
        ({"training": {"optimizer": {"name": "adamw", "beta2": 0.9}}}, "mean 'beta_2'"),
        ({"training": {"ema": 1.5}}, "ema must be in"),
        ({"network": {"hidden": [0]}}, r"hidden\[0\] must be at least 1"),
        ({"network": {"dropout": [0.1]}}, "dropout has 1 entries for 2 hidden layers"),
        ({"network": {"uint8_scale": 0}}, r"uint8_scale must be in \(0, inf\), got 0"),
        ({"augment": {"rotate": 3}}, "augment: unknown key 'rotate'; did you mean 'rotation'"),
        ({"augment": {"rotation": "a bit"}}, "augment: rotation must be a number"),
        ({"augment": {"gentle_classes": 1}}, "gentle_classes must be a list"),
        ({"ensemble": {"size": 1}}, "ensemble: size must be at least 2"),
        ({"ensemble": {}}, "ensemble: size must be a whole number, got None"),
        ({"ensemble": {"members": 3}}, "ensemble: unknown key 'members'. Known: size"),
        ({"network": None}, r"a recipe needs a table \[network\]"),
        ({"network": 7}, r"network must be a table, \[network\], got 7"),
        ({"name": None}, "name must be a text, got None"),
        ({"description": ""}, "description must be a text, got ''"),
    ],
)
def test_errors_in_a_recipe_name_table_and_key(
    changed: Callable[..., dict[str, Any]], tables: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        recipes.parse(changed(**tables))


def test_contents_in_place_of_a_name_are_to_be_parsed() -> None:
    with pytest.raises(TypeError, match=r"got a dict: pass parse\(recipe\)"):
        recipes.read({"network": {"hidden": [3]}})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="recipe must be text or an object such as Path, got 3"):
        recipes.read(3)  # type: ignore[arg-type]


def test_an_unknown_name_is_an_error_with_the_nearest_known_one() -> None:
    with pytest.raises(ValueError, match="unknown recipe 'strnog'; did you mean 'strong'"):
        recipes.read("strnog")


def test_errors_in_a_file_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("name = ")
    with pytest.raises(ValueError, match="mine.toml: not TOML"):
        recipes.read(file)
    file.write_text("nam = 1")
    with pytest.raises(ValueError, match="mine.toml: unknown key 'nam'; did you mean 'name'"):
        recipes.read(file)
