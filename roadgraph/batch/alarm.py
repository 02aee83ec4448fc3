"""Who is told of what failed in a scheduled run: of each fault once, then again after a day."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.alerting import Alert, send_alert
from roadgraph.storage import alone, write_json
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.batch.outcome import RunReport
    from roadgraph.settings import Settings

logger = logging.getLogger(__name__)

REMIND_AFTER = pd.Timedelta(hours=24)


def alert_of_run(report: RunReport, settings: Settings, now: pd.Timestamp) -> list[str]:
    """Send what failed in a run to the webhook and the command of the settings.

    A run every quarter of an hour meets the same broken file again and again; it is told of when
    it is new, when the reason of a failure changes, and again after a day.

    Args:
        report: of the run.
        settings: ``city`` and ``pipeline``.
        now: the moment of the run.

    Returns:
        What could not be sent, and why.
    """
    path = Workspace.of(settings).alerts
    found = {_key(alert): (step, alert) for step, alert in alerts_of(report, settings, now)}
    done = {outcome.step for outcome in report.outcomes}
    try:
        with alone(path):
            return _send(found, done, path, settings, now)
    except OSError as error:
        # A full disk is a thing to be told of; that it was told cannot be kept then.
        logger.error("%s cannot be written (%s); all faults are told of", path, error)
        return send_alert([alert for _, alert in found.values()], settings.pipeline)


def _send(
    found: dict[str, tuple[str, Alert]],
    done: set[str],
    path: Path,
    settings: Settings,
    now: pd.Timestamp,
) -> list[str]:
    known = _told_before(path)
    # What another run looks after stays; what this one looked at and is well now goes.
    still = {
        key: fault for key, fault in known.items() if key in found or fault["step"] not in done
    }
    due = {key: each for key, each in found.items() if _is_due(each[1], known.get(key), now)}
    unsent = send_alert([alert for _, alert in due.values()], settings.pipeline)
    if not unsent:
        at = now.isoformat(timespec="seconds")
        still |= {
            key: {"step": step, "reason": alert.reason, "told_at": at}
            for key, (step, alert) in due.items()
        }
    if still != known:
        write_json(path, still)
    return unsent


def _told_before(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
        return {
            key: {name: fault[name] for name in ("step", "reason", "told_at")}
            for key, fault in content.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        logger.warning("%s is damaged and begun anew; what was told before is told again", path)
        return {}


def alerts_of(report: RunReport, settings: Settings, now: pd.Timestamp) -> list[tuple[str, Alert]]:
    """Return an alert for every failed step and check of a run, each with its step."""
    city, log = settings.city.name, str(Workspace.of(settings).journal)
    failures = [
        Alert(city, outcome.step, outcome.partition, outcome.reason, "failure", now, log)
        for outcome in report.failed
    ]
    checks = [
        (outcome.step, Alert(city, check.name, str(check.day), check.reason, "check", now, log))
        for outcome in report.outcomes
        for check in outcome.checks
        if check.passed is False
    ]
    return [*((alert.step, alert) for alert in failures), *checks]


def _key(alert: Alert) -> str:
    return f"{alert.kind} {alert.step} {alert.partition}".strip()


def _is_due(alert: Alert, known: dict[str, str] | None, now: pd.Timestamp) -> bool:
    if known is None:
        return True
    # A check's figures change from run to run, and say nothing new.
    if alert.kind == "failure" and known["reason"] != alert.reason:
        return True
    return now - pd.Timestamp(known["told_at"]) >= REMIND_AFTER
