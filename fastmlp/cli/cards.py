"""Model cards: what is told of a model in a file of JSON beside its own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from fastmlp.support.atomic_files import whole_text

from .options import writable


def writable_card(model: Path) -> Path:
    """Return the file of the model card, beside the model's, after a check before training."""
    card = Path(f"{model}.card.json")
    try:
        return writable(str(card))
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--save: {error}") from None


def write_card(card: Path, contents: dict[str, Any]) -> None:
    """Write a model card as JSON, with a line for each entry, and for each row of a matrix."""
    lines = []
    for key, value in contents.items():
        text = json.dumps(value)
        if isinstance(value, list) and value and isinstance(value[0], (list, dict)):
            text = "[\n" + ",\n".join(f"    {json.dumps(one)}" for one in value) + "\n  ]"
        lines.append(f"  {json.dumps(key)}: {text}")
    with whole_text(card) as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
