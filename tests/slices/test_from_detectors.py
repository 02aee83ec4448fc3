from datetime import date
from pathlib import Path

from roadgraph.calendar import Days
from roadgraph.settings import Settings
from roadgraph.slices.run import make_slices, stale_slices
from roadgraph.slices.store import read_clock, read_manifest
from roadgraph.workspace import Workspace
from tests.slices.toy import bytes_of, made, settings_of
from tests.toy import detector_network

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


def city(folder: Path, *rows: str) -> Settings:
    """Return the settings of a city whose slices begin on Monday at 23:30."""
    path = folder / "speed.csv"
    path.write_text("\n".join(["d0,d9", *rows]) + "\n")
    source = {"source": "detectors", "speeds": str(path), "speeds_start": "2026-01-05T23:30"}
    return settings_of(folder / "work", path, city=source)


def test_only_days_whose_rows_have_changed_are_written_again(tmp_path: Path) -> None:
    network = detector_network()
    settings = city(tmp_path, "50,60", "51,61", "52,62")
    report, workspace = made(settings, network)
    assert (report.built, report.kept) == ((MONDAY, TUESDAY), ())
    before = bytes_of(workspace.slices)
    again, _ = made(settings, network)
    assert (again.built, again.kept) == ((), (MONDAY, TUESDAY))
    assert (again.rows_in, again.rows_used, again.slices, again.refused) == (
        report.rows_in, report.rows_used, report.slices, report.refused,
    )  # fmt: skip
    assert bytes_of(workspace.slices) == before
    city(tmp_path, "50,60", "51,61", "52,62", "53,")
    assert stale_slices(settings, network, workspace).days == {
        TUESDAY: ("speeds changed", "rows 1 of 2 -> 2 of 3"),
    }
    grown, _ = made(settings, network)
    assert (grown.built, grown.kept) == ((TUESDAY,), (MONDAY,))
    assert read_manifest(workspace.slices, TUESDAY)["inputs"] == {
        "speed.csv": {"rows": 3, "used": 2, "refused": {"not_in_network": 1}},
    }
    assert len(read_clock(workspace.slices)) == 4


def test_days_that_are_not_asked_for_wait(tmp_path: Path) -> None:
    settings = city(tmp_path, "50,60", "51,61", "52,62")
    workspace = Workspace.of(settings)
    network = detector_network()
    report = make_slices(settings, network, workspace, days=Days(MONDAY, MONDAY))
    assert (report.built, report.kept, report.waiting) == ((MONDAY,), (), 1)
    assert list(stale_slices(settings, network, workspace).days) == [TUESDAY]
