import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import AccountError, DataError
from roadgraph.probes import fix_store
from roadgraph.probes.fix_store import (
    PART_SCHEMA,
    FixStore,
    Input,
    PartWriter,
    QuarantineWriter,
    check_account,
    read_parts,
    refuse_loss,
    sha256_of,
)
from roadgraph.schema import QUARANTINE
from tests.toy import fix, fixes_table

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
MONDAY_0 = datetime(2026, 1, 5, tzinfo=UTC)


def account(name: str = "fixes.csv", **days: int) -> Input:
    rows = {day.replace("_", "-")[1:]: count for day, count in days.items()}
    return Input(name, "0" * 64, "r", sum(rows.values()), {}, rows)


def rows_of(*vehicles: str, day: date = MONDAY) -> pl.DataFrame:
    table = fixes_table([fix(vehicle, 30 * place) for place, vehicle in enumerate(vehicles)])
    return table.with_columns(
        row=pl.int_range(1, len(vehicles) + 1, dtype=pl.Int64), day=pl.lit(day)
    )


def written(folder: Path, *tables: pl.DataFrame) -> PartWriter:
    folder.mkdir(parents=True, exist_ok=True)
    writer = PartWriter(folder)
    for table in tables:
        writer.add(table)
    writer.close()
    return writer


def test_rows_that_are_neither_used_nor_quarantined_are_found() -> None:
    check_account("fixes.csv", 5, 3, {"duplicate": 2})
    with pytest.raises(AccountError, match=r"fixes\.csv: 5 rows in, but 3 used and 1 quarantined"):
        check_account("fixes.csv", 5, 3, {"duplicate": 1})


def test_inputs_of_different_names_never_share_a_key() -> None:
    names = ["a/b.csv", "a_b.csv", "a b.csv", "ก.csv", "ข.csv", "x" * 300 + "1", "x" * 300 + "2"]
    keys = [account(name).key for name in names]
    assert len(set(keys)) == len(names)
    assert all(len(key) <= 100 and "/" not in key for key in keys)


def test_rows_go_to_a_file_a_day_sorted_by_vehicle_in_each_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fix_store, "FLUSH_ROWS", 3)
    writer = written(tmp_path, rows_of("b", "a", "c"), rows_of("z", "a"), rows_of("m", day=TUESDAY))
    assert writer.days == {"2026-01-05": 5, "2026-01-06": 1}
    assert list(writer.written) == [MONDAY, TUESDAY]
    monday = pq.read_table(writer.written[MONDAY])
    assert monday.schema.names == PART_SCHEMA.names
    assert monday["vehicle_id"].to_pylist() == ["a", "b", "c", "a", "z"]


def test_nothing_to_write_gives_no_file(tmp_path: Path) -> None:
    writer = written(tmp_path)
    assert (writer.written, writer.days) == ({}, {})


def test_the_quarantine_counts_by_rule_and_fills_up_what_a_row_does_not_have(
    tmp_path: Path,
) -> None:
    path = tmp_path / "quarantine.parquet"
    writer = QuarantineWriter(path)
    writer.add(pl.DataFrame({"file": ["f"], "row": [2], "rule": ["bad_row"], "raw": ["a;b"]}))
    judged = rows_of("v").with_columns(file=pl.lit("f"), rule=pl.lit("bad_speed"))
    writer.add(judged)
    writer.add(judged.clear())
    writer.close()
    table = pl.read_parquet(path)
    assert table.columns == QUARANTINE.columns
    assert table["raw"].to_list() == ["a;b", None]
    assert table["vehicle_id"].to_list() == [None, "v"]
    assert writer.refused == {"bad_row": 1, "bad_speed": 1}


def test_reading_takes_vehicles_and_moments_from_first_to_last(tmp_path: Path) -> None:
    writer = written(tmp_path, rows_of("a", "b", "c", "d"))
    path = writer.written[MONDAY]
    span = (MONDAY_0, MONDAY_0 + timedelta(seconds=90))
    found = read_parts([path], *span, ("b", "d")).collect()
    # d's fix comes at 90 s: the end of the span is not in it.
    assert found["vehicle_id"].to_list() == ["b", "c"]
    assert found["file"].to_list() == [path.stem] * 2


def store_with(tmp_path: Path, item: Input, *tables: pl.DataFrame) -> FixStore:
    store = FixStore(tmp_path / "store")
    folder = tmp_path / "new"
    writer = written(folder, *tables)
    QuarantineWriter(folder / "q.parquet").close()
    before = store.inputs().get(item.name)
    store.replace(item, before, writer.written, folder / "q.parquet")
    return store


def test_an_input_takes_the_place_of_what_was_there_under_its_name(tmp_path: Path) -> None:
    both = account(d2026_01_05=1, d2026_01_06=1)
    store = store_with(tmp_path, both, rows_of("a"), rows_of("b", day=TUESDAY))
    assert store.days() == [MONDAY, TUESDAY]
    assert store.inputs() == {"fixes.csv": both}
    tuesday = account(d2026_01_06=1)
    store_with(tmp_path, tuesday, rows_of("c", day=TUESDAY))
    assert store.days() == [TUESDAY]
    (part,) = store.parts(TUESDAY)
    assert pl.read_parquet(part)["vehicle_id"].to_list() == ["c"]
    assert store.inputs() == {"fixes.csv": tuesday}


def test_an_empty_store_has_no_days_and_no_inputs(tmp_path: Path) -> None:
    store = FixStore(tmp_path / "nothing")
    assert (store.days(), store.inputs()) == ([], {})


@pytest.mark.parametrize("content", ["", "[]", '{"name": "x"}', "\x00"])
def test_a_damaged_account_is_named(content: str, tmp_path: Path) -> None:
    item = account(d2026_01_05=1)
    store = store_with(tmp_path, item, rows_of("a"))
    path = store.folder / "inputs" / f"{item.key}.json"
    assert json.loads(path.read_text("utf-8"))["name"] == "fixes.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=f"{item.key}.json is damaged"):
        store.inputs()


@pytest.mark.parametrize(("now", "lost"), [(5, False), (4, True), (0, True)])
def test_less_than_half_of_a_days_rows_under_an_old_name_is_a_loss(now: int, lost: bool) -> None:
    before = account(d2026_01_05=10)
    after = account(d2026_01_05=now) if now else account()
    if lost:
        with pytest.raises(DataError, match=f"10 rows of 2026-01-05; now it gives {now}"):
            refuse_loss(after, before)
    else:
        refuse_loss(after, before)
    refuse_loss(after, None)


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"roads")
    assert sha256_of(path) == hashlib.sha256(b"roads").hexdigest()
