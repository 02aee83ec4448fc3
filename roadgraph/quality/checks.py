"""Checks of the data of a local day: each passes, fails, or cannot be judged yet."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError
from roadgraph.quality.reference import none_like
from roadgraph.slices.store import observed_starts, stored_days
from roadgraph.storage import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from roadgraph.quality.day import QualityReport
    from roadgraph.settings import PipelineSettings, Settings
    from roadgraph.workspace import Workspace

Severity = Literal["error", "warning"]
CHECKS_FILE = "checks.json"


@dataclass(frozen=True)
class Check:
    """One check of a day.

    Attributes:
        name: such as ``coverage``.
        day: local day that it is of.
        passed: None where no verdict is possible yet; the reason says why.
        reason: one sentence with the figures.
        figures: what it rests on, by name.
        severity: an ``error`` stops promotion; a ``warning`` is told alone.
    """

    name: str
    day: date
    passed: bool | None
    reason: str
    figures: Mapping[str, float]
    severity: Severity = "error"


def checks_of_report(report: QualityReport, settings: PipelineSettings) -> list[Check]:
    """Return the checks that rest on a day's report alone, and are stored with it."""
    return [account(report), coverage(report, settings), feature_drift(report, settings)]


def write_checks(checks: Sequence[Check], folder: Path) -> None:
    """Write checks into ``folder``, which exists."""
    content = [{**asdict(check), "day": check.day.isoformat()} for check in checks]
    write_json(folder / CHECKS_FILE, content)


def read_checks(workspace: Workspace, day: date) -> list[Check]:
    """Return the checks that are stored with the quality report of a day.

    Raises:
        DataError: there are none, or they are damaged.
    """
    path = workspace.quality / day.isoformat() / CHECKS_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        if not content:
            raise ValueError("no check in it")
        return [Check(**{**each, "day": date.fromisoformat(each["day"])}) for each in content]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path} is missing or damaged ({error}); make it: roadgraph run --from {day} "
            f"--to {day}"
        ) from error


def account(report: QualityReport) -> Check:
    """Check that every row of the day is used or lies in the quarantine, counted in the stores."""
    refused = sum(report.refused.values())
    figures = {"rows_in": report.rows_in, "used": report.used, "quarantined": refused}
    if report.faults:
        return Check("account", report.day, False, f"{'; '.join(report.faults)}.", figures)
    if not report.inputs:
        return Check("account", report.day, None, f"No row of {report.day} came in.", figures)
    files = "1 file" if len(report.inputs) == 1 else f"{len(report.inputs)} files"
    reason = (
        f"{report.rows_in:,} rows in = {report.used:,} used + {refused:,} quarantined, of {files}."
    )
    return Check("account", report.day, True, reason, figures)


def coverage(report: QualityReport, settings: PipelineSettings) -> Check:
    """Check that about as many cells were observed as on the days before that it is like.

    It is held against their median, so that one bad day among them moves it little.
    """
    share = report.coverage.share
    if not share:
        reason = f"Nothing was observed on {report.day}."
        return Check("coverage", report.day, False, reason, {"share": 0.0})
    if not report.reference.days:
        reason = f"{share:.1%} of the cells were observed; {none_like(report.day)}."
        return Check("coverage", report.day, None, reason, {"share": share})
    usual = float(np.median(report.reference_coverage))
    least = (1 - settings.coverage_drop) * usual
    reason = (
        f"{share:.1%} of the cells were observed, against {usual:.1%} on {report.reference}; at "
        f"least {least:.1%} are expected."
    )
    figures = {"share": share, "usual": usual, "least": least}
    return Check("coverage", report.day, share >= least, reason, figures)


def feature_drift(report: QualityReport, settings: PipelineSettings) -> Check:
    """Check that no population stability index is over ``pipeline.psi_limit``."""
    known = {each.name: each.index for each in report.drift if not math.isnan(each.index)}
    if not known:
        why = "too few cells were observed" if report.reference.days else none_like(report.day)
        reason = f"No feature can be compared: {why}."
        return Check("feature_drift", report.day, None, reason, {})
    limit = settings.psi_limit
    over = [name for name in known if known[name] > limit]
    told = over or [max(known, key=lambda name: known[name])]
    reason = (
        f"Population stability index against {report.reference}: "
        f"{', '.join(f'{name} {known[name]:.3f}' for name in told)}, "
        f"{'over' if over else 'the largest of all, within'} the limit of {limit:g}."
    )
    return Check("feature_drift", report.day, not over, reason, known)


def freshness(settings: Settings, workspace: Workspace, now: pd.Timestamp) -> Check:
    """Check that the newest observation up to ``now`` is not too old.

    Its age is counted from the end of the newest slice with an observation that was over at
    ``now``. It depends on the moment, so it is not stored with the other checks.

    Raises:
        DataError: the store of slices is damaged.
    """
    today = now.tz_convert(city_zone(settings.city.timezone)).date()
    width = pd.Timedelta(minutes=settings.slices.minutes)
    for day in reversed([day for day in stored_days(workspace.slices) if day <= today]):
        ends = observed_starts(workspace.slices, day) + width
        over = ends[ends <= now]
        if not len(over):
            continue
        age_min = (now - over.max()) / pd.Timedelta(minutes=1)
        limit = settings.pipeline.freshness_min
        reason = (
            f"The newest observation ended at {over.max():%Y-%m-%d %H:%M} UTC, {age_min:,.0f} "
            f"minutes before; {limit:g} are allowed."
        )
        return Check("freshness", day, age_min <= limit, reason, {"age_min": age_min})
    return Check("freshness", today, None, "Nothing was observed yet.", {})
