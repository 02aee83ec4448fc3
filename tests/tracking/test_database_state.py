import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from roadgraph.tracking.database_state import database_state


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        connection.execute("create table numbers (number integer)")
        connection.execute("insert into numbers values (1)")
        yield connection


def test_it_stays_while_the_database_is_only_read(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    before = database_state(tmp_path / "a.db")
    assert database.execute("select number from numbers").fetchall() == [(1,)]
    assert before is not None
    assert database_state(tmp_path / "a.db") == before


def test_every_change_makes_another_one_even_at_the_same_time_and_size(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    found = path.stat()
    states = [database_state(path)]
    for number in (2, 3, 3):
        database.execute("update numbers set number = ?", (number,))
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        assert path.stat().st_size == found.st_size
        states.append(database_state(path))
    assert len({*states, None}) == 5


def test_another_file_in_its_place_is_another_one(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    before = database_state(path)
    shutil.copy2(path, tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(path)
    assert database_state(path) not in (before, None)


def test_while_a_change_is_under_way_nothing_is_said(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    database.execute("begin")
    database.execute("update numbers set number = 2")
    assert database_state(path) is None
    database.execute("commit")
    assert database_state(path) is not None


def test_of_a_database_in_write_ahead_mode_nothing_is_said(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute("pragma journal_mode = wal")
    database.execute("insert into numbers values (2)")
    assert database_state(tmp_path / "a.db") is None


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_of_what_is_no_database_nothing_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.db"
    if content is not None:
        path.write_bytes(content)
    assert database_state(path) is None
    assert database_state(tmp_path) is None
