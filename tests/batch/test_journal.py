from pathlib import Path

import pandas as pd

from roadgraph.batch.journal import add_to_journal, read_journal
from roadgraph.batch.outcome import Outcome
from tests.batch.toy import check, checked, failed

AT = pd.Timestamp("2026-01-06T03:00:00Z")


def test_every_step_is_a_line_with_its_checks(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    add_to_journal(path, failed(), AT, 1.234)
    add_to_journal(path, checked(check(False)), AT, 0.5)
    first, second = read_journal(path)
    assert first["at"] == "2026-01-06T03:00:00+00:00"
    assert (first["step"], first["state"], first["seconds"]) == ("slices", "failed", 1.23)
    assert first["reason"] == "a.parquet is damaged"
    assert second["checks"] == {
        "coverage": {"passed": False, "reason": "0.1 of the cells, 0.4 before"}
    }


def test_a_line_that_a_dying_run_left_unfinished_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    add_to_journal(path, failed("one"), AT, 1.0)
    with path.open("a") as file:
        file.write('{"at": "2026-01')
    add_to_journal(path, failed("two"), AT, 1.0)
    assert [line["reason"] for line in read_journal(path)] == ["one", "two"]


def test_a_step_that_made_nothing_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    add_to_journal(path, Outcome("network", "", "fresh", "as it was"), AT, 0.1)
    add_to_journal(path, Outcome("model", "", "nothing", "not due"), AT, 0.1)
    assert not path.exists()


def test_before_the_first_run_the_journal_is_empty(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal.jsonl") == []
