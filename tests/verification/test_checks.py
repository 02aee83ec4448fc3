from datetime import date
from pathlib import Path

import numpy as np
import pytest

from roadgraph.quality.report import write_quality
from roadgraph.settings import Settings
from roadgraph.verification.checks import error_drift, failed_checks
from roadgraph.verification.verification import write_verification
from roadgraph.workspace import Workspace
from tests.quality.toy import MONDAY, NETWORK, NEXT_MONDAY, SATURDAY, TUESDAY, city, write_day
from tests.verification.toy import verified


@pytest.fixture
def two_days(tmp_path: Path) -> tuple[Settings, Workspace]:
    """A Monday and a Tuesday on which the forecasts had 0.8 of the average's errors."""
    settings, workspace = city(tmp_path)
    verified(workspace, MONDAY, 6.4)
    verified(workspace, TUESDAY, 6.4)
    return settings, workspace


def test_an_error_that_rose_with_that_of_the_average_passes(
    two_days: tuple[Settings, Workspace],
) -> None:
    settings, workspace = two_days
    verified(workspace, NEXT_MONDAY, 12.8, average_kph=16.0)  # a hard day for both
    check = error_drift(settings, workspace, NEXT_MONDAY)
    assert check.passed is True
    assert check.reason == (
        "Errors as shares of the historical average's, against the mean of 2 workdays before: "
        "speed error 0.800 against 0.800, class error 0.800 against 0.800; no such rise."
    )


def test_an_error_that_rose_by_more_than_a_quarter_fails(
    two_days: tuple[Settings, Workspace],
) -> None:
    settings, workspace = two_days
    verified(workspace, NEXT_MONDAY, 8.01)  # 0.8 * 1.25 * 8 is 8
    check = error_drift(settings, workspace, NEXT_MONDAY)
    assert check.passed is False
    assert check.reason.endswith("speed error rose by more than 25%.")
    assert check.figures["speed error usual ratio"] == pytest.approx(0.8)


def test_a_macro_f1_that_fell_fails_too(two_days: tuple[Settings, Workspace]) -> None:
    settings, workspace = two_days
    verified(workspace, NEXT_MONDAY, 6.4, macro_f1=0.45)  # 0.55 / 0.5 against 0.4 / 0.5
    check = error_drift(settings, workspace, NEXT_MONDAY)
    assert check.passed is False
    assert check.reason.endswith("class error rose by more than 25%.")


def test_a_model_without_classes_is_judged_by_its_speeds(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    for day in (MONDAY, TUESDAY, NEXT_MONDAY):
        verified(workspace, day, 6.4, macro_f1=float("nan"))
    check = error_drift(settings, workspace, NEXT_MONDAY)
    assert check.passed is True
    assert "class error" not in check.reason


def test_one_day_before_or_days_of_another_kind_give_no_verdict(
    two_days: tuple[Settings, Workspace],
) -> None:
    settings, workspace = two_days
    assert error_drift(settings, workspace, TUESDAY).passed is None
    verified(workspace, SATURDAY, 20.0)
    check = error_drift(settings, workspace, SATURDAY)
    assert check.passed is None
    assert check.reason == (
        "Of the weekend days before 2026-01-10 0 can be compared with it; 2 are needed."
    )


def test_a_day_without_a_verification_has_no_verdict(
    two_days: tuple[Settings, Workspace],
) -> None:
    settings, workspace = two_days
    check = error_drift(settings, workspace, NEXT_MONDAY)
    assert (check.passed, check.reason) == (
        None,
        "The forecasts of 2026-01-12 were not verified yet.",
    )
    write_verification(settings, NETWORK, workspace, NEXT_MONDAY)
    check = error_drift(settings, workspace, NEXT_MONDAY)
    assert check.reason.endswith("cannot be judged: no forecast was issued for 2026-01-12.")


@pytest.mark.parametrize("odd", [{"part": "basis history"}, {"cells": 199}])
def test_too_few_forecasts_by_observations_give_no_verdict(
    two_days: tuple[Settings, Workspace], odd: dict[str, str | int]
) -> None:
    settings, workspace = two_days
    verified(workspace, NEXT_MONDAY, 20.0, **odd)  # type: ignore[arg-type]
    check = error_drift(settings, workspace, NEXT_MONDAY)
    assert check.passed is None
    assert "too few of them rest on observations" in check.reason


def test_an_average_without_an_error_gives_no_ratio(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    for day in (MONDAY, TUESDAY, NEXT_MONDAY):
        verified(workspace, day, 1.0, average_kph=0.0)
    assert "speed error" not in error_drift(settings, workspace, NEXT_MONDAY).reason


def test_what_stops_a_promotion_is_every_failed_check_of_the_days(
    two_days: tuple[Settings, Workspace],
) -> None:
    settings, workspace = two_days
    speeds = np.full((96, 3), 30.0)
    write_day(settings, MONDAY, speeds)
    speeds[40:] = np.nan
    write_day(settings, NEXT_MONDAY, speeds)
    write_quality(settings, NETWORK, workspace, MONDAY)
    write_quality(settings, NETWORK, workspace, NEXT_MONDAY)
    verified(workspace, NEXT_MONDAY, 9.0)
    days = [MONDAY, TUESDAY, date(2026, 1, 7), NEXT_MONDAY]
    found = failed_checks(settings, workspace, days)
    assert [(check.name, check.day) for check in found] == [
        ("coverage", NEXT_MONDAY),
        ("error_drift", NEXT_MONDAY),
    ]
