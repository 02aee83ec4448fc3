import gzip
import zipfile
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from roadgraph.config import settings_from_dict
from roadgraph.errors import DataError
from roadgraph.probes.feeds import feed_files
from roadgraph.probes.fix_store import FixStore, Input
from roadgraph.probes.ingest import ingest
from roadgraph.probes.news import box_of
from roadgraph.settings import Settings
from tests.kills import ended_process, leave
from tests.slices.toy import bytes_of
from tests.toy import MONDAY_7, drive, fix, fixes_table, straight_network, write_fixes

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


def settings_of(**probes: object) -> Settings:
    return settings_from_dict({"probes": probes})


def ingested(folder: Path, store: FixStore, settings: Settings | None = None) -> list[Input]:
    read = ingest(feed_files(folder), store, straight_network(), settings or settings_of())
    assert read.faults == ()
    return read.accounts


def contents(folder: Path) -> dict[str, bytes]:
    return bytes_of(folder)


@pytest.fixture
def store(tmp_path: Path) -> FixStore:
    return FixStore(tmp_path / "work" / "fixes")


def test_the_box_of_a_network_holds_its_ends() -> None:
    box = box_of(straight_network())
    inside = pl.select(box.holds(pl.lit(13.8), pl.lit(100.6))).item()
    assert inside
    assert box.east > box.west
    assert box.north >= box.south


def test_every_fix_lands_in_its_own_local_day_whatever_file_it_came_in(
    tmp_path: Path, store: FixStore
) -> None:
    late = drive("late", MONDAY_7 + timedelta(hours=17))  # Tuesday, 00:00 in Bangkok
    folder = tmp_path / "in"
    folder.mkdir()
    write_fixes(pl.concat([drive("v1"), late]), folder / "monday.csv")
    (account,) = ingested(folder, store)
    assert account.days == {"2026-01-05": 5, "2026-01-06": 5}
    assert (account.rows_in, account.refused) == (10, {})
    assert store.days() == [MONDAY, TUESDAY]


def test_members_of_a_zip_and_compressed_files_are_inputs_of_their_own(
    tmp_path: Path, store: FixStore
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    text = write_fixes(drive("v1"), tmp_path / "a.csv").read_bytes()
    with zipfile.ZipFile(folder / "week.zip", "w") as packed:
        packed.writestr("mon.csv", text)
        packed.writestr("tue.csv", text)
    (folder / "wed.csv.gz").write_bytes(gzip.compress(text))
    accounts = ingested(folder, store)
    assert [account.name for account in accounts] == [
        "wed.csv.gz", "week.zip/mon.csv", "week.zip/tue.csv",
    ]  # fmt: skip
    assert [account.rows_in for account in accounts] == [5, 5, 5]
    assert len(store.parts(MONDAY)) == 3


def test_what_is_in_the_store_is_not_read_again_until_it_or_a_setting_changes(
    tmp_path: Path, store: FixStore
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = write_fixes(drive("v1"), folder / "a.csv")
    first = ingested(folder, store)
    before = contents(store.folder)
    stamps = {part: part.stat().st_mtime_ns for part in store.parts(MONDAY)}
    assert ingested(folder, store) == first
    assert {part: part.stat().st_mtime_ns for part in store.parts(MONDAY)} == stamps
    assert contents(store.folder) == before
    (changed,) = ingested(folder, store, settings_of(max_speed_kph=50.0))
    assert changed.reading != first[0].reading
    write_fixes(drive("v2"), path)
    (again,) = ingested(folder, store)
    assert again.sha256 != first[0].sha256


def test_a_file_that_cannot_be_read_leaves_the_store_and_its_folder_as_they_were(
    tmp_path: Path, store: FixStore
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_fixes(drive("v1"), folder / "a.csv")
    ingested(folder, store)
    before = contents(store.folder.parent)
    write_fixes(drive("v2"), folder / "b.csv")
    text = write_fixes(drive("v3"), tmp_path / "c.csv").read_bytes()
    (folder / "c.csv.gz").write_bytes(gzip.compress(text)[:-20])
    with pytest.raises(DataError, match=r"c\.csv\.gz"):
        ingested(folder, store)
    assert contents(store.folder.parent) == before
    assert [path.name for path in store.folder.parent.iterdir()] == ["fixes"]


def test_what_a_run_left_that_was_killed_with_all_in_the_store_is_swept_without_news(
    tmp_path: Path, store: FixStore
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_fixes(drive("v1"), folder / "monday.csv")
    ingested(folder, store)
    left = leave(store.folder.parent, "reading", ended_process())
    ingested(folder, store)
    assert not left.exists()


def test_swapped_positions_and_lost_rows_leave_the_store_as_it_was(
    tmp_path: Path, store: FixStore
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = write_fixes(drive("v1", every_s=5), folder / "a.csv")
    ingested(folder, store)
    before = contents(store.folder)
    swapped = drive("v1", every_s=5).rename({"lat": "lon", "lon": "lat"})
    write_fixes(swapped, path)
    with pytest.raises(DataError, match=r"a\.csv: latitude and longitude look swapped \(row 2"):
        ingested(folder, store)
    write_fixes(drive("v1"), path)
    with pytest.raises(DataError, match=r"a\.csv was read before and gave 29 rows"):
        ingested(folder, store)
    assert contents(store.folder) == before
    (account,) = ingested(folder, store, settings_of(replace=True))
    assert account.days == {"2026-01-05": 5}


def test_refused_rows_are_counted_and_kept_with_their_place(
    tmp_path: Path, store: FixStore
) -> None:
    rows = [fix("v1"), fix("v1", 30, lat=0.0, lon=0.0), fix("v1", 60, speed_kph=300.0)]
    path = write_fixes(fixes_table(rows), tmp_path / "a.csv")
    (account,) = ingested(path, store)
    assert (account.rows_in, account.days) == (3, {"2026-01-05": 1})
    assert account.refused == {"bad_position": 1, "bad_speed": 1}
    kept = pl.read_parquet(store.quarantine(account))
    assert kept.select("file", "row", "rule").rows() == [
        ("a.csv", 3, "bad_position"), ("a.csv", 4, "bad_speed"),
    ]  # fmt: skip
