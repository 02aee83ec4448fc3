import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roadgraph.errors import DataError
from roadgraph.quality.day import digest_of_network, quality_depends_on, quality_of_day
from roadgraph.workspace import Workspace
from tests.quality.toy import MONDAY, NETWORK, NEXT_MONDAY, TUESDAY, city, waves, write_day
from tests.slices.toy import made, settings_of
from tests.toy import drive, write_fixes


def test_a_day_of_probes_has_vehicles_and_a_match_rate(tmp_path: Path) -> None:
    (tmp_path / "fixes").mkdir()
    for name in ("v1", "v2"):
        write_fixes(drive(name), tmp_path / "fixes" / f"{name}.csv")
    settings = settings_of(tmp_path / "work", tmp_path / "fixes")
    _, workspace = made(settings)
    city(tmp_path / "work")
    report = quality_of_day(settings, NETWORK, workspace, MONDAY)
    assert (report.rows_in, report.used, report.refused) == (10, 10, {})
    assert (report.vehicles, report.traversals) == (2, 6)
    assert report.coverage.cells == 3  # A, B and C between 07:00 and 07:15
    assert report.mean_speed_kph == pytest.approx(7.2, abs=0.1)
    assert report.matching is not None
    assert report.matching.match_rate == 1
    assert report.matching.worst == ()  # places of vehicles stay in the store
    assert report.faults == ()


def test_a_day_without_fixes_has_a_report_that_says_so(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path, city={"source": "probes"})
    write_day(settings, MONDAY, waves(0))
    report = quality_of_day(settings, NETWORK, workspace, TUESDAY)
    assert (report.rows_in, report.used, report.inputs) == (0, 0, ())
    assert (report.coverage.share, report.vehicles, report.traversals) == (0, 0, 0)
    assert math.isnan(report.mean_speed_kph)
    assert report.reference_coverage == (1.0,)


def test_the_account_is_of_the_source_that_the_day_was_made_from(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, 40.0)
    (workspace.fixes / "inputs").mkdir(parents=True)  # the city had fixes before, or has them now
    for source in ("measured", "probes"):
        now = replace(settings, city=replace(settings.city, source=source))
        report = quality_of_day(now, NETWORK, workspace, MONDAY)
        assert (report.faults, report.used, report.vehicles) == ((), 288, None)


def test_a_day_is_held_against_its_weekday(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, waves(0))
    write_day(settings, TUESDAY, 5.0)
    write_day(settings, NEXT_MONDAY, waves(1, observed=0.9))
    report = quality_of_day(settings, NETWORK, workspace, NEXT_MONDAY)
    assert report.reference.days == (MONDAY,)
    assert report.coverage.share == pytest.approx(0.9, abs=0.05)
    assert report.vehicles is None  # measured data have none
    assert max(each.index for each in report.drift) < 0.1
    assert report.mean_speed_kph == pytest.approx(np.nanmean(waves(1, observed=0.9)), abs=1e-4)


def test_a_report_depends_on_its_day_and_on_the_days_it_is_held_against(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, 30.0)
    write_day(settings, NEXT_MONDAY, 30.0)
    names = list(quality_depends_on(settings, workspace, NEXT_MONDAY))
    assert [name for name in names if name.startswith("slices 2")] == [
        "slices 2026-01-12",
        "slices 2026-01-05",
    ]


def test_a_workspace_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"segments\.parquet is missing; import the roads first"):
        digest_of_network(Workspace(tmp_path, tmp_path))
