"""A small study of the digits, which runs in a fraction of a second."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def given() -> dict[str, Any]:
    return {
        "study": {"title": "Small", "data": "digits", "validation_images": 100, "seeds": 3},
        "base": {"hidden": [8], "epochs": 2},
        "factors": {
            "activation": ["sigmoid", "tanh"],
            "depth": {"two layers": {"hidden": [8, 8], "epochs": 3}},
        },
    }
