"""What the stores say of a day's data and of the forecasts of the days before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from roadgraph.quality.checks import read_checks
from roadgraph.quality.report import read_quality
from roadgraph.verification.checks import error_drift
from roadgraph.verification.errors import errors_by_day
from roadgraph.verification.verification import outdated_verifications, verified_days

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from roadgraph.quality.checks import Check
    from roadgraph.quality.drift import Drift
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace


@dataclass(frozen=True)
class Record:
    """What is stored of a day and of the days before; nothing of it is made for this.

    Attributes:
        errors: of the verified days of ``pipeline.drift_weeks`` weeks, the day among them, from
            :func:`~roadgraph.verification.errors.errors_by_day`.
        checks: of the day: those of its data, and that of its forecasts.
        drift: population stability index of each feature of the day.
        reference: the days that ``drift`` is against, in words; "" where there is none.
        missing: what is not stored, a sentence each with the command that makes it.
        outdated: days of ``errors`` whose verification rests on other data or settings than those
            of now, from :func:`~roadgraph.verification.verification.outdated_verifications`.
    """

    errors: pd.DataFrame
    checks: tuple[Check, ...]
    drift: tuple[Drift, ...]
    reference: str
    missing: tuple[str, ...]
    outdated: tuple[date, ...] = ()


def record_of(settings: Settings, workspace: Workspace, day: date) -> Record:
    """Read what is stored of a day and of the days before.

    Args:
        settings: ``pipeline`` is used.
        workspace: where quality reports and verifications are.
        day: the day.

    Raises:
        DataError: a stored report, its checks or a verification is damaged.
    """
    first = day - timedelta(weeks=settings.pipeline.drift_weeks)
    checks: tuple[Check, ...] = ()
    drift: tuple[Drift, ...] = ()
    reference, missing = "", []
    if (workspace.quality / day.isoformat()).is_dir():
        report = read_quality(workspace, day)
        checks, drift = (*read_checks(workspace, day),), report.drift
        reference = str(report.reference) if report.reference.days else ""
    else:
        missing.append(
            f"No quality report of {day} is stored, so neither checks of its data nor the drift "
            f"of its features are shown; `roadgraph run --steps quality --from {day} --to {day}` "
            "makes it."
        )
    if day not in verified_days(workspace):
        missing.append(
            f"No verification of {day} is stored, so it is not held against the days before; "
            f"`roadgraph run --steps evaluation --from {day} --to {day}` makes it."
        )
    errors = errors_by_day(workspace, first, day)
    before = sorted({each for each in errors["day"] if each < day})
    if not before:
        missing.append(
            f"No verification of the {settings.pipeline.drift_weeks} weeks before {day} is "
            f"stored; `roadgraph run --steps evaluation --from {first} --to {day}` makes those "
            "of the days that have forecasts."
        )
    return Record(
        errors=errors,
        checks=(*checks, error_drift(settings, workspace, day)),
        drift=drift,
        reference=reference,
        missing=tuple(missing),
        outdated=tuple(outdated_verifications(settings, workspace, sorted({*errors["day"]}))),
    )
