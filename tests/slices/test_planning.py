"""What a day looks at of the days beside it, and what it does not."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from roadgraph.probes.fix_store import FixStore
from roadgraph.settings import Settings
from roadgraph.slices.planning import DayPlan, plan_days
from roadgraph.workspace import Workspace
from tests.slices.toy import bytes_of, made, settings_of
from tests.toy import MONDAY_7, drive, straight_network, write_fixes

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
MIDNIGHT = MONDAY_7 + timedelta(hours=17)  # of Monday to Tuesday


@pytest.fixture
def city(tmp_path: Path) -> Settings:
    """Return the settings of a city with a file of Monday and one of Tuesday's first minutes."""
    (tmp_path / "fixes").mkdir()
    settings = settings_of(tmp_path / "work", tmp_path / "fixes")
    day = pl.concat([drive("v"), drive("n", MIDNIGHT - timedelta(minutes=30))])
    write_fixes(day, tmp_path / "fixes" / "mon.parquet")
    write_fixes(drive("n", MIDNIGHT), tmp_path / "fixes" / "tue.parquet")
    return settings


def plans_of(settings: Settings) -> dict[date, DayPlan]:
    store = FixStore(Workspace.of(settings).fixes)
    return {plan.day: plan for plan in plan_days(store, straight_network(), settings)}


def fixes_of(plan: DayPlan) -> list[str]:
    return [name for name in plan.depends_on if name.startswith("fixes ")]


def grow(settings: Settings, name: str, *more: pl.DataFrame) -> None:
    path = Path(settings.city.fixes) / name
    write_fixes(pl.concat([pl.read_parquet(path), *more]), path)


def test_a_day_depends_on_its_files_and_on_what_is_next_to_it_of_the_days_beside(
    city: Settings,
) -> None:
    made(city)
    plans = plans_of(city)
    assert fixes_of(plans[MONDAY]) == [
        "fixes 2026-01-05 mon.parquet", "fixes 2026-01-06 until 00:10 tue.parquet",
    ]  # fmt: skip
    assert fixes_of(plans[TUESDAY]) == [
        "fixes 2026-01-05 from 23:00 mon.parquet", "fixes 2026-01-06 tue.parquet",
    ]  # fmt: skip
    assert plans[MONDAY].depends_on["trips"] == "60 min before and 10 min after"


def test_a_day_that_grows_leaves_the_day_before_as_it_is(city: Settings) -> None:
    _, workspace = made(city)
    before = bytes_of(workspace.slices / "2026-01-05")
    grow(city, "tue.parquet", drive("n", MIDNIGHT + timedelta(minutes=10)))
    write_fixes(drive("w", MIDNIGHT + timedelta(hours=9)), Path(city.city.fixes) / "more.parquet")
    report, _ = made(city)
    assert (report.built, report.kept) == ((TUESDAY,), (MONDAY,))
    assert bytes_of(workspace.slices / "2026-01-05") == before
    assert [path.name[:4] for path in plans_of(city)[MONDAY].parts] == ["mon.", "tue."]


def test_fixes_right_after_midnight_build_the_day_before_again(
    city: Settings, tmp_path: Path
) -> None:
    made(city)
    grow(city, "tue.parquet", drive("w", MIDNIGHT + timedelta(minutes=5)))
    report, workspace = made(city)
    assert report.built == (MONDAY, TUESDAY)
    grow(city, "mon.parquet", drive("w", MIDNIGHT - timedelta(minutes=50)))
    assert made(city)[0].built == (MONDAY, TUESDAY)
    grow(city, "mon.parquet", drive("w", MIDNIGHT - timedelta(minutes=65)))
    assert made(city)[0].built == (MONDAY,)
    _, fresh = made(settings_of(tmp_path / "fresh", tmp_path / "fixes"))
    assert bytes_of(workspace.slices) == bytes_of(fresh.slices)


def test_of_a_file_that_an_older_roadgraph_read_all_counts(city: Settings) -> None:
    made(city)
    folder = Workspace.of(city).fixes / "inputs"
    for path in folder.iterdir():
        content = json.loads(path.read_text())
        del content["edges"]
        path.write_text(json.dumps(content))
    assert fixes_of(plans_of(city)[MONDAY]) == [
        "fixes 2026-01-05 mon.parquet", "fixes 2026-01-06 tue.parquet",
    ]  # fmt: skip


def test_the_clock_of_the_city_says_when_a_trip_may_begin_and_end(tmp_path: Path) -> None:
    # Clocks in Beirut go from 00:00 to 01:00 on Sunday, 29 March 2026.
    settings = settings_of(tmp_path / "work", tmp_path / "fixes")
    settings = replace(settings, city=replace(settings.city, timezone="Asia/Beirut"))
    (tmp_path / "fixes").mkdir()
    midnight = pd.Timestamp("2026-03-28T22:00", tz="UTC")
    write_fixes(drive("a", midnight - timedelta(hours=1)), tmp_path / "fixes" / "sat.parquet")
    write_fixes(drive("b", midnight), tmp_path / "fixes" / "sun.parquet")
    made(settings)
    plans = plans_of(settings)
    assert [fixes_of(plan) for plan in plans.values()] == [
        ["fixes 2026-03-28 sat.parquet", "fixes 2026-03-29 until 01:10 sun.parquet"],
        ["fixes 2026-03-28 from 23:00 sat.parquet", "fixes 2026-03-29 sun.parquet"],
    ]
    assert plans[date(2026, 3, 29)].begin == midnight
