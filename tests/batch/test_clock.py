import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.batch.clock import Clock, look_back_from

FIRST, SECOND, FOURTH = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 8)


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def write_day(
    folder: Path, day: date, checksums: dict[str, str], observed: Sequence[str] | None = None
) -> None:
    """Write a day of slices with fixes; every one of them was observed unless told otherwise."""
    starts = list(checksums) if observed is None else list(observed)
    path = folder / str(day)
    path.mkdir(parents=True)
    content = {
        "slice_minutes": 60,
        "rows": len(starts),
        "fixes_by_slice": checksums,
        "depends_on": {f"fixes {day} a.parquet": "sha", "probes.max_gap_s": "120.0"},
    }
    (path / "manifest.json").write_text(json.dumps(content))
    times = pa.array([pd.Timestamp(start) for start in starts], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"slice_start": times}), path / "slices.parquet")


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    write_day(tmp_path, FIRST, {"2026-01-05T10:00:00Z": "a"})
    hours = {"2026-01-06T08:00:00Z": "b", "2026-01-06T09:00:00Z": "c"}
    write_day(tmp_path, SECOND, hours)
    return tmp_path


def test_a_forecast_sees_slices_that_are_over(slices: Path) -> None:
    clock = Clock(slices, FIRST, SECOND, 60)
    assert clock.newest(at("2026-01-06T10:00")) == at("2026-01-06T09:00")
    assert clock.newest(at("2026-01-06T09:00")) == at("2026-01-06T08:00")
    assert clock.newest(at("2026-01-06T08:00")) == at("2026-01-05T10:00")
    assert clock.newest(at("2026-01-05T10:00")) is None


def test_it_depends_on_the_slices_that_its_model_looks_at_and_on_no_later_ones(
    slices: Path,
) -> None:
    time = at("2026-01-06T10:00")
    before = Clock(slices, FIRST, SECOND, 60).data_before(time, 2)
    assert before["newest observation"] == "2026-01-06T09:00:00+00:00"

    def with_another(start: str) -> dict[str, str]:
        path = slices / start[:10] / "manifest.json"
        content = json.loads(path.read_text())
        kept = path.read_text()
        content["fixes_by_slice"][start] = "other"
        path.write_text(json.dumps(content))
        found = Clock(slices, FIRST, SECOND, 60).data_before(time, 2)
        path.write_text(kept)
        return found

    assert with_another("2026-01-06T08:00:00Z") != before
    assert with_another("2026-01-06T09:00:00Z") != before
    assert with_another("2026-01-06T07:00:00Z") == before
    assert with_another("2026-01-06T10:00:00Z") == before
    assert with_another("2026-01-05T10:00:00Z") == before


def test_without_data_before_it_a_forecast_depends_on_none(slices: Path) -> None:
    assert Clock(slices, FIRST, SECOND, 60).data_before(at("2026-01-01T00:00"), 2) == {}


def test_the_last_observation_before_a_gap_is_known_after_it(slices: Path) -> None:
    clock = Clock(slices, FOURTH, FOURTH, 60)
    assert clock.newest(at("2026-01-08T05:00")) == at("2026-01-06T09:00")


def test_fixes_that_no_slice_rests_on_are_no_observation(tmp_path: Path) -> None:
    hours = {"2026-01-05T10:00:00Z": "a", "2026-01-05T11:00:00Z": "b"}
    write_day(tmp_path, FIRST, hours, ["2026-01-05T10:00:00Z"])
    write_day(tmp_path, SECOND, {"2026-01-06T08:00:00Z": "c"}, [])
    clock = Clock(tmp_path, FIRST, SECOND, 60)
    assert clock.newest(at("2026-01-06T10:00")) == at("2026-01-05T10:00")
    assert look_back_from(tmp_path, FOURTH) == FIRST


def test_another_way_of_making_slices_is_another_thing_to_depend_on(slices: Path) -> None:
    time, path = at("2026-01-06T10:00"), slices / str(SECOND) / "manifest.json"
    before = Clock(slices, FIRST, SECOND, 60).data_before(time, 2)
    content = json.loads(path.read_text())
    for depends_on, is_another in (
        ({**content["depends_on"], "fixes 2026-01-07 b.parquet": "sha"}, False),
        ({**content["depends_on"], "probes.max_gap_s": "90.0"}, True),
    ):
        path.write_text(json.dumps({**content, "depends_on": depends_on}))
        after = Clock(slices, FIRST, SECOND, 60).data_before(time, 2)
        assert (after != before) is is_another


def test_it_is_known_whether_there_are_fixes_of_after_a_time(slices: Path) -> None:
    clock = Clock(slices, FIRST, SECOND, 60)
    assert clock.knows_after(at("2026-01-06T09:00"))
    assert not clock.knows_after(at("2026-01-06T10:00"))


def test_forecasts_look_back_to_the_second_observed_day_before_theirs(slices: Path) -> None:
    assert look_back_from(slices, FOURTH) == FIRST
    assert look_back_from(slices, SECOND) == FIRST
    assert look_back_from(slices, FIRST) == FIRST
