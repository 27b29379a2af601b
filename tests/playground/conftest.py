"""The scripts of the playground in Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from fastmlp import playground

MATHEMATICS = ("activations.js", "random.js", "sets.js", "steps.js", "trainer.js")
# Runs the scripts, then each of the expressions, which may use `given`.
NODE = """
const vm = require("vm");
const {script, given, expressions} = JSON.parse(require("fs").readFileSync(0, "utf8"));
globalThis.given = given;
vm.runInThisContext(script);
console.log(JSON.stringify(expressions.map((one) => vm.runInThisContext(one)), (key, value) =>
  ArrayBuffer.isView(value) ? Array.from(value) : value));
"""


@pytest.fixture(scope="session")
def javascript() -> Callable[..., list[Any]]:
    """Values of JavaScript expressions over `given`, after the scripts without pictures."""
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    files = [path for path in playground.SCRIPTS if path.name in MATHEMATICS]
    assert len(files) == len(MATHEMATICS)
    script = "\n".join(path.read_text("utf-8") for path in files)

    def values(*expressions: str, **given: Any) -> list[Any]:
        out = subprocess.run(
            ["node", "-e", NODE],
            input=json.dumps({"script": script, "given": given, "expressions": expressions}),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert out.stderr == ""
        found: list[Any] = json.loads(out.stdout)
        return found

    return values
