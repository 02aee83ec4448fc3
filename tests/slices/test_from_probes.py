"""Runs that go on: bad files, days that were not asked for, and why a day is stale."""

import errno
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from roadgraph.calendar import Days
from roadgraph.errors import DataError, LockError
from roadgraph.probes import ingest as ingesting
from roadgraph.probes.fix_store import FixStore, Input
from roadgraph.settings import Settings
from roadgraph.slices.planning import plan_days
from roadgraph.slices.report import SlicesReport, StaleSlices
from roadgraph.slices.run import make_slices, stale_slices
from roadgraph.slices.store import read_clock, read_manifest, stored_days
from roadgraph.storage import alone, write_json
from roadgraph.workspace import Workspace
from tests.kills import leftovers_of
from tests.slices.toy import bytes_of, made, settings_of
from tests.toy import (
    MONDAY_7,
    crossroads_network,
    detector_network,
    drive,
    straight_network,
    write_fixes,
)

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 1, 5 + number) for number in range(3))
NETWORK = straight_network()


def run(settings: Settings, days: Days | None = None) -> SlicesReport:
    workspace = Workspace.of(settings)
    return make_slices(settings, NETWORK, workspace, days=days or Days(), tolerant=True)


def stale(settings: Settings) -> StaleSlices:
    return stale_slices(settings, NETWORK, Workspace.of(settings))


def day_of(number: int, **options: float) -> pl.DataFrame:
    """Return a drive in the morning of a day, Monday being 0."""
    return drive(f"v{number}", MONDAY_7 + timedelta(days=number), **options)


@pytest.fixture
def city(tmp_path: Path) -> Settings:
    """Return the settings of a city with files of Monday and Tuesday, which nobody has read."""
    folder = tmp_path / "fixes"
    folder.mkdir()
    for number, name in enumerate(("mon", "tue")):
        write_fixes(day_of(number), folder / f"{name}.parquet")
    return settings_of(tmp_path / "work", folder)


def fixes_of(settings: Settings) -> Path:
    return Path(settings.city.fixes)


def test_a_broken_file_is_left_out_and_named_until_it_changes(
    city: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = fixes_of(city) / "tue.parquet"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-20])
    report = run(city)
    assert (report.inputs, report.built) == (("mon.parquet",), (MONDAY,))
    (fault,) = report.faults
    assert fault.name == "tue.parquet"
    assert "tue.parquet" in fault.reason
    with monkeypatch.context() as patch:
        patch.setattr(ingesting, "read_file", None)  # nothing is read again
        again = run(city)
    assert (again.faults, again.kept) == (report.faults, (MONDAY,))
    assert stale(city).files == ()
    broken.write_bytes(whole)
    mended = run(city)
    assert (mended.faults, mended.built) == ((), (TUESDAY,))


def test_what_was_stored_of_a_file_stays_while_the_file_is_broken(city: Settings) -> None:
    run(city)
    before = bytes_of(Workspace.of(city).root)
    (fixes_of(city) / "mon.parquet").write_bytes(b"PAR1")
    report = run(city)
    assert [fault.name for fault in report.faults] == ["mon.parquet"]
    assert bytes_of(Workspace.of(city).root) == before
    with pytest.raises(DataError, match=r"mon\.parquet"):
        made(city)


def test_a_file_that_would_lose_rows_is_a_fault_until_that_is_allowed(city: Settings) -> None:
    run(city)
    write_fixes(day_of(0)[:2], fixes_of(city) / "mon.parquet")
    assert "was read before and gave 5 rows" in run(city).faults[0].reason
    allowed = replace(city, probes=replace(city.probes, replace=True))
    assert run(allowed).faults == ()


def test_broken_zips_and_files_that_cannot_be_opened_are_faults(city: Settings) -> None:
    (fixes_of(city) / "week.zip").write_bytes(b"PK nonsense")
    (fixes_of(city) / "loop.csv").symlink_to("loop.csv")
    (fixes_of(city) / "mon.parquet").write_bytes(b"PAR1")
    report = run(city)
    assert [fault.name for fault in report.faults] == ["week.zip", "mon.parquet"]
    assert report.built == (TUESDAY,)


def test_a_file_whose_bytes_cannot_be_read_is_a_fault(
    city: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roadgraph.probes.file_digests import FileDigests

    read = FileDigests.sha256

    def failing(self: FileDigests, file: Path) -> str:
        if file.name == "mon.parquet":
            raise PermissionError(13, "Permission denied", str(file))
        return read(self, file)

    monkeypatch.setattr(FileDigests, "sha256", failing)
    report = run(city)
    assert report.faults[0].name == "mon.parquet"
    assert "cannot be opened: [Errno 13] Permission denied" in report.faults[0].reason
    with pytest.raises(PermissionError):
        made(city)


def test_a_damaged_memory_of_faults_costs_time_alone(city: Settings) -> None:
    (fixes_of(city) / "mon.parquet").write_bytes(b"PAR1")
    report = run(city)
    (Workspace.of(city).fixes / ".faults.json").write_text("[]")
    assert run(city).faults == report.faults


def test_nothing_but_broken_files_is_an_error_where_nothing_is_stored(city: Settings) -> None:
    for path in fixes_of(city).iterdir():
        path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"mon\.parquet"):
        run(city)


def test_nothing_new_is_no_error_once_there_is_something(city: Settings) -> None:
    run(city)
    for path in fixes_of(city).iterdir():
        path.unlink()
    report = run(city, Days(WEDNESDAY, WEDNESDAY))
    assert (report.inputs, report.built, report.faults) == ((), (), ())
    assert stored_days(Workspace.of(city).slices) == [MONDAY, TUESDAY]
    assert stale(city) == StaleSlices()
    with pytest.raises(DataError, match="no file of fixes in it"):
        made(city)
    fixes_of(city).rmdir()
    with pytest.raises(DataError, match=r"are missing; set city\.fixes"):
        run(city)


def test_a_day_whose_fixes_all_lie_off_the_roads_is_a_fault_each_time(
    city: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roadgraph.slices.from_probes.FEW_FIXES", 5)
    write_fixes(day_of(2, north_m=150.0), fixes_of(city) / "wed.parquet")
    first, second = run(city), run(city)
    assert first.built == (MONDAY, TUESDAY, WEDNESDAY)
    assert second.built == ()
    assert first.faults == second.faults
    (fault,) = first.faults
    assert fault.name == "2026-01-07"
    assert "no fix of 2026-01-07 to 2026-01-07 matches the network (unmatched 5)" in fault.reason


def test_a_few_fixes_off_the_roads_are_no_fault_and_are_told_once(
    city: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    write_fixes(day_of(2, north_m=150.0)[:2], fixes_of(city) / "wed.parquet")
    first = run(city)
    assert (first.built, first.faults) == ((MONDAY, TUESDAY, WEDNESDAY), ())
    assert read_manifest(Workspace.of(city).slices, WEDNESDAY)["rows"] == 0
    (told,) = caplog.messages
    assert "no fix of 2026-01-07 to 2026-01-07 matches the network (unmatched 2)" in told
    assert told.endswith("it is stored without slices")
    second = run(city)
    assert (second.built, second.faults) == ((), ())
    assert len(caplog.messages) == 1
    write_fixes(day_of(2), fixes_of(city) / "wed.parquet")
    assert run(city).built == (WEDNESDAY,)
    assert read_manifest(Workspace.of(city).slices, WEDNESDAY)["rows"] == 3


def test_days_that_are_not_asked_for_wait(city: Settings) -> None:
    report = run(city, Days(TUESDAY, TUESDAY))
    assert (report.built, report.kept, report.waiting) == ((TUESDAY,), (), 5)
    assert report.rows_in == report.rows_used + report.waiting == 10
    assert list(stale(city).days) == [MONDAY]
    rest = run(city)
    assert (rest.built, rest.kept, rest.waiting) == ((MONDAY,), (TUESDAY,), 0)


def test_a_day_that_is_empty_now_leaves_the_store_when_it_is_asked_for(city: Settings) -> None:
    run(city)
    write_fixes(day_of(2), fixes_of(city) / "mon.parquet")
    moved = replace(city, probes=replace(city.probes, replace=True))
    run(moved, Days(WEDNESDAY, WEDNESDAY))
    assert stored_days(Workspace.of(city).slices) == [MONDAY, TUESDAY, WEDNESDAY]
    assert stale(moved).days[MONDAY] == ("none of its fixes is left",)
    run(moved)
    assert stored_days(Workspace.of(city).slices) == [TUESDAY, WEDNESDAY]


def test_a_plan_says_what_is_to_be_read_and_writes_nothing(city: Settings) -> None:
    assert stale(city).files == ("fixes mon.parquet is new", "fixes tue.parquet is new")
    assert not Workspace.of(city).root.exists()
    run(city)
    assert stale(city) == StaleSlices()
    write_fixes(day_of(0, speed_kph=9.0), fixes_of(city) / "mon.parquet")
    root = Workspace.of(city).root
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    found = stale(city)
    assert found.files == ("fixes mon.parquet changed",)
    assert found.days == {MONDAY: ("fixes 2026-01-05 mon.parquet changed",)}
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_another_setting_network_or_version_is_the_reason(
    city: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(city)
    other = replace(city, probes=replace(city.probes, gps_error_m=20.0))
    assert stale(other).days[MONDAY] == (f"probes.gps_error_m {city.probes.gps_error_m} -> 20.0",)
    assert "was read with other settings" in stale(other).files[0]
    others = stale_slices(city, crossroads_network(), Workspace.of(city))
    assert others.days[MONDAY] == ("network changed",)
    monkeypatch.setattr("roadgraph.slices.planning.version", lambda name: "9")
    assert any(reason.startswith("polars ") for reason in stale(city).days[MONDAY])


def test_a_day_of_an_older_roadgraph_or_with_a_damaged_manifest_is_stale_once(
    city: Settings,
) -> None:
    run(city)
    slices = Workspace.of(city).slices
    before = bytes_of(slices)
    manifest = read_manifest(slices, MONDAY)
    del manifest["depends_on"]
    write_json(slices / "2026-01-05" / "manifest.json", manifest)
    (slices / "2026-01-06" / "manifest.json").write_text("{")
    assert stale(city).days == {
        MONDAY: ("made by an older roadgraph",),
        TUESDAY: ("its manifest or its slices are damaged",),
    }
    assert run(city).built == (MONDAY, TUESDAY)
    assert bytes_of(slices) == before


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_day_whose_slices_are_damaged_is_built_again(
    damage: str, city: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    run(city)
    slices = Workspace.of(city).slices
    before = bytes_of(slices)
    path = slices / "2026-01-05" / "slices.parquet"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        path.unlink()
    assert stale(city).days == {MONDAY: ("its manifest or its slices are damaged",)}
    assert f"{path} is missing or damaged" in caplog.text
    report = run(city)
    assert (report.built, report.kept) == ((MONDAY,), (TUESDAY,))
    assert bytes_of(slices) == before


def test_every_account_is_read_once_a_run(city: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run(city)
    calls = []
    inputs = FixStore.inputs

    def counted(self: FixStore) -> dict[str, Input]:
        calls.append(self.folder)
        return inputs(self)

    monkeypatch.setattr(FixStore, "inputs", counted)
    write_fixes(day_of(2), fixes_of(city) / "wed.parquet")
    assert run(city).built == (WEDNESDAY,)
    assert len(calls) == 1


def test_the_manifests_say_what_was_known_when(city: Settings) -> None:
    run(city)
    slices = Workspace.of(city).slices
    clock = read_clock(slices)
    assert sorted(clock) == ["2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"]
    assert read_clock(slices, TUESDAY, TUESDAY) == {
        "2026-01-06T00:00:00Z": clock["2026-01-06T00:00:00Z"]
    }
    late = drive("late", MONDAY_7 + timedelta(hours=1))
    write_fixes(pl.concat([day_of(0), late]), fixes_of(city) / "mon.parquet")
    run(city)
    after = read_clock(slices)
    assert after.pop("2026-01-05T01:00:00Z")
    assert after == clock


def test_parts_that_no_account_names_are_removed_and_planned_without(city: Settings) -> None:
    run(city)
    workspace = Workspace.of(city)
    before = bytes_of(workspace.root)
    store = FixStore(workspace.fixes)
    (part,) = store.parts(MONDAY)
    lost = part.with_name("lost-00000000.parquet")
    lost.write_bytes(part.read_bytes())
    (account,) = (path for path in (store.folder / "inputs").iterdir() if "mon" in path.name)
    account.unlink()
    assert [plan.day for plan in plan_days(store, NETWORK, city)] == [TUESDAY]
    run(city)
    assert bytes_of(workspace.root) == before


def test_a_run_waits_for_another_one_only_so_long(city: Settings) -> None:
    hasty = replace(city, pipeline=replace(city.pipeline, patience_s=0.0))
    with alone(Workspace.of(city).slices), pytest.raises(LockError, match="has held"):
        run(hasty)


def test_a_plan_of_fixes_needs_roads_with_a_geometry(city: Settings) -> None:
    with pytest.raises(DataError, match="cannot be matched: the network has no geometry"):
        stale_slices(city, detector_network(), Workspace.of(city))


def test_a_full_disk_ends_the_run_with_its_place_and_leaves_what_was_there(
    city: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(city)
    root = Workspace.of(city).root
    before = bytes_of(root)
    write_fixes(pl.concat([day_of(0), day_of(1)]), fixes_of(city) / "tue.parquet")

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "Error writing bytes to file")

    for writer, place in (
        ("roadgraph.probes.fix_store.pq.ParquetWriter.write_table", "fixes"),
        ("roadgraph.slices.building.pq.write_table", "slices/2026-01-05"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(writer, full)
            with pytest.raises(OSError, match="No space left on device") as error:
                run(city)
        assert error.value.filename == str(root / place)
        slices = {name: content for name, content in before.items() if name.startswith("slices/")}
        assert bytes_of(root).items() >= slices.items()
        assert leftovers_of(root) == []
    run(city)
    assert stale(city) == StaleSlices()
