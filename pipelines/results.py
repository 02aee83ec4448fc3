"""From the outcomes of steps to what Dagster shows of a materialization."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from roadgraph.batch.journal import add_to_journal
from roadgraph.batch.outcome import Outcome
from roadgraph.errors import LockError, RoadgraphError, TrackingError
from roadgraph.quality.checks import Check
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace

FILES = "files"
"""Name of the check that no file of fixes was left out."""

FAILED = "failed days"
"""Under which a check keeps its reasons, by day."""


def outcome_of(step: Callable[..., Outcome], settings: Settings, *arguments: Any) -> Outcome:
    """Do a step with its arguments and note it; what trying again cannot mend is not tried again.

    Raises:
        LockError: another run is at the store; the asset's retry policy tries again.
        TrackingError: the MLflow server does not answer; it tries again too.
        dagster.Failure: anything else that the user has to mend.
    """
    begun = time.monotonic()
    try:
        outcome = step(settings, *arguments)
    except RoadgraphError as error:
        name = step.__name__.removeprefix("make_")
        _note(Outcome(name, "", "failed", str(error)), settings, begun)
        if isinstance(error, LockError | TrackingError):
            raise
        raise dg.Failure(str(error), allow_retries=False) from error
    _note(outcome, settings, begun)
    return outcome


def _note(outcome: Outcome, settings: Settings, begun: float) -> None:
    seconds = time.monotonic() - begun
    add_to_journal(Workspace.of(settings).journal, outcome, pd.Timestamp.now("UTC"), seconds)


def failure(outcome: Outcome) -> dg.Failure:
    """Return what to raise for a step that says that it has failed."""
    return dg.Failure(outcome.reason, told_of(outcome), allow_retries=outcome.state == "busy")


def told_of(outcome: Outcome) -> dict[str, float | int | str]:
    """Return the metadata of what was made: its state, why, and its figures."""
    return {"state": outcome.state, "why": outcome.reason, **outcome.figures}


def files_check(outcome: Outcome) -> dg.AssetCheckResult:
    """Return whether all files of fixes could be used; the slices of the others are made."""
    passed = outcome.state != "failed"
    return dg.AssetCheckResult(
        check_name=FILES,
        passed=passed,
        description="every file could be used" if passed else outcome.reason,
        metadata={FAILED: {} if passed else {"": outcome.reason}},
    )


def check_result(checks: Sequence[Check]) -> dg.AssetCheckResult:
    """Return the result of one check over the days of a run.

    Dagster keeps one result a check and run, so one day that fails speaks for all of them. A check
    without a verdict passes, and says so.

    Args:
        checks: of the same name, one a day.
    """
    newest = checks[-1]
    failed = {str(check.day): check.reason for check in checks if check.passed is False}
    # A warning stops nothing; one error among them makes it one.
    severe = any(check.passed is False and check.severity == "error" for check in checks)
    told = f"{newest.day}: {newest.reason}"
    if failed:
        told = "; ".join(f"{day}: {reason}" for day, reason in failed.items())
    elif newest.passed is None:
        told = f"no verdict yet for {told}"
    figures = {name: float(figure) for name, figure in newest.figures.items()}
    return dg.AssetCheckResult(
        check_name=newest.name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR
        if severe or not failed
        else dg.AssetCheckSeverity.WARN,
        description=told,
        metadata={FAILED: failed, **figures},
    )
