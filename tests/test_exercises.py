"""Each program of docs/exercises.md prints what stands under it."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "exercises.md").read_text("utf-8")
SOLUTION = re.compile(r"^## (\d+)\..*?```python\n(.*?)```\n\n```text\n(.*?)```", re.M | re.DOTALL)
SOLUTIONS = SOLUTION.findall(PAGE)


@pytest.mark.parametrize(("number", "code", "printed"), SOLUTIONS, ids=lambda text: text[:1])
def test_a_solution_prints_what_stands_under_it(
    number: str, code: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, f"exercise {number}", "exec"), {})
    assert capsys.readouterr().out == printed


def test_every_exercise_has_a_solution_with_its_output() -> None:
    assert [int(number) for number, *_ in SOLUTIONS] == list(range(1, PAGE.count("\n## ") + 1))
