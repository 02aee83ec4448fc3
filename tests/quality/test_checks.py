from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadgraph.errors import DataError
from roadgraph.quality.account import InputRows
from roadgraph.quality.checks import (
    account,
    checks_of_report,
    coverage,
    feature_drift,
    freshness,
    read_checks,
)
from roadgraph.quality.day import QualityReport, quality_of_day
from roadgraph.quality.report import write_quality
from roadgraph.settings import PipelineSettings
from tests.quality.toy import MONDAY, NETWORK, NEXT_MONDAY, SLICES, city, waves, write_day

LIMITS = PipelineSettings()


def report_of(folder: Path, speeds: np.ndarray, before: np.ndarray | None = None) -> QualityReport:
    """Return the report of a Monday with these speeds and, of the Monday before, those."""
    settings, workspace = city(folder)
    if before is not None:
        write_day(settings, MONDAY, before)
    if len(speeds):
        write_day(settings, NEXT_MONDAY, speeds)
    return quality_of_day(settings, NETWORK, workspace, NEXT_MONDAY)


NOTHING = np.zeros((0, 3))


def test_an_account_that_comes_out_passes(tmp_path: Path) -> None:
    check = account(report_of(tmp_path, waves(0)))
    assert check.passed is True
    assert check.reason == "288 rows in = 288 used + 0 quarantined, of 1 file."


def test_an_account_that_does_not_come_out_fails_and_says_where(tmp_path: Path) -> None:
    report = report_of(tmp_path, waves(0))
    rows = InputRows("a.csv", 9, 5, {"parked": 3}, 9, 9, {})
    fault = "a.csv, 2026-01-12: 9 rows in, but 5 used and 3 quarantined"
    check = account(replace(report, inputs=(rows,), faults=(fault,)))
    assert check.passed is False
    assert check.reason == f"{fault}."
    assert check.figures == {"rows_in": 9, "used": 5, "quarantined": 3}


def test_a_day_without_rows_has_no_account(tmp_path: Path) -> None:
    check = account(report_of(tmp_path, NOTHING))
    assert check.passed is None
    assert check.reason == "No row of 2026-01-12 came in."


def test_half_the_usual_coverage_passes_and_less_fails(tmp_path: Path) -> None:
    half, less = waves(0), waves(0)
    half[SLICES // 2 :] = np.nan
    less[SLICES // 2 - 1 :] = np.nan
    assert coverage(report_of(tmp_path / "half", half, waves(1)), LIMITS).passed is True
    check = coverage(report_of(tmp_path / "less", less, waves(1)), LIMITS)
    assert check.passed is False
    assert check.reason == (
        "49.0% of the cells were observed, against 100.0% on 2026-01-05 (Monday); at least 50.0% "
        "are expected."
    )


def test_a_day_without_fixes_fails_the_coverage(tmp_path: Path) -> None:
    assert coverage(report_of(tmp_path, NOTHING, waves(0)), LIMITS).passed is False


def test_the_first_day_has_no_verdict_on_coverage_and_drift(tmp_path: Path) -> None:
    report = report_of(tmp_path, waves(0))
    assert coverage(report, LIMITS).passed is None
    check = feature_drift(report, LIMITS)
    assert check.passed is None
    assert "there is no workday before 2026-01-12 to compare it with" in check.reason


def test_a_day_like_the_others_has_not_drifted(tmp_path: Path) -> None:
    check = feature_drift(report_of(tmp_path, waves(0), waves(1)), LIMITS)
    assert check.passed is True
    assert "the largest of all, within the limit of 0.25" in check.reason


def test_a_feature_that_drifted_is_named_with_its_index(tmp_path: Path) -> None:
    check = feature_drift(report_of(tmp_path, waves(0) + 15, waves(1)), LIMITS)
    assert check.passed is False
    index = check.figures["mean_speed"]
    assert check.reason.startswith(
        f"Population stability index against 2026-01-05 (Monday): mean_speed {index:.3f}, "
    )
    assert check.reason.endswith("over the limit of 0.25.")
    assert "speed_std" not in check.reason


def test_too_few_cells_give_no_verdict_on_drift(tmp_path: Path) -> None:
    check = feature_drift(report_of(tmp_path, waves(0, observed=0.2), waves(1)), LIMITS)
    assert check.passed is None
    assert check.reason == "No feature can be compared: too few cells were observed."


def test_an_observation_is_fresh_for_an_hour(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    assert freshness(settings, workspace, pd.Timestamp("2026-01-05T12:00Z")).passed is None
    speeds = waves(0)
    speeds[40:] = np.nan  # the last observed slice ends at 10:00 local time, 03:00 UTC
    write_day(settings, MONDAY, speeds)
    fresh = freshness(settings, workspace, pd.Timestamp("2026-01-05T04:00Z"))
    assert (fresh.passed, fresh.figures) == (True, {"age_min": 60.0})
    old = freshness(settings, workspace, pd.Timestamp("2026-01-06T03:01Z"))
    assert (old.passed, old.severity) == (False, "error")
    assert old.reason == (
        "The newest observation ended at 2026-01-05 03:00 UTC, 1,441 minutes before; 60 are "
        "allowed."
    )


def test_what_was_observed_later_does_not_make_an_earlier_moment_fresh(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, waves(0))
    write_day(settings, NEXT_MONDAY, waves(1))
    check = freshness(settings, workspace, pd.Timestamp("2026-01-10T17:00Z"))
    assert check.figures == {"age_min": 5 * 24 * 60}
    assert check.day == MONDAY


def test_the_checks_of_a_report_are_stored_with_it(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, waves(0))
    report = write_quality(settings, NETWORK, workspace, MONDAY)
    checks = read_checks(workspace, MONDAY)
    assert checks == checks_of_report(report, LIMITS)
    assert [(check.name, check.passed) for check in checks] == [
        ("account", True),
        ("coverage", None),
        ("feature_drift", None),
    ]


def test_checks_of_a_day_without_a_report_are_refused(tmp_path: Path) -> None:
    _, workspace = city(tmp_path)
    with pytest.raises(DataError, match=r"checks\.json is missing or damaged.*roadgraph run"):
        read_checks(workspace, MONDAY)
