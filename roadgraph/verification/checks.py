"""Whether the forecasts of a local day were worse than those of the weeks before."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import fmean
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.quality.checks import Check, read_checks
from roadgraph.quality.reference import is_weekend, kind_of
from roadgraph.schema import BASES
from roadgraph.verification.errors import errors_by_day
from roadgraph.verification.scoring import basis_part
from roadgraph.verification.verification import read_verification, verified_days

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

NAME = "error_drift"
LEAST_DAYS = 2  # before; one alone may have been a good or a bad one by chance
LEAST_CELLS = 200  # of a day and horizon that is judged
SPEED, CLASSES = "speed error", "class error"


def error_drift(settings: Settings, workspace: Workspace, day: date) -> Check:
    """Check that the forecasts of a day were not worse than those of the weeks before.

    A hard day is hard for the historical average too, so what is watched is the ratio of the two
    errors: the speed MAE of the forecasts over that of the historical average, and the same of
    ``1 - macro F1``, means over the horizons. It is held against its mean over the days of the same
    kind, workdays or those of the weekend, of ``pipeline.drift_weeks`` weeks before, and may be
    larger by ``pipeline.error_rise``, as a share of that.

    Forecasts that rest on the history alone are left out: they are as good as the historical
    average by making, and that no data came in is for coverage and freshness to tell.

    It rests on the stored verifications and is not stored itself.

    Args:
        settings: ``pipeline`` is used.
        workspace: where the verifications are.
        day: the day.

    Raises:
        DataError: a verification is damaged.
    """
    if day not in verified_days(workspace):
        return Check(NAME, day, None, f"The forecasts of {day} were not verified yet.", {})
    first = day - timedelta(weeks=settings.pipeline.drift_weeks)
    ratios = _ratios(errors_by_day(workspace, first, day, basis_part(BASES[0])))
    if day not in ratios:
        why = read_verification(workspace, day).reason or "too few of them rest on observations"
        return Check(NAME, day, None, f"The forecasts of {day} cannot be judged: {why}.", {})
    before = [ratios[other] for other in ratios if _is_like(other, day)]
    before = [other for other in before if ratios[day].keys() <= other.keys()]
    if len(before) < LEAST_DAYS:
        reason = (
            f"Of the {kind_of(day)}s before {day} {len(before)} can be compared with it; "
            f"{LEAST_DAYS} are needed."
        )
        return Check(NAME, day, None, reason, _figures(ratios[day], "ratio"))
    return _judged(day, ratios[day], before, settings.pipeline.error_rise)


def failed_checks(settings: Settings, workspace: Workspace, days: Iterable[date]) -> list[Check]:
    """Return the checks of days, of their data and of their forecasts, that stop a promotion.

    Args:
        settings: ``pipeline`` is used.
        workspace: where quality reports and verifications are; a day without has no such check.
        days: the days.

    Raises:
        DataError: stored checks or verifications are damaged.
    """
    checks: list[Check] = []
    for day in days:
        if (workspace.quality / day.isoformat()).is_dir():
            checks += read_checks(workspace, day)
        checks.append(error_drift(settings, workspace, day))
    return [check for check in checks if check.passed is False and check.severity == "error"]


def _ratios(errors: pd.DataFrame) -> dict[date, dict[str, float]]:
    """Return the errors of the forecasts over those of the historical average, by day and figure.

    A day on which no horizon has ``LEAST_CELLS`` is left out, and so is a figure that a model does
    not have.
    """
    enough = errors[errors["cells"] >= LEAST_CELLS]
    average = enough["historical_average_macro_f1"], enough["historical_average_speed_mae_kph"]
    ratios = pd.DataFrame(
        {
            "day": enough["day"],
            SPEED: enough["speed_mae_kph"] / average[1].where(average[1] > 0),
            CLASSES: (1 - enough["macro_f1"]) / (1 - average[0]).where(average[0] < 1),
        }
    )
    means = ratios.groupby("day")[[SPEED, CLASSES]].mean()
    known = {
        day: {str(name): float(value) for name, value in of_day.items() if pd.notna(value)}
        for day, of_day in zip(means.index, means.to_dict("records"), strict=True)
    }
    return {day: of_day for day, of_day in known.items() if of_day}


def _is_like(other: date, day: date) -> bool:
    return other < day and is_weekend(other) == is_weekend(day)


def _judged(day: date, own: dict[str, float], before: list[dict[str, float]], rise: float) -> Check:
    usual = {name: fmean(other[name] for other in before) for name in own}
    worse = [name for name in own if own[name] > (1 + rise) * usual[name]]
    told = ", ".join(f"{name} {own[name]:.3f} against {usual[name]:.3f}" for name in own)
    verdict = f"{' and '.join(worse)} rose by more than {rise:.0%}" if worse else "no such rise"
    reason = (
        f"Errors as shares of the historical average's, against the mean of {len(before)} "
        f"{kind_of(day)}s before: {told}; {verdict}."
    )
    figures = _figures(own, "ratio") | _figures(usual, "usual ratio")
    return Check(NAME, day, not worse, reason, figures)


def _figures(values: dict[str, float], what: str) -> dict[str, float]:
    return {f"{name} {what}": value for name, value in values.items()}
