import shutil
from pathlib import Path

import polars as pl
import pytest

from roadgraph.errors import DataError
from roadgraph.probes.fix_store import FixStore
from roadgraph.quality.account import InputRows, faults_of_account, rows_told
from roadgraph.slices.store import DayFolder, read_manifest, remove_day
from roadgraph.workspace import Workspace
from tests.quality.toy import MONDAY
from tests.slices.toy import made, settings_of
from tests.toy import drive, fix, fixes_table, write_fixes

BAD = fix("v2", 600, lat=95.0)
FAR = fix("v3", 600, north_m=5000)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A day of two files: a drive of 5 fixes in each, three repeated fixes and two bad ones."""
    folder = tmp_path_factory.mktemp("fixes")
    write_fixes(pl.concat([drive("v1"), fixes_table([BAD, FAR])]), folder / "a.csv")
    write_fixes(pl.concat([drive("v4"), drive("v4").head(3)]), folder / "b.csv")
    return made(settings_of(tmp_path_factory.mktemp("work"), folder))[1]


@pytest.fixture
def workspace(stores: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the stores to damage."""
    shutil.copytree(stores.root, tmp_path / "city")
    return Workspace(tmp_path / "city", tmp_path)


def told_of(workspace: Workspace) -> tuple[InputRows, ...]:
    manifest = read_manifest(workspace.slices, MONDAY)
    return rows_told(manifest, FixStore(workspace.fixes).inputs())


def test_every_row_of_a_days_files_is_told(workspace: Workspace) -> None:
    first, second = told_of(workspace)
    assert (first.name, first.rows, first.used, first.refused) == ("a.csv", 5, 5, {})
    assert (first.file_rows, first.file_used, sum(first.file_refused.values())) == (7, 5, 2)
    assert (second.rows, second.used, second.refused) == (8, 5, {"duplicate": 3})
    assert faults_of_account(workspace, MONDAY, (first, second), "probes") == []


def test_a_row_that_is_gone_from_the_quarantine_is_missed(
    workspace: Workspace,
) -> None:
    told = told_of(workspace)
    quarantine = DayFolder(workspace.slices / str(MONDAY)).quarantine
    pl.read_parquet(quarantine).head(2).write_parquet(quarantine)
    assert faults_of_account(workspace, MONDAY, told, "probes") == [
        "b.csv, 2026-01-05: 8 rows in, but 5 used and 2 quarantined"
    ]


def test_a_part_that_is_gone_from_the_store_is_missed(workspace: Workspace) -> None:
    told = told_of(workspace)
    store = FixStore(workspace.fixes)
    store.part(MONDAY, store.inputs()["a.csv"]).unlink()
    assert faults_of_account(workspace, MONDAY, told, "probes") == [
        "a.csv, 2026-01-05: 0 rows in, but 5 used and 0 quarantined",
        "a.csv: 7 rows in, but 0 used and 2 quarantined",
    ]


def test_fixes_that_no_slice_was_made_from_are_missed(workspace: Workspace) -> None:
    remove_day(workspace.slices, MONDAY)
    found = faults_of_account(workspace, MONDAY, (), "probes")
    assert [fault.split(" rows of ")[0] for fault in found] == ["5", "8"]
    assert all("but no slice of the day was made from them" in fault for fault in found)


def test_after_a_change_of_source_the_store_of_fixes_is_nothing_to_a_days_slices(
    workspace: Workspace,
) -> None:
    told = (InputRows("speeds.csv", 3, 3, {}, 9, 9, {}),)
    assert faults_of_account(workspace, MONDAY, told, "measured") == []


def test_slices_of_a_file_that_the_store_does_not_have_are_refused() -> None:
    manifest = {
        "city": {"source": "probes"},
        "rows": 1,
        "inputs": {"a.csv": {"rows": 1, "used": 1, "refused": {}}},
    }
    with pytest.raises(DataError, match=r"no account of a\.csv, which slices rest on"):
        rows_told(manifest, {})


def test_other_sources_tell_of_whole_files(tmp_path: Path) -> None:
    manifest = {
        "city": {"source": "detectors"},
        "rows": 3,
        "inputs": {"speeds.csv": {"rows": 9, "used": 6, "refused": {"not_in_network": 3}}},
    }
    told = rows_told(manifest, {})
    assert told == (InputRows("speeds.csv", 3, 3, {}, 9, 6, {"not_in_network": 3}),)
    workspace = Workspace(tmp_path, tmp_path)
    assert faults_of_account(workspace, MONDAY, told, "detectors") == []
    short = (InputRows("speeds.csv", 3, 3, {}, 9, 6, {}),)
    assert faults_of_account(workspace, MONDAY, short, "detectors") == [
        "speeds.csv: 9 rows in, but 6 used and 0 quarantined"
    ]
