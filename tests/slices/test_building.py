from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from roadgraph.config import settings_from_dict
from roadgraph.errors import DataError
from roadgraph.network.network import Network
from roadgraph.schema import SLICES, TRAVERSALS
from roadgraph.settings import Settings
from roadgraph.slices.building import build_slices
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


def settings_of(fixes: Path, minutes: int = 15) -> Settings:
    city = {"name": "toy", "fixes": str(fixes)}
    return settings_from_dict({"city": city, "slices": {"minutes": minutes}})


def good() -> pl.DataFrame:
    """Return 15 fixes: v1 and v2 drive at 7.2 km/h, v3 drives at 14.4 km/h."""
    return pl.concat([drive("v1"), drive("v2"), drive("v3", speed_kph=14.4, every_s=15)])


def bad() -> pl.DataFrame:
    """Return 33 fixes that cannot be used, of every kind."""
    parked = [fix("parked", 60 * i, 50, 0, 0.0) for i in range(16)]
    return fixes_table(
        [
            fix(None),
            fix("x", timestamp=None),
            fix("x", timestamp=None),
            *[fix("x", second, lat=None) for second in range(3)],
            *[fix("x", second, speed_kph=300.0) for second in range(4)],
            fix("x", north_m=700),
            fix("v1", 0, east_m=40, north_m=5),  # of two, the southern one stays
            *parked,
            fix("lone"),
            *[fix("far", 30 * second, north_m=150) for second in range(4)],
        ]
    )


REFUSED = {
    "no_vehicle": 1,
    "bad_time": 2,
    "bad_position": 3,
    "bad_speed": 4,
    "outside_network": 1,
    "duplicate": 1,
    "parked": 16,
    "lone_fix": 1,
    "unmatched": 4,
}


def test_good_fixes_among_bad_ones_of_every_kind_become_slices_with_a_full_account(
    tmp_path: Path,
) -> None:
    path = write_fixes(pl.concat([bad(), good()]), tmp_path / "fixes.parquet")
    built = build_slices(settings_of(path), straight_network())
    report = built.report
    assert report.refused == REFUSED
    assert report.inputs == ("fixes.parquet",)
    assert (report.rows_in, report.rows_used) == (33 + 15, 15)

    slices = built.slices
    assert slices.schema == SLICES.schema
    assert slices["segment_id"].to_pylist() == ["A", "B", "C"]
    assert slices["slice_start"].to_pylist() == [START] * 3
    assert slices["count_probes"].to_pylist() == [3, 3, 3]
    # All three see the same shares, so the means are (7.2 + 7.2 + 14.4) / 3 = 9.6.
    assert slices["mean_speed"].to_pylist() == pytest.approx([9.6] * 3, rel=1e-3)
    assert slices["median_speed"].to_pylist() == pytest.approx([7.2] * 3, rel=1e-3)
    assert slices["speed_std"].to_pylist() == pytest.approx([11.52**0.5] * 3, rel=1e-3)
    assert built.traversals is not None
    assert built.traversals.schema == TRAVERSALS.schema
    assert set(built.traversals["vehicle_id"].to_pylist()) == {"v1", "v2", "v3"}
    assert built.traversals.num_rows == 9


def test_the_bad_rows_change_nothing_in_the_slices(tmp_path: Path) -> None:
    mixed = write_fixes(pl.concat([good(), bad()]), tmp_path / "mixed.parquet")
    clean = write_fixes(good(), tmp_path / "clean.parquet")
    network = straight_network()
    found = build_slices(settings_of(mixed), network)
    expected = build_slices(settings_of(clean), network)
    assert found.slices.equals(expected.slices)
    assert expected.report.refused == {}


def test_a_drive_over_the_end_of_a_file_and_of_a_slice_is_one_drive(tmp_path: Path) -> None:
    # At 2 m/s from 23:59:30 local time on: 60 m before midnight.
    start = MONDAY_7 + timedelta(hours=16, minutes=59, seconds=30)
    fixes = drive("v1", start)
    one = write_fixes(fixes, tmp_path / "one.parquet")
    (tmp_path / "days").mkdir()
    write_fixes(fixes[:2], tmp_path / "days" / "monday.csv")
    write_fixes(fixes[2:], tmp_path / "days" / "tuesday.csv")
    network = straight_network()
    whole = build_slices(settings_of(one), network)
    parts = build_slices(settings_of(tmp_path / "days"), network)
    assert parts.slices.equals(whole.slices)
    assert parts.report.inputs == ("monday.csv", "tuesday.csv")
    assert parts.report.refused == {}
    midnight = START + timedelta(hours=17)
    rows = list(
        zip(
            whole.slices["segment_id"].to_pylist(),
            whole.slices["slice_start"].to_pylist(),
            strict=True,
        )
    )
    before = midnight - timedelta(minutes=15)
    assert rows == [("A", before), ("A", midnight), ("B", midnight), ("C", midnight)]
    assert whole.slices["mean_speed"].to_pylist() == pytest.approx([7.2] * 4, rel=1e-3)


def test_the_same_fixes_in_another_order_give_the_same_tables(tmp_path: Path) -> None:
    path = write_fixes(good(), tmp_path / "fixes.parquet")
    shuffled = good().sample(fraction=1.0, shuffle=True, seed=3)
    other = write_fixes(shuffled, tmp_path / "shuffled.parquet")
    network = straight_network()
    first, second = (build_slices(settings_of(file), network) for file in (path, other))
    assert first.slices.equals(second.slices)
    assert first.traversals is not None
    assert first.traversals.equals(second.traversals)


def test_the_length_of_a_slice_is_a_setting(tmp_path: Path) -> None:
    path = write_fixes(drive("v1"), tmp_path / "fixes.parquet")
    settings = settings_from_dict(
        {
            "city": {"fixes": str(path)},
            "slices": {"minutes": 1},
            "probes": {"max_gap_s": 60},
        }
    )
    built = build_slices(settings, straight_network())
    # A from 0 to 45 s, B from 45 to 95 s, C from 95 to 120 s.
    keys = [
        (row["segment_id"], (row["slice_start"] - START).total_seconds())
        for row in built.slices.to_pylist()
    ]
    assert keys == [("A", 0), ("B", 0), ("B", 60), ("C", 60)]


def test_progress_names_each_step_and_ends_at_one(tmp_path: Path) -> None:
    path = write_fixes(good(), tmp_path / "fixes.parquet")
    calls: list[tuple[str, float]] = []
    build_slices(settings_of(path), straight_network(), lambda *call: calls.append(call))
    assert list(dict.fromkeys(step for step, _ in calls)) == [
        "reading fixes", "matching fixes", "aggregating slices",
    ]  # fmt: skip
    assert set(dict(calls).values()) == {1.0}


def test_detectors_become_slices_without_matching(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    path.write_text("d0,d1\n50,60\n51,\n")
    city = {"source": "detectors", "speeds": str(path), "speeds_start": "2026-01-05T00:00"}
    built = build_slices(settings_from_dict({"city": city}), detector_network())
    assert built.traversals is None
    assert built.slices["mean_speed"].to_pylist() == [50, 51, 60]
    report = built.report
    assert report.inputs == ("speed.csv",)
    assert (report.rows_in, report.rows_used, report.refused) == (3, 3, {})


@pytest.mark.parametrize(
    ("fixes", "counts"),
    [
        (drive("v1", north_m=150), "unmatched 5"),
        (fixes_table([fix("v1", lat=100.6, lon=13.8)] * 2), "bad_position 2"),
        (fixes_table([fix("v1", lat=52.5, lon=13.4)]), "outside_network 1"),
        (fixes_table([fix("v1"), fix("v2")]), "lone_fix 2"),
    ],
    ids=["far", "swapped", "another city", "lone"],
)
def test_fixes_of_which_none_matches_are_refused_with_the_account(
    fixes: pl.DataFrame, counts: str, tmp_path: Path
) -> None:
    path = write_fixes(fixes, tmp_path / "fixes.parquet")
    with pytest.raises(DataError) as error:
        build_slices(settings_of(path), straight_network())
    message = str(error.value)
    assert message.startswith(f"{path}: none of the {len(fixes)} fixes matches the network")
    assert f"({counts})" in message


def test_fixes_without_geometry_to_match_them_to_are_refused(tmp_path: Path) -> None:
    path = write_fixes(drive(), tmp_path / "fixes.parquet")
    with pytest.raises(DataError, match="cannot be matched: the network has no geometry"):
        build_slices(settings_of(path), detector_network())


def test_a_missing_file_of_fixes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothere are missing; set city\.fixes"):
        build_slices(settings_of(tmp_path / "nothere"), straight_network())


@pytest.mark.parametrize("network", [straight_network(), crossroads_network()])
def test_every_row_of_the_slices_belongs_to_a_segment_of_the_network(
    network: Network, tmp_path: Path
) -> None:
    path = write_fixes(good(), tmp_path / "fixes.parquet")
    built = build_slices(settings_of(path), network)
    assert built.slices.num_rows > 0
    assert set(built.slices["segment_id"].to_pylist()) <= set(network.segment_ids)
