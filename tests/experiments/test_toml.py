"""TOML files of experiments: errors name the file and the place in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmlp.experiments import toml


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.toml"
    path.write_text("a = 1\n[b]\nc = 2\n")
    return path


def test_the_contents_are_passed_on(path: Path) -> None:
    assert toml.read(path, lambda given: given) == {"a": 1, "b": {"c": 2}}
    assert toml.read(str(path), len) == 2


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_errors_of_the_contents_name_the_file(path: Path, error: type[Exception]) -> None:
    def parse(given: object) -> None:
        with toml.located("b"):
            raise error("c must be 3")

    with pytest.raises(ValueError, match=r"some\.toml: b: c must be 3"):
        toml.read(path, parse)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a = " + "{b = " * 5000 + "1" + "}" * 5000, "nested too deeply"),
        ("a" + ".a" * 5000 + " = 1", "nested too deeply|unknown key 'a'"),  # by Python's version
        ("#" * (1 << 20) + "\n", "longer than 1,048,576 bytes"),
    ],
    ids=["lists", "tables", "dotted keys", "long"],
)
def test_hostile_files_are_refused(path: Path, content: str, message: str) -> None:
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"some\.toml: .*({message})"):
        toml.read(path, lambda contents: toml.check_keys(contents, ["b"]))


@pytest.mark.parametrize("content", [b"a = \n", b"\xff\xfe"])
def test_what_is_not_toml_is_an_error_that_names_the_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"some\.toml: not TOML: "):
        toml.read(path, len)


def test_a_missing_file_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        toml.read(tmp_path / "none.toml", len)


def test_other_errors_pass_through() -> None:
    with pytest.raises(KeyError), toml.located("b"):
        raise KeyError("c")


def test_an_unknown_key_is_an_error_with_the_nearest_known_one() -> None:
    toml.check_keys({"hidden": 1}, ("hidden", "dropout"))
    with pytest.raises(ValueError, match=r"^b: unknown key 'hiden'; did you mean 'hidden'\? Known"):
        toml.check_keys({"hiden": 1}, ("hidden", "dropout"), "b")
    with pytest.raises(ValueError, match="^unknown key 'x' of many"):
        toml.check_keys({"x": 1}, ("hidden",), hint=lambda key, known: " of many")


def test_a_value_in_place_of_a_table_is_an_error() -> None:
    assert toml.table("b", {"c": 2}) == {"c": 2}
    with pytest.raises(ValueError, match=r"b must be a table, \[b\], got 3"):
        toml.table("b", 3)
