"""Class labels of metadata as arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from fastmlp.support.labels import class_labels, class_names, group_labels, label_array


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "größe"]),
        np.array([False, True]),
        np.array([-(2**63), 2**63 - 1]),
        np.array([1, 2**64 - 1], np.uint64),
        np.array([3, 200], np.uint8),
        np.array([0.1, 1e-300]),
        np.array([np.float32(0.1), 2], np.float32),
    ],
    ids=lambda labels: labels.dtype.name,
)
def test_labels_come_back_from_json_with_their_values(labels: np.ndarray) -> None:
    found = label_array(json.loads(json.dumps(labels.tolist())))
    assert found is not None
    assert found.tolist() == labels.tolist()
    kinds = {"U": "O", "u": "iu"}
    assert found.dtype.kind in kinds.get(labels.dtype.kind, labels.dtype.kind)


@pytest.mark.parametrize("labels", [None, "ab", {}, [], ["a", 1], [True, 2], [1, 0.5], [-1, 2**63],
                                    [2**64], [None]])
def test_other_values_are_no_labels(labels: Any) -> None:
    assert label_array(labels) is None


def test_a_single_label_stands_for_both_classes() -> None:
    found = class_labels(["only"], 2)
    assert found is not None and found.tolist() == ["only", "only"]
    assert class_labels(["only"], 3) is None
    assert class_labels(["a", "b"], 3) is None


def test_labels_are_those_of_the_classes_if_they_are_as_many() -> None:
    found = class_labels(["a", "b"], 2)
    assert found is not None and found.tolist() == ["a", "b"]
    assert class_labels(None, 2) is None


def test_names_of_classes_may_be_of_several_types() -> None:
    assert class_names(["a", 1], 2) == ["a", 1]
    assert class_names(("only",), 2) == ["only", "only"]
    assert class_names("ab", 2) is None


@pytest.mark.parametrize("labels", [None, "ab", [["a", "b"]], [["a", "b"], [1], 3]])
def test_groups_of_classes_need_a_list_of_labels_each(labels: Any) -> None:
    assert group_labels(labels, (2, 3)) == [None, None]


def test_a_group_without_labels_leaves_the_others_theirs() -> None:
    named, unnamed = group_labels([["a", "b"], None], (2, 3))
    assert named is not None and named.tolist() == ["a", "b"]
    assert unnamed is None
