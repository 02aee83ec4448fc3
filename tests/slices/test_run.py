from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from roadgraph.errors import DataError
from roadgraph.network.network import Network
from roadgraph.probes.fix_store import FixStore
from roadgraph.schema import QUARANTINE, SLICES, TRAVERSALS
from roadgraph.slices.store import DayFolder, read_slices, stored_days
from roadgraph.storage import write_json
from tests.slices.toy import bytes_of, made, settings_of, table_of_days
from tests.toy import (
    MONDAY_7,
    crossroads_network,
    detector_network,
    drive,
    fix,
    fixes_table,
    straight_network,
    write_fixes,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)


def good() -> pl.DataFrame:
    """Return 15 fixes: v1 and v2 drive at 7.2 km/h, v3 drives at 14.4 km/h."""
    return pl.concat([drive("v1"), drive("v2"), drive("v3", speed_kph=14.4, every_s=15)])


def bad() -> pl.DataFrame:
    """Return 57 fixes that cannot be used, of every kind."""
    # Known to be parked at 07:15, when the second slice has begun: its fixes alone are refused.
    parked = [fix("parked", 900 + 60 * i, 50, 0, 0.0) for i in range(30)]
    return fixes_table(
        [
            fix(None),
            fix("x", timestamp=None),
            fix("x", timestamp=None),
            *[fix("x", second, lat=None) for second in range(3)],
            *[fix("x", second, speed_kph=300.0) for second in range(4)],
            fix("x", north_m=700),
            fix("x", start=MONDAY_7 - timedelta(days=9000)),
            fix("v1", 0, east_m=40, north_m=5),  # of two, the southern one stays
            *parked[15:],
            fix("lone", speed_kph=None),
            *[fix("far", 30 * second, north_m=150) for second in range(4)],
        ]
    )


REFUSED = {
    "bad_position": 3,
    "bad_speed": 4,
    "bad_time": 2,
    "duplicate": 1,
    "lone_fix": 1,
    "no_vehicle": 1,
    "outside_network": 1,
    "stray_clock": 1,
    "unmatched": 4,
}


def test_good_fixes_among_bad_ones_of_every_kind_become_slices_with_a_full_account(
    tmp_path: Path,
) -> None:
    path = write_fixes(pl.concat([bad(), good()]), tmp_path / "fixes.parquet")
    report, workspace = made(settings_of(tmp_path / "work", path))
    assert report.inputs == ("fixes.parquet",)
    assert {rule: n for rule, n in report.refused.items() if rule != "parked"} == REFUSED
    assert report.rows_in == len(bad()) + 15
    assert report.rows_in == report.rows_used + sum(report.refused.values())
    assert report.built == (MONDAY,)

    slices = read_slices(workspace.slices)
    assert slices.schema == SLICES.schema
    of_first_slice = pl.DataFrame(slices).filter(pl.col("slice_start") == START)
    assert of_first_slice["segment_id"].to_list() == ["A", "B", "C"]
    assert of_first_slice["count_probes"].to_list() == [3, 3, 3]
    # All three see the same shares; distance over time is 3 / (1/7.2 + 1/7.2 + 1/14.4) = 8.64.
    assert of_first_slice["mean_speed"].to_list() == pytest.approx([8.64] * 3, rel=1e-3)
    assert of_first_slice["median_speed"].to_list() == pytest.approx([7.2] * 3, rel=1e-3)
    assert of_first_slice["speed_std"].to_list() == pytest.approx([11.52**0.5] * 3, rel=1e-3)


def test_every_refused_row_lies_in_a_quarantine_with_its_file_row_and_rule(tmp_path: Path) -> None:
    path = write_fixes(pl.concat([bad(), good()]), tmp_path / "fixes.csv")
    settings = settings_of(tmp_path / "work", path)
    report, workspace = made(settings)
    store = FixStore(workspace.fixes)
    (account,) = store.inputs().values()
    read = pl.read_parquet(store.quarantine(account))
    matched = table_of_days(workspace, "quarantine")
    assert list(read.columns) == list(matched.columns) == QUARANTINE.columns
    both = pl.concat([read, matched.with_columns(file=pl.lit("fixes.csv"))])
    counts = dict(both.group_by("rule").len().iter_rows())
    assert counts == report.refused
    assert both["row"].n_unique() == len(both)
    # The header is line 1, so the first row of `bad` is line 2.
    assert both.filter(pl.col("rule") == "no_vehicle")["row"].to_list() == [2]
    assert both.filter(pl.col("rule") == "stray_clock")["row"].to_list() == [13]


def test_the_bad_rows_change_nothing_in_the_slices(tmp_path: Path) -> None:
    useless = bad().filter(pl.col("vehicle_id").ne_missing("parked"))
    mixed = write_fixes(pl.concat([good(), useless]), tmp_path / "mixed.parquet")
    clean = write_fixes(good(), tmp_path / "clean.parquet")
    _, found = made(settings_of(tmp_path / "a", mixed))
    report, expected = made(settings_of(tmp_path / "b", clean))
    assert read_slices(found.slices).equals(read_slices(expected.slices))
    assert report.refused == {}


def over_midnight() -> pl.DataFrame:
    """Return a drive at 2 m/s from 23:59:30 local time on: 60 m before midnight."""
    return drive("v1", MONDAY_7 + timedelta(hours=16, minutes=59, seconds=30))


def test_a_trip_over_midnight_is_one_trip_and_each_part_lands_in_its_own_day(
    tmp_path: Path,
) -> None:
    fixes = over_midnight()
    one = write_fixes(fixes, tmp_path / "one.parquet")
    (tmp_path / "days").mkdir()
    write_fixes(fixes[:2], tmp_path / "days" / "monday.csv")
    write_fixes(fixes[2:], tmp_path / "days" / "tuesday.csv")
    _, whole = made(settings_of(tmp_path / "a", one))
    report, parts = made(settings_of(tmp_path / "b", tmp_path / "days"))
    slices = read_slices(whole.slices)
    assert read_slices(parts.slices).equals(slices)
    assert report.inputs == ("monday.csv", "tuesday.csv")
    assert report.built == (MONDAY, TUESDAY)
    assert report.refused == {}
    midnight = START + timedelta(hours=17)
    before = midnight - timedelta(minutes=15)
    keys = [(row["segment_id"], row["slice_start"]) for row in slices.to_pylist()]
    assert keys == [("A", before), ("A", midnight), ("B", midnight), ("C", midnight)]
    assert slices["mean_speed"].to_pylist() == pytest.approx([7.2] * 4, rel=1e-3)


def write_three_days(folder: Path) -> dict[str, Path]:
    """Write a file a day; each has the drive over the midnight before it, and a late fix."""
    folder.mkdir()
    files = {}
    for number, name in enumerate(("mon", "tue", "wed")):
        start = MONDAY_7 + timedelta(days=number)
        late = drive(f"late{number}", start - timedelta(hours=9))
        night = over_midnight().with_columns(pl.col("timestamp") + timedelta(days=number - 1))
        rows = pl.concat([drive(f"v{number}", start), late, night])
        files[name] = write_fixes(rows, folder / f"{name}.parquet")
    return files


def test_days_can_come_in_any_order_and_late_and_give_the_same_bytes(tmp_path: Path) -> None:
    files = write_three_days(tmp_path / "fixes")
    _, together = made(settings_of(tmp_path / "a", tmp_path / "fixes"))
    for name in ("wed", "mon", "tue"):
        _, apart = made(settings_of(tmp_path / "b", files[name]))
    assert bytes_of(apart.slices) == bytes_of(together.slices)


def test_running_twice_reads_and_builds_nothing_again_and_reports_the_same(
    tmp_path: Path,
) -> None:
    write_three_days(tmp_path / "fixes")
    settings = settings_of(tmp_path / "a", tmp_path / "fixes")
    first, workspace = made(settings)
    before = bytes_of(workspace.root)
    second, _ = made(settings)
    assert bytes_of(workspace.root) == before
    assert (second.built, second.kept) == ((), first.built)
    assert (second.rows_in, second.rows_used, second.slices) == (
        first.rows_in, first.rows_used, first.slices,
    )  # fmt: skip


def test_a_new_day_builds_itself_and_the_days_beside_it_alone(tmp_path: Path) -> None:
    files = write_three_days(tmp_path / "fixes")
    late = drive("far", MONDAY_7 + timedelta(days=5))
    made(settings_of(tmp_path / "a", tmp_path / "fixes"))
    friday = write_fixes(late, tmp_path / "friday.parquet")
    report, _ = made(settings_of(tmp_path / "a", friday))
    assert report.built == (date(2026, 1, 10),)
    assert files


def test_another_setting_of_the_probes_builds_every_day_again(tmp_path: Path) -> None:
    write_three_days(tmp_path / "fixes")
    made(settings_of(tmp_path / "a", tmp_path / "fixes"))
    other = settings_of(tmp_path / "a", tmp_path / "fixes", probes={"gps_error_m": 20.0})
    report, _ = made(other)
    assert report.kept == ()
    assert len(report.built) == 4  # a drive of Sunday night came with Monday's file


def test_the_same_fixes_in_another_order_give_the_same_tables(tmp_path: Path) -> None:
    path = write_fixes(good(), tmp_path / "fixes.parquet")
    shuffled = good().sample(fraction=1.0, shuffle=True, seed=3)
    other = write_fixes(shuffled, tmp_path / "shuffled.parquet")
    _, first = made(settings_of(tmp_path / "a", path))
    _, second = made(settings_of(tmp_path / "b", other))
    for table, schema in (("slices", SLICES), ("traversals", TRAVERSALS)):
        assert table_of_days(first, table).equals(table_of_days(second, table))
        assert table_of_days(first, table).columns == schema.columns


def test_the_length_of_a_slice_is_a_setting(tmp_path: Path) -> None:
    path = write_fixes(drive("v1"), tmp_path / "fixes.parquet")
    settings = settings_of(tmp_path / "work", path, slices={"minutes": 1}, probes={"max_gap_s": 60})
    _, workspace = made(settings)
    # A from 0 to 45 s, B from 45 to 95 s, C from 95 to 120 s.
    keys = [
        (row["segment_id"], (row["slice_start"] - START).total_seconds())
        for row in read_slices(workspace.slices).to_pylist()
    ]
    assert keys == [("A", 0), ("B", 0), ("B", 60), ("C", 60)]


def test_a_store_of_another_slice_length_is_refused_before_any_work(tmp_path: Path) -> None:
    path = write_fixes(drive("v1"), tmp_path / "fixes.parquet")
    _, workspace = made(settings_of(tmp_path / "work", path))
    before = bytes_of(workspace.root)
    other = settings_of(
        tmp_path / "work",
        path,
        slices={"minutes": 30},
        dataset={"horizons_min": [30, 60]},
        evaluation={"report_horizons_min": [30, 60]},
    )
    with pytest.raises(DataError, match="holds slices of 15 minutes, not 30"):
        made(other)
    assert bytes_of(workspace.root) == before


def test_progress_names_each_step_and_ends_at_one(tmp_path: Path) -> None:
    from roadgraph.slices.run import make_slices
    from roadgraph.workspace import Workspace

    path = write_fixes(good(), tmp_path / "fixes.parquet")
    calls: list[tuple[str, float]] = []
    settings = settings_of(tmp_path / "work", path)
    make_slices(
        settings, straight_network(), Workspace.of(settings), lambda *call: calls.append(call)
    )
    assert list(dict.fromkeys(step for step, _ in calls)) == ["reading fixes", "matching fixes"]
    assert set(dict(calls).values()) == {1.0}


def test_detectors_become_slices_without_matching(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    path.write_text("d0,d1\n50,60\n51,\n")
    city = {"source": "detectors", "speeds": str(path), "speeds_start": "2026-01-05T00:00"}
    report, workspace = made(settings_of(tmp_path / "work", path, city=city), detector_network())
    assert read_slices(workspace.slices)["mean_speed"].to_pylist() == [50, 51, 60]
    assert report.inputs == ("speed.csv",)
    assert (report.rows_in, report.rows_used, report.refused) == (3, 3, {})
    assert report.matching is None
    folder = DayFolder(workspace.slices / "2026-01-05")
    assert not folder.traversals.exists()


def test_speeds_of_detectors_that_were_cut_away_are_refused_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    path.write_text("d0,d9\n50,60\n51,\n")
    city = {"source": "detectors", "speeds": str(path), "speeds_start": "2026-01-05T00:00"}
    report, workspace = made(settings_of(tmp_path / "work", path, city=city), detector_network())
    assert read_slices(workspace.slices)["segment_id"].to_pylist() == ["d0", "d0"]
    assert (report.rows_in, report.rows_used) == (3, 2)
    assert report.refused == {"not_in_network": 1}
    path.write_text("d8,d9\n50,60\n51,\n")
    with pytest.raises(DataError, match="none of its 3 speeds is of a detector that the network"):
        made(settings_of(tmp_path / "other", path, city=city), detector_network())


@pytest.mark.parametrize(
    ("fixes", "message"),
    [
        (drive("v1", north_m=150), "no fix of 2026-01-05 to 2026-01-05 matches.*unmatched 5"),
        (fixes_table([fix("v1", lat=100.6, lon=13.8)] * 2), "none of the 2.*bad_position 2"),
        (fixes_table([fix("v1", lat=52.5, lon=13.4)]), "none of the 1 .*outside_network 1"),
        (
            fixes_table([fix("v1", speed_kph=None), fix("v2", speed_kph=None)]),
            "no fix of .*lone_fix 2",
        ),
        (drive().clear(), "no fix in it"),
    ],
    ids=["far", "swapped", "another city", "lone", "empty"],
)
def test_fixes_of_which_none_matches_are_refused_with_the_account(
    fixes: pl.DataFrame, message: str, tmp_path: Path
) -> None:
    path = write_fixes(fixes, tmp_path / "fixes.parquet")
    with pytest.raises(DataError, match=message):
        made(settings_of(tmp_path / "work", path))
    assert not (tmp_path / "work" / "toy" / "slices").exists() or not list(
        (tmp_path / "work" / "toy" / "slices").iterdir()
    )


def test_many_swapped_positions_are_named_and_leave_the_store_as_it_was(tmp_path: Path) -> None:
    path = write_fixes(good(), tmp_path / "fixes.parquet")
    _, workspace = made(settings_of(tmp_path / "work", path))
    before = bytes_of(workspace.root)
    swapped = pl.concat([good(), good()]).rename({"lat": "lon", "lon": "lat"})
    other = write_fixes(swapped, tmp_path / "other.csv")
    with pytest.raises(DataError, match=r"other\.csv: latitude and longitude look swapped \(row 2"):
        made(settings_of(tmp_path / "work", other))
    assert bytes_of(workspace.root) == before


def test_a_run_that_breaks_off_keeps_the_days_that_were_done_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_three_days(tmp_path / "fixes")
    _, workspace = made(settings_of(tmp_path / "a", files["mon"]))
    before = bytes_of(workspace.slices)
    assert set(stored_days(workspace.slices)) == {date(2026, 1, 4), MONDAY}
    calls = []

    def failing(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write_json(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("roadgraph.slices.building.write_json", failing)
    with pytest.raises(KeyboardInterrupt):
        made(settings_of(tmp_path / "a", tmp_path / "fixes"))
    monkeypatch.undo()
    left = bytes_of(workspace.slices)
    changed = {name.split("/")[0] for name in before if left[name] != before[name]}
    assert changed == {"2026-01-05"}  # it has got fixes; the second day broke off
    report, again = made(settings_of(tmp_path / "a", tmp_path / "fixes"))
    assert report.kept == (date(2026, 1, 4), MONDAY)
    _, fresh = made(settings_of(tmp_path / "b", tmp_path / "fixes"))
    assert bytes_of(again.slices) == bytes_of(fresh.slices)


def test_a_file_that_replaces_one_of_its_name_must_not_lose_rows(tmp_path: Path) -> None:
    path = tmp_path / "fixes.parquet"
    write_fixes(good(), path)
    settings = settings_of(tmp_path / "work", path)
    made(settings)
    tuesday = good().with_columns(pl.col("timestamp") + timedelta(days=1))
    write_fixes(tuesday, path)
    with pytest.raises(DataError, match=r"15 rows of 2026-01-05; now it gives 0.*probes\.replace"):
        made(settings)
    allowed = settings_of(tmp_path / "work", path, probes={"replace": True})
    report, workspace = made(allowed)
    assert report.built == (TUESDAY,)
    assert FixStore(workspace.fixes).days() == [TUESDAY]
    assert stored_days(workspace.slices) == [TUESDAY]


def test_a_corrected_file_of_the_same_name_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "fixes.parquet"
    write_fixes(good(), path)
    settings = settings_of(tmp_path / "work", path)
    made(settings)
    corrected = good().with_columns(pl.col("timestamp") + timedelta(minutes=15))
    write_fixes(corrected, path)
    report, workspace = made(settings)
    assert report.rows_in == 15
    starts = set(read_slices(workspace.slices)["slice_start"].to_pylist())
    assert starts == {START + timedelta(minutes=15)}


def test_fixes_without_geometry_to_match_them_to_are_refused(tmp_path: Path) -> None:
    path = write_fixes(drive(), tmp_path / "fixes.parquet")
    with pytest.raises(DataError, match="cannot be matched: the network has no geometry"):
        made(settings_of(tmp_path / "work", path), detector_network())


def test_a_missing_file_of_fixes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothere are missing; set city\.fixes"):
        made(settings_of(tmp_path / "work", tmp_path / "nothere"))


@pytest.mark.parametrize("network", [straight_network(), crossroads_network()])
def test_every_row_of_the_slices_belongs_to_a_segment_of_the_network(
    network: Network, tmp_path: Path
) -> None:
    path = write_fixes(good(), tmp_path / "fixes.parquet")
    _, workspace = made(settings_of(tmp_path / "work", path), network)
    slices = read_slices(workspace.slices)
    assert slices.num_rows > 0
    assert set(slices["segment_id"].to_pylist()) <= set(network.segment_ids)


def test_the_nearest_segment_serves_feeds_too_sparse_for_trips(tmp_path: Path) -> None:
    rows = [fix("v1", 600 * i, east_m=50 + 100 * i, speed_kph=30.0) for i in range(3)]
    path = write_fixes(fixes_table(rows), tmp_path / "fixes.parquet")
    settings = settings_of(tmp_path / "work", path, probes={"matcher": "nearest"})
    report, workspace = made(settings)
    slices = read_slices(workspace.slices)
    assert (report.rows_used, report.refused) == (3, {})
    assert slices["segment_id"].to_pylist() == ["A", "B", "C"]
    assert slices["mean_speed"].to_pylist() == [30.0] * 3
