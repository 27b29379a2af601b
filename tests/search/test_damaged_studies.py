"""Files that are damaged, or that hold no study: errors that name them, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

import fastmlp
from fastmlp.search.locks import SharedLock
from fastmlp.search.storage import opened

Search = Callable[..., fastmlp.search.Result]  # see conftest.py


def test_an_incomplete_line_at_the_end_of_a_journal_is_removed(
    search: Search, journal: Path
) -> None:
    first = search(n_trials=3, storage=journal)
    content = journal.read_bytes()
    journal.write_bytes(content + content.splitlines()[-1][:9])
    assert search(n_trials=4, storage=journal).trials[:3] == first.trials


def test_an_incomplete_line_stays_while_another_process_works_on_the_journal(
    search: Search, journal: Path
) -> None:
    search(n_trials=1, storage=journal)
    content = journal.read_bytes() + b'{"op_code": 4'
    journal.write_bytes(content)
    other = SharedLock.of_file(journal)
    other.share()
    with opened(journal):
        assert journal.read_bytes() == content
    other.release()
    with opened(journal):
        assert journal.read_bytes() == content.removesuffix(b'{"op_code": 4')


def test_an_incomplete_first_line_is_an_empty_journal(search: Search, journal: Path) -> None:
    journal.write_bytes(b'{"op_')
    assert len(search(n_trials=2, storage=journal).trials) == 2


def test_a_journal_has_a_greatest_length(
    search: Search, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(n_trials=1, storage=journal)
    monkeypatch.setattr("fastmlp.search.storage.MAX_JOURNAL", journal.stat().st_size - 1)
    with pytest.raises(ValueError, match="journal has more than .* bytes"):
        search(n_trials=1, storage=journal)


@pytest.mark.parametrize(
    "line",
    [
        '{"op_code": 0}',
        '{"op_code": 99, "worker_id": "a"}',
        '{"op_code":' + "[" * 50_000,
        '{"op_code":"0","worker_id":"a","study_name":"b","directions":5}',
    ],
)
def test_a_journal_with_nonsense_is_refused(search: Search, journal: Path, line: str) -> None:
    search(n_trials=1, storage=journal)
    content = journal.read_text() + line + "\n"
    journal.write_text(content)
    with pytest.raises(ValueError, match=r"study\.journal is not a journal of Optuna"):
        search(n_trials=2, storage=journal)
    assert journal.read_text() == content


def test_a_study_of_another_program_is_refused(search: Search, path: Path) -> None:
    with opened(path) as (storage, _):
        study = optuna.create_study(study_name="fastmlp", storage=storage)
        study.optimize(lambda trial: trial.suggest_float("learning_rate", 1e-3, 1e-1), 1)
    with pytest.raises(ValueError, match="study 'fastmlp' in this storage is not one of fastmlp"):
        search(storage=path)


def test_a_file_in_the_place_of_a_lock_is_an_error_that_names_it(
    search: Search, path: Path
) -> None:
    lock = path.with_name(f"{path.name}.workers")
    lock.write_text("a text\n" * 99)
    with pytest.raises(OSError, match=rf"{lock.name} cannot be locked"):
        search(storage=path)
    assert lock.read_text() == "a text\n" * 99


def test_another_file_is_refused_and_not_changed(search: Search, path: Path) -> None:
    path.write_text("a,b\n1,2")
    with pytest.raises(ValueError, match=rf"{path.name} (exists and is not|is not a database)"):
        search(storage=path)
    assert path.read_text() == "a,b\n1,2"


def test_a_folder_that_does_not_exist_is_an_error(search: Search, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere: .*study\.journal"):
        search(storage=tmp_path / "nowhere" / "study.journal")


def test_a_damaged_database_is_an_error_that_names_it(search: Search, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(ValueError, match=r"study\.db is not a database of Optuna: "):
        search(storage=path)


def test_a_database_that_fails_later_is_an_error_that_names_it(tmp_path: Path) -> None:
    place = tmp_path / "study.db"
    with pytest.raises(OSError, match=r"study\.db: .*no such table"), opened(place) as (storage, _):
        with storage.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE studies")
        storage.get_all_studies()
