"""The steps of a scheduled run, one function each: made if missing or stale, else left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.batch.outcome import Outcome
from roadgraph.batch.words import shown_days, told
from roadgraph.calendar import ALL_DAYS, Days
from roadgraph.network.importing import stale_network
from roadgraph.network.network import read_network
from roadgraph.slices.run import make_slices as build_slices
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date

    import pandas as pd

    from roadgraph.batch.span import Span
    from roadgraph.quality.checks import Check
    from roadgraph.settings import Settings

    Progress = Callable[[str, float], None]


def make_network(settings: Settings) -> Outcome:
    """Import the road map if its files or settings have changed.

    Raises:
        DataError: it cannot be imported.
    """
    reasons = stale_network(settings, Workspace.of(settings).network)
    if not reasons:
        return Outcome("network", "", "fresh", "its files and settings are as they were")
    from roadgraph.workflow import run_network

    imported, _ = run_network(settings)
    figures = {"kind": imported.kind, **imported.summary.counts(), "cut away": len(imported.cut)}
    return Outcome("network", "", "made", told(reasons), figures)


def make_slices(
    settings: Settings,
    days: Days = ALL_DAYS,
    progress: Progress = lambda step, share: None,
) -> Outcome:
    """Read new fixes and build the days that they change.

    A file that cannot be used is left out and named; the step has failed then, though the others'
    slices are made.

    Args:
        settings: of the city.
        days: to build if they are stale.
        progress: called with the step's name and the share of it that is done.

    Raises:
        DataError: nothing at all can be used.
        LockError: another run is at the store for longer than ``pipeline.patience_s``.
    """
    workspace = Workspace.of(settings)
    network = read_network(workspace.network)
    report = build_slices(settings, network, workspace, progress, days=days, tolerant=True)
    figures: dict[str, float | int | str] = {
        "files": len(report.inputs),
        "rows in": report.rows_in,
        "rows used": report.rows_used,
        **{f"quarantined {rule}": count for rule, count in report.refused.items()},
        **({"rows of days not asked for": report.waiting} if report.waiting else {}),
        "slices": report.slices,
        "days built": len(report.built),
        "days as they were": len(report.kept),
    }
    partition = shown_days(report.built)
    if report.faults:
        reason = "; ".join(f"{fault.name}: {fault.reason}" for fault in report.faults)
        return Outcome("slices", "", "failed", reason, figures)
    if not report.built:
        return Outcome("slices", partition, "fresh", "no fixes have changed", figures)
    return Outcome("slices", partition, "made", f"{len(report.built)} days had changed", figures)


def make_quality(settings: Settings, day: date) -> Outcome:
    """Write the quality report of a local day with its checks, unless it is that of now.

    Args:
        settings: of the city.
        day: that is over.

    Raises:
        DataError: a store is damaged, or of another network or length of slices.
    """
    from roadgraph.quality.checks import read_checks
    from roadgraph.quality.report import stale_quality, write_quality

    workspace = Workspace.of(settings)
    reasons = stale_quality(settings, workspace, day)
    if not reasons:
        checks = tuple(read_checks(workspace, day))
        return Outcome("quality", str(day), "fresh", "its data are as they were", {}, checks)
    report = write_quality(settings, read_network(workspace.network), workspace, day)
    figures: dict[str, float | int | str] = {
        "coverage": round(report.coverage.share, 4),
        "rows in": report.rows_in,
        "rows used": report.used,
        "quarantined": sum(report.refused.values()),
    }
    checks = tuple(read_checks(workspace, day))
    return Outcome("quality", str(day), "made", told(reasons), figures, checks)


def check_freshness(settings: Settings, now: pd.Timestamp) -> Outcome:
    """Check that the newest observation is not too old; only a run up to now can ask that."""
    from roadgraph.quality.checks import freshness

    check = freshness(settings, Workspace.of(settings), now)
    return Outcome("quality", "", "fresh", check.reason, {}, (check,))


def make_predictions(
    settings: Settings, span: Span, progress: Progress = lambda step, share: None
) -> Outcome:
    """Issue the forecasts of a span that are missing or stale; see :mod:`.forecasting`."""
    from roadgraph.batch.forecasting import make_forecasts

    return make_forecasts(settings, span, progress)


def make_evaluation(settings: Settings, day: date) -> Outcome:
    """Hold the forecasts of a local day against what was observed, and check their error.

    Args:
        settings: of the city.
        day: that is over.

    Raises:
        DataError: a store is damaged, or of another network or length of slices.
    """
    from roadgraph.verification.checks import error_drift
    from roadgraph.verification.verification import stale_verification, write_verification

    workspace = Workspace.of(settings)
    reasons = stale_verification(settings, workspace, day)
    figures: Mapping[str, float | int | str] = {}
    if reasons:
        network = read_network(workspace.network)
        figures = write_verification(settings, network, workspace, day).figures
    checks = (error_drift(settings, workspace, day),)
    if not reasons:
        reason = "forecasts and observations are as they were"
        return Outcome("evaluation", str(day), "fresh", reason, {}, checks)
    return Outcome("evaluation", str(day), "made", told(reasons), figures, checks)


def make_model(
    settings: Settings,
    last: date,
    on_epoch: Callable[[str, dict[str, float]], None] = lambda title, figures: None,
) -> Outcome:
    """Train the model on the days up to ``last`` if it is due; see :mod:`.training`."""
    from roadgraph.batch.training import train_if_due

    return train_if_due(settings, last, on_epoch)


def make_promotion(settings: Settings, last: date, also: Collection[Check] = ()) -> Outcome:
    """Decide whether the challenger forecasts from now on; see :mod:`.promoting`."""
    from roadgraph.batch.promoting import promote_unless_checks_failed

    return promote_unless_checks_failed(settings, last, list(also))
