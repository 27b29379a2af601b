"""fastmlp train --per COLUMN: a model for each value, and what the other commands say of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import QUICK, Command

COUNTS = {"A": 150, "B": 120, "C": 12}


@pytest.fixture
def sales(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A CSV of three shops, one of them with few rows; the units of B fall with the visitors."""
    shop = rng.permutation(np.repeat(list(COUNTS), list(COUNTS.values())))
    visitors = rng.uniform(0, 1, len(shop)).round(4)
    slope = np.where(shop == "B", -50, 50)
    table = pd.DataFrame({
        "shop": shop,
        "visitors": visitors,
        "day": rng.choice(["mon", "tue"], len(shop)),
        "units": (slope * visitors + rng.normal(0, 1, len(shop))).round(3),
    })
    table["busy"] = np.where(table["units"] > 10, "yes", "no")
    path = tmp_path / "sales.csv"
    table.to_csv(path, index=False)
    return path


def train(command: Command, sales: Path, *options: object) -> str:
    """Train on the units; return the output."""
    done = command("train", sales, "--label", "units", "--drop", "busy", *options, *QUICK)
    assert done.code == 0, done.err
    return done.out


def test_train_says_which_values_have_their_own_model(
    fastmlp_command: Command, sales: Path
) -> None:
    out = train(fastmlp_command, sales, "--per", "shop")
    assert "2 of 3 values of 'shop' have their own model" in out
    assert "values that the shared model predicts: 'C', it has " in out
    assert "4 networks in all" in out
    heads = next(line for line in out.splitlines() if line.strip().startswith("model"))
    assert heads.split("  ")[-1] == "shared model"


def test_the_model_predicts_and_is_described(
    fastmlp_command: Command, sales: Path, tmp_path: Path
) -> None:
    model = tmp_path / "shops.npz"
    train(fastmlp_command, sales, "--per", "shop", "--save", model)
    output = ("--output", tmp_path / "o.csv")
    done = fastmlp_command("predict", model, sales, "--interval", 0.9, *output)
    assert done.code == 0, done.err
    assert "12 of 282 rows are predicted by the shared model" in done.err
    assert list(pd.read_csv(tmp_path / "o.csv")) == ["units", "units_lower", "units_upper"]

    info = fastmlp_command("info", model).out
    assert "models of values" in info and "2, of shop" in info
    assert "value A" in info and "1 network; RMSE" in info
    assert "by the shared model: it has " in info

    card = json.loads((tmp_path / "shops.npz.card.json").read_text("utf-8"))
    assert set(card["models of values"]["values"]) == {"A", "B"}
    assert len(card["networks"]) == 2  # of the shared model

    for command in ("evaluate", "explain"):
        done = fastmlp_command(command, model, sales)
        assert done.code == 0, done.err


def test_info_names_the_first_values_and_counts_the_others(
    fastmlp_command: Command, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastmlp.cli.table_info.MOST_VALUES", 1)
    model = tmp_path / "shops.npz"
    table = pd.read_csv(sales)
    table.loc[:11, "shop"] = "D"
    table.to_csv(sales, index=False)
    train(fastmlp_command, sales, "--per", "shop", "--save", model)
    lines = [line.split(maxsplit=1) for line in fastmlp_command("info", model).out.splitlines()]
    assert ["values", "1 more"] in lines
    assert ["values", "1 more by the shared model"] in lines
    assert sum(line[0] == "value" for line in lines) == 2


def test_a_new_value_is_reported(fastmlp_command: Command, sales: Path, tmp_path: Path) -> None:
    model = tmp_path / "shops.npz"
    train(fastmlp_command, sales, "--per", "shop", "--save", model)
    table = pd.read_csv(sales)
    table[table["shop"] != "C"].assign(shop="Z").to_csv(tmp_path / "new.csv", index=False)
    done = fastmlp_command("predict", model, tmp_path / "new.csv", "--output", tmp_path / "o.csv")
    assert "270 of 270 rows are predicted by the shared model: their values of 'shop'" in done.err
    table.drop(columns="shop").to_csv(tmp_path / "without.csv", index=False)
    done = fastmlp_command("predict", model, tmp_path / "without.csv")
    assert done.code == 2 and "'shop'" in done.err


def test_an_export_is_refused(fastmlp_command: Command, sales: Path, tmp_path: Path) -> None:
    model = tmp_path / "shops.npz"
    train(fastmlp_command, sales, "--per", "shop", "--save", model)
    done = fastmlp_command("export", model, tmp_path / "shops.c")
    assert done.code == 2
    assert "has a model for each value of 'shop'" in done.err
    assert "train it without --per, for one value on a table of its rows" in done.err
    assert not (tmp_path / "shops.c").exists()


def test_classes_have_probabilities(fastmlp_command: Command, sales: Path, tmp_path: Path) -> None:
    model = tmp_path / "busy.npz"
    options = ("--label", "busy", "--drop", "units", "--per", "shop", "--save", model)
    done = fastmlp_command("train", sales, *options, *QUICK)
    assert done.code == 0, done.err
    done = fastmlp_command("predict", model, sales, "--proba", "--output", tmp_path / "o.csv")
    assert done.code == 0, done.err
    assert list(pd.read_csv(tmp_path / "o.csv")) == ["busy", "P(no)", "P(yes)"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--per", "shp"], "no column 'shp'"),
        (["--per", "units"], "--per 'units' is the label; name another column"),
        (["--per", "busy"], "--per 'busy' is left out by --drop; give it in one of them"),
        (["--per", "shop", "--group", "day"], "--per and --group exclude each other"),
    ],
)
def test_what_does_not_go_with_per_is_refused(
    fastmlp_command: Command, sales: Path, options: list[object], message: str
) -> None:
    done = fastmlp_command("train", sales, "--label", "units", "--drop", "busy", *options, *QUICK)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_models_share_a_time_limit_and_a_warning_says_that_it_cut_the_shared_one(
    fastmlp_command: Command, sales: Path
) -> None:
    quick = ("--threads", 1, "--epochs", 10_000_000, "--time-limit", 2)
    done = fastmlp_command("train", sales, "--label", "units", "--drop", "busy", "--per", "shop",
                           "--members", 1, *quick)
    assert done.code == 0, done.err
    assert "--time-limit 2 allowed 1 of 1 networks of the shared model" in done.err
