"""Pieces of C as text: numbers, strings, identifiers and functions."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.export import c_text


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        (" ~", '" ~"'),
        ("\x1f\x7f\x00", r'"\037\177\000"'),
        ('"\\?', r'"\"\\\?"'),
        ("ä1", r'"\303\2441"'),
        ("\ud800", r'"\355\240\200"'),
    ],
)
def test_a_string_is_ascii_with_octal_bytes(text, literal):
    assert c_text.string(text) == literal


@pytest.mark.parametrize(
    ("names", "identifiers"),
    [
        (["age", "größe", "a  b", "2nd", "", "_x_"],
         ["age", "gr_e", "a_b", "column_2nd", "column", "x"]),
        (["int", "NAN", "M_PI", "INT8_MAX", "I", "INT8"],
         ["int_", "NAN_", "M_PI_", "INT8_MAX_", "I_", "INT8"]),
        (["a b", "a-b", "a_b", "a.b"], ["a_b_2", "a_b_3", "a_b", "a_b_4"]),
    ],
)  # fmt: skip
def test_names_become_different_identifiers(names, identifiers):
    assert c_text.identifiers(names) == identifiers


@pytest.mark.parametrize(
    ("dtype", "head", "per_line"),
    [("float32", "float", 6), ("float64", "double", 4), ("int8", "int8_t", 16),
     ("uint8", "uint8_t", 16), ("int32", "int32_t", 8)],
)  # fmt: skip
def test_an_array_has_lines_of_several_numbers(dtype, head, per_line):
    first, *lines = c_text.array("W", np.ones((5, 7), dtype), "FLASH ").splitlines()
    assert first == f"static const FLASH {head} W[35] = {{"
    counts = [line.count("1") for line in lines]
    assert sum(counts) == 35
    assert set(counts[:-1]) == {per_line}
    assert lines[-1].endswith("};")


def test_numbers_are_read_back_as_the_same_bits():
    rng = np.random.default_rng(0)
    for dtype, ending in ((np.float32, "f"), (np.float64, "")):
        values = rng.normal(size=50).astype(dtype)
        literals = c_text.literals(values)
        assert all(one.endswith(ending) for one in literals)
        found = np.array([one.removesuffix(ending) for one in literals]).astype(dtype)
        np.testing.assert_array_equal(found, values)


def test_classes_without_names_or_of_groups_have_no_array():
    assert c_text.class_names("net", None, 2) == ([], [])
    assert c_text.class_names("net", ["a", ["b", "c"]], 2) == ([], [])
    assert c_text.class_names("net", ["a", "b"], 3) == ([], [])
    assert c_text.class_names("net", ("a", 3), 1) == (
        ["extern const char *const net_classes[2];"],
        ['const char *const net_classes[2] = {\n"a",\n"3"};\n'],
    )


def test_a_function_has_its_declarations_first():
    assert c_text.function("void f(void)", ["int i;"], ["i = 1;", ""]) == (
        "void f(void)\n{\n    int i;\n\n    i = 1;\n\n}\n"
    )
    assert c_text.function("void f(void)", [], ["g();"]) == "void f(void)\n{\n    g();\n}\n"
