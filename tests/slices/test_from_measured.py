from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from roadgraph.calendar import Days
from roadgraph.errors import DataError
from roadgraph.probes.feed_files import FeedFile
from roadgraph.settings import Settings
from roadgraph.slices import from_measured
from roadgraph.slices.measured_cells import count_slices
from roadgraph.slices.measured_files import Opening, Source
from roadgraph.slices.report import SlicesReport, StaleSlices
from roadgraph.slices.run import make_slices, stale_slices
from roadgraph.slices.store import read_clock, stored_days
from roadgraph.workspace import Workspace
from tests.slices.toy import bytes_of, made
from tests.slices.toy_measured import aggregate, aggregates, measured, traversal, traversals, write
from tests.toy import straight_network

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 1, 5 + number) for number in range(3))
DAY_S = 86_400.0
NETWORK = straight_network()


@pytest.fixture
def city(tmp_path: Path) -> Settings:
    """Return the settings of a city with a file of Monday and one of Tuesday."""
    for day, name in enumerate(("mon", "tue")):
        write_day(tmp_path / "data" / f"{name}.parquet", day)
    return measured(tmp_path / "work", tmp_path / "data")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are opened, as they are."""
    names: list[str] = []
    open_file = Opening.open

    def watched(self: Opening, file: FeedFile, place: int) -> Source | None:
        names.append(file.name)
        return open_file(self, file, place)

    monkeypatch.setattr(Opening, "open", watched)
    return names


def write_day(path: Path, day: int, speed_kph: float = 30.0) -> None:
    rows = [traversal(speed_kph, day * DAY_S + 60.0 * number) for number in range(3)]
    write(traversals(*rows), path)


def run(settings: Settings, days: Days | None = None) -> SlicesReport:
    workspace = Workspace.of(settings)
    return make_slices(settings, NETWORK, workspace, days=days or Days(), tolerant=True)


def stale(settings: Settings) -> StaleSlices:
    return stale_slices(settings, NETWORK, Workspace.of(settings))


def data(settings: Settings) -> Path:
    return Path(settings.city.fixes)


def test_files_that_have_not_changed_are_not_read_again(
    city: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, workspace = made(city)
    before = bytes_of(workspace.root)
    with monkeypatch.context() as patch:
        patch.setattr(from_measured, "read_measured", None)
        second, _ = made(city)
    assert (first.built, first.kept) == ((MONDAY, TUESDAY), ())
    assert (second.built, second.kept) == ((), (MONDAY, TUESDAY))
    assert (second.rows_in, second.rows_used, second.slices) == (6, 6, first.slices)
    assert bytes_of(workspace.root) == before
    assert stale(city) == StaleSlices()


def test_a_new_file_builds_its_own_days_alone(city: Settings, tmp_path: Path) -> None:
    assert stale(city).files == ("rows mon.parquet is new", "rows tue.parquet is new")
    made(city)
    write_day(data(city) / "wed.parquet", 2)
    assert stale(city).files == ("rows wed.parquet is new",)
    report, workspace = made(city)
    assert (report.built, report.kept) == ((WEDNESDAY,), (MONDAY, TUESDAY))
    _, fresh = made(measured(tmp_path / "fresh", data(city)))
    assert bytes_of(workspace.root) == bytes_of(fresh.root)
    assert len(read_clock(workspace.slices)) == 3


def test_only_files_that_are_new_or_have_rows_of_stale_days_are_opened(
    city: Settings, tmp_path: Path, opened: list[str]
) -> None:
    made(city)
    assert opened == ["mon.parquet", "tue.parquet"]
    write(traversals(traversal(50.0, DAY_S + 600.0)), data(city) / "tue2.csv")
    report, workspace = made(city)
    assert opened[2:] == ["tue2.csv", "tue.parquet"]
    assert (report.built, report.kept) == ((TUESDAY,), (MONDAY,))
    assert (report.rows_in, report.rows_used) == (7, 7)
    (workspace.slices / "2026-01-05" / "slices.parquet").unlink()
    assert made(city)[0].built == (MONDAY,)
    assert opened[4:] == ["mon.parquet"]
    _, fresh = made(measured(tmp_path / "fresh", data(city)))
    assert bytes_of(workspace.root) == bytes_of(fresh.root)


def test_known_files_are_judged_again_when_others_show_that_their_clock_was_wrong(
    city: Settings, tmp_path: Path, opened: list[str]
) -> None:
    first, workspace = made(city)
    assert first.refused == {}
    late = [traversal(30.0, 5000 * DAY_S + 60.0 * number) for number in range(20)]
    write(traversals(*late), data(city) / "late.parquet")
    report, _ = made(city)
    assert report.refused == {"stray_clock": 6}
    assert sorted(opened[2:]) == ["late.parquet", "mon.parquet", "tue.parquet"]
    fresh_report, fresh = made(measured(tmp_path / "fresh", data(city)))
    assert (fresh_report.refused, fresh_report.rows_used) == (report.refused, report.rows_used)
    assert bytes_of(workspace.measured) == bytes_of(fresh.measured)
    (data(city) / "late.parquet").unlink()
    assert made(city)[0].refused == {}


def test_a_file_whose_refused_rows_are_gone_is_read_again(city: Settings) -> None:
    _, workspace = made(city)
    before = bytes_of(workspace.root)
    for path in (workspace.measured / "quarantine").iterdir():
        path.unlink()
    write_day(data(city) / "wed.parquet", 2)
    made(city)
    assert bytes_of(workspace.root).items() >= before.items()


def test_another_kind_of_rows_than_that_of_known_files_is_refused(city: Settings) -> None:
    made(city)
    write(aggregates(aggregate()), data(city) / "wed.csv")
    with pytest.raises(DataError, match=r"mon\.parquet holds traversals and wed\.csv aggregates"):
        made(city)


def test_a_changed_file_and_one_that_is_gone_are_named(city: Settings) -> None:
    made(city)
    write_day(data(city) / "mon.parquet", 0, speed_kph=40.0)
    assert stale(city) == StaleSlices(
        files=("rows mon.parquet changed",), days={MONDAY: ("rows mon.parquet changed",)}
    )
    assert made(city)[0].built == (MONDAY,)
    (data(city) / "mon.parquet").unlink()
    assert stale(city) == StaleSlices()
    report, workspace = made(city)
    assert report.kept == (TUESDAY,)
    assert stored_days(workspace.slices) == [MONDAY, TUESDAY]


def test_days_that_are_not_asked_for_wait(city: Settings) -> None:
    report = run(city, Days(TUESDAY, None))
    assert (report.built, report.kept, report.waiting) == ((TUESDAY,), (), 3)
    assert stale(city).days == {MONDAY: ("none yet",)}
    rest = run(city)
    assert (rest.built, rest.kept, rest.waiting) == ((MONDAY,), (TUESDAY,), 0)


def test_a_broken_file_is_left_out_and_its_days_stay_as_they_were(city: Settings) -> None:
    run(city)
    before = bytes_of(Workspace.of(city).slices)
    (data(city) / "mon.parquet").write_bytes(b"PAR1")
    (data(city) / "twin.parquet").write_bytes((data(city) / "tue.parquet").read_bytes())
    (data(city) / "week.zip").write_bytes(b"PK nonsense")
    write(traversals(), data(city) / "none.csv")
    first, second = run(city), run(city)
    assert [fault.name for fault in first.faults] == ["week.zip", "twin.parquet", "mon.parquet"]
    assert second.faults == first.faults
    assert bytes_of(Workspace.of(city).slices) == before
    with pytest.raises(DataError, match=r"week\.zip"):
        made(city)


def test_a_day_that_would_lose_rows_is_a_fault_and_stays(city: Settings, opened: list[str]) -> None:
    run(city)
    before = bytes_of(Workspace.of(city).slices)
    write(traversals(traversal(50.0)), data(city) / "mon.parquet")
    report = run(city)
    assert [fault.name for fault in report.faults] == ["2026-01-05"]
    assert "measured.replace=true" in report.faults[0].reason
    assert bytes_of(Workspace.of(city).slices) == before
    assert stale(city) == StaleSlices()
    opened.clear()
    assert run(city).faults == report.faults
    assert run(city, Days(TUESDAY, None)).faults == ()
    assert opened == []
    write_day(data(city) / "wed.parquet", 2)
    assert run(city).faults == report.faults
    assert opened == ["wed.parquet"]
    with pytest.raises(DataError, match=r"set measured\.replace=true"):
        made(city)
    allowed = replace(city, measured=replace(city.measured, replace=True))
    assert list(stale(allowed).days) == [MONDAY]
    last = run(allowed)
    assert (last.built, last.faults) == ((MONDAY,), ())
    assert run(city).faults == ()


def test_a_day_whose_slices_are_damaged_is_built_again(city: Settings) -> None:
    _, workspace = made(city)
    before = bytes_of(workspace.slices)
    (workspace.slices / "2026-01-05" / "slices.parquet").write_bytes(b"PAR1")
    assert list(stale(city).days) == [MONDAY]
    report, _ = made(city)
    assert (report.built, report.kept) == ((MONDAY,), (TUESDAY,))
    assert bytes_of(workspace.slices) == before


def test_damage_that_shows_only_when_rows_are_counted_is_a_fault(
    city: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"mon.parquet"}

    def failing(sources: Any) -> Any:
        if any(source.name in broken for source in sources):
            raise DataError("it cannot be read")
        return count_slices(sources)

    monkeypatch.setattr("roadgraph.slices.measured_reading.count_slices", failing)
    report = run(city)
    assert [fault.name for fault in report.faults] == ["mon.parquet"]
    assert report.built == (TUESDAY,)
    with pytest.raises(DataError, match="it cannot be read"):
        made(city)
    broken.add("tue.parquet")
    write_day(data(city) / "tue.parquet", 1, speed_kph=40.0)
    with pytest.raises(DataError, match="it cannot be read"):
        run(city)


def test_a_damaged_record_costs_time_alone(
    city: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    _, workspace = made(city)
    (workspace.measured / ".newest.json").write_text("{}")
    assert made(city)[0].kept == (MONDAY, TUESDAY)
    assert "all files are read again" in caplog.text
