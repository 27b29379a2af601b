"""What is said of the package in more than one place is said the same."""

from __future__ import annotations

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

import fastmlp

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GROUPS = fastmlp.MLP((2, 5), loss=fastmlp.losses.CrossEntropy(groups=(2, 3)))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXT = {
    "", ".c", ".css", ".h", ".html", ".ipynb", ".js", ".md", ".pxd", ".pxi", ".py", ".pyi", ".pyx",
    ".rst", ".svg", ".template", ".toml", ".typed",
}  # fmt: skip
BUILT = {"__pycache__", "_build", "api", "gallery"}  # folders that are in no repository
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


def data_files(*folders: str) -> list[str]:
    """Return the paths of the files of folders that are neither code nor prose."""
    return [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file()
        and path.suffix not in TEXT | {".pyc", ".pyd", ".so"}
        and not BUILT & {*path.relative_to(ROOT).parts}
    ]


def data_licenses() -> dict[str, str]:
    """Return the license of each pattern of paths in docs/data_licenses.md."""
    page = (ROOT / "docs" / "data_licenses.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*`) \| .* \| (.*) \|$", page, re.MULTILINE)
    return {
        pattern: license.removeprefix("[").partition("]")[0]
        for patterns, license in rows
        for pattern in re.findall("`(.*?)`", patterns)
    }


def test_every_file_of_data_has_one_license() -> None:
    licenses = data_licenses()
    for path in data_files("fastmlp", "tests", "benchmarks", "docs"):
        assert len([one for one in licenses if fnmatch(path, one)]) == 1, path


def test_every_license_of_data_is_of_a_file() -> None:
    paths = data_files("fastmlp", "tests", "benchmarks", "docs")
    without_files = [
        pattern for pattern in data_licenses() if not any(fnmatch(path, pattern) for path in paths)
    ]
    in_a_source_distribution = not any((ROOT / "benchmarks" / "mnist").glob("*.gz"))
    assert without_files == ["benchmarks/mnist/*.gz"] * in_a_source_distribution


def test_the_license_of_a_wheel_is_that_of_its_code_and_its_data() -> None:
    of_data = {
        license
        for path in data_files("fastmlp")
        for pattern, license in data_licenses().items()
        if fnmatch(path, pattern)
    }
    expression = PROJECT["project"]["license"].split(" AND ")
    assert expression == ["MIT", *(one.replace(" ", "-") for one in sorted(of_data))]


def test_a_wheel_carries_every_file_of_data_of_the_package() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["fastmlp.datasets"]
    folder = ROOT / "fastmlp" / "datasets"
    carried = {path.relative_to(ROOT).as_posix() for one in patterns for path in folder.glob(one)}
    assert carried == {*data_files("fastmlp")}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_the_hash_of_a_release(workflow: Path) -> None:
    for action in re.findall(r"uses: (.*)", workflow.read_text("utf-8")):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_version_in_all_workflows() -> None:
    texts = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"uses: (.*?)@(.*)", texts):
        versions.setdefault(name, set()).add(version)
    assert all(len(one) == 1 for one in versions.values()), versions
