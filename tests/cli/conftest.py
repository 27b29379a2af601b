"""The command line as a function, and tables to give it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fastmlp.cli import main

QUICK = ("--quality", "fast", "--epochs", 12, "--hidden", 16)  # training of tables


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def options_end_with_the_test(own_number_of_threads: None) -> None:
    """The option --threads sets the number of the process."""


@pytest.fixture
def fastmlp_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs ``fastmlp`` with arguments: its exit code, standard output and standard error."""

    def command(*arguments: object) -> Outcome:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit:
            code = exit.code
        return Outcome(code, *capsys.readouterr())

    return command


@pytest.fixture
def flowers(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A CSV of 60 rows: two columns far from zero, a constant one, text, and a class."""
    species = rng.permutation(np.repeat(["rose", "tulip"], 30))
    sign = np.where(species == "rose", 1, -1)
    year = 2000 + 5 * sign + rng.normal(size=60)
    moment = 1.6e9 + 1e5 * rng.normal(size=60)
    rows = zip(year, moment, species, strict=True)
    path = tmp_path / "flowers.csv"
    path.write_text(
        "year,moment,kind,note,species\n"
        + "".join(f'{a:.3f},{b:.1f},7,"a, {name}",{name}\n' for a, b, name in rows)
    )
    return path


@pytest.fixture
def houses(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A CSV of 200 rows whose price is linear in the other columns."""
    area, rooms = rng.uniform(50, 200, 200), rng.integers(1, 8, 200)
    rows = zip(area, rooms, 2000 * area + 9000 * rooms + 50_000, strict=True)
    path = tmp_path / "houses.csv"
    path.write_text(
        "area,rooms,price\n" + "".join(f"{a:.6f},{b},{price:.4f}\n" for a, b, price in rows)
    )
    return path


@pytest.fixture
def mixed(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A CSV of 160 rows: numbers with gaps, text, dates, a constant column, and two labels.

    "bought" is a class and "price" a number, which both depend on age and job.
    """
    m = 160
    age = rng.integers(18, 80, m)
    job = rng.choice(["clerk", "nurse", "smith"], m)
    day = rng.integers(1, 28, m)
    price = age / 10 + 3 * (job == "nurse") + 0.3 * rng.normal(size=m)
    lines = ["person,age,job,since,constant,price,bought"]
    for i in range(m):
        shown = "" if i % 11 == 0 else age[i]
        bought = "yes" if price[i] > 5.5 else "no"
        lines.append(f"p{i},{shown},{job[i]},2024-03-{day[i]:02d},1,{price[i]:.4f},{bought}")
    path = tmp_path / "mixed.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


@pytest.fixture
def classify(fastmlp_command: Command, mixed: Path, model: Path) -> Command:
    """Trains on the classes of `mixed` to `model`, with more arguments."""

    def command(*more: object) -> Outcome:
        basis = (mixed, "--label", "bought", "--drop", "price", "--save", model)
        return fastmlp_command("train", *basis, *QUICK, *more)

    return command


@pytest.fixture
def regress(fastmlp_command: Command, mixed: Path, model: Path) -> Command:
    """Trains on the numbers of `mixed` to `model`, with more arguments."""

    def command(*more: object) -> Outcome:
        basis = (mixed, "--label", "price", "--drop", "bought", "--save", model)
        return fastmlp_command("train", *basis, *QUICK, *more)

    return command
