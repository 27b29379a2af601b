"""What is said of the package in more than one place is said the same."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fastmlp

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GROUPS = fastmlp.MLP((2, 5), loss=fastmlp.losses.CrossEntropy(groups=(2, 3)))
RECIPE = (ROOT / "conda" / "recipe.yaml").read_text("utf-8")


def test_the_conda_recipe_is_of_this_version() -> None:
    assert re.findall(r'^  version: "(.*)"$', RECIPE, re.MULTILINE) == [fastmlp.__version__]


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [fastmlp.__version__]


def test_the_conda_recipe_asks_for_what_the_project_asks_for() -> None:
    wanted = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
    for requirement in wanted:
        name, bound = re.fullmatch(r"(\w+)(>=[\d.]+)", requirement).groups()
        assert f"- {name.lower()} {bound}\n" in RECIPE


def test_wheels_are_built_for_every_python_that_is_named() -> None:
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    built = PROJECT["tool"]["cibuildwheel"]["build"].split()
    assert {f"cp{version.replace('.', '')}-*" for version in named} <= {*built}


@pytest.mark.parametrize(
    ("contents", "model"),
    [
        ("a network", fastmlp.MLP((2, 3))),
        ("an `Ensemble`", fastmlp.Ensemble([fastmlp.MLP((2, 3))])),
        ("a network or an `Ensemble` whose cross-entropy has groups", GROUPS),
        ("a network or an `Ensemble` whose cross-entropy has groups", fastmlp.Ensemble([GROUPS])),
    ],
)
def test_the_page_on_releases_names_the_format_of_each_file(
    contents: str, model: fastmlp.MLP | fastmlp.Ensemble, tmp_path: Path
) -> None:
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        number = json.loads(str(file["header"]))["format"]
    page = (ROOT / "docs" / "releases.md").read_text("utf-8")
    assert re.findall(rf"^\| {number} \| ([^|]*) \|", page, re.MULTILINE) == [contents]


def test_the_licenses_of_the_package_and_its_data_are_named_alike() -> None:
    project = PROJECT["project"]
    assert f"  license: {project['license']}\n" in RECIPE
    for file in project["license-files"]:
        assert (ROOT / file).is_file()
        assert f"    - {file}\n" in RECIPE


def test_the_license_of_the_digits_is_that_of_their_file() -> None:
    digits = Path(fastmlp.datasets.__file__).with_name("digits.npz")
    license = (ROOT / "fastmlp" / "datasets" / "LICENSE").read_text("utf-8")
    with np.load(digits) as file:
        attribution = str(file["attribution"])
    for words in ("E. Alpaydin and C. Kaynak", "https://doi.org/10.24432/C50P49", "CC BY 4.0"):
        assert words in attribution
        assert words in license
