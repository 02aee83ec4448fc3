"""The quality report of a local day in the workspace, and whether it is still true."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from roadgraph.errors import DataError
from roadgraph.probes.match_report import MatchReport
from roadgraph.quality.account import InputRows
from roadgraph.quality.cells import Coverage
from roadgraph.quality.checks import checks_of_report, read_checks, write_checks
from roadgraph.quality.day import QualityReport, quality_depends_on, quality_of_day
from roadgraph.quality.drift import Drift
from roadgraph.quality.page import page_of_quality
from roadgraph.quality.reference import Reference
from roadgraph.staleness import changes
from roadgraph.storage import whole_folder, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

REPORT_FILE, PAGE_FILE = "report.json", "report.md"


def write_quality(
    settings: Settings, network: Network, workspace: Workspace, day: date
) -> QualityReport:
    """Make the quality report of a day and its checks, and write them, whole or not at all.

    Args:
        settings: ``city``, ``slices`` and ``pipeline`` are used.
        network: the workspace's.
        workspace: where the stores are; ``quality/<day>/`` is written.
        day: the day, which is over.

    Raises:
        DataError: a store is damaged, or of another network or length of slices.
    """
    report = quality_of_day(settings, network, workspace, day)
    checks = checks_of_report(report, settings.pipeline)
    with whole_folder(workspace.quality / day.isoformat()) as folder:
        write_json(folder / REPORT_FILE, _to_dict(report))
        write_checks(checks, folder)
        (folder / PAGE_FILE).write_text(page_of_quality(report, checks), "utf-8")
    return report


def read_quality(workspace: Workspace, day: date) -> QualityReport:
    """Return the stored quality report of a day.

    Raises:
        DataError: it is missing or damaged.
    """
    path = _path(workspace, day)
    try:
        return _from_dict(json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DataError(
            f"{path} is missing or damaged ({error}); remove {path.parent} and make it again: "
            f"roadgraph run --from {day} --to {day}"
        ) from error


def stale_quality(settings: Settings, workspace: Workspace, day: date) -> tuple[str, ...]:
    """Return why the stored report of a day and its checks are not those of now, or nothing.

    Raises:
        DataError: the network was not imported, or the store of slices is damaged.
    """
    now = quality_depends_on(settings, workspace, day)
    if not _path(workspace, day).is_file():
        return changes(None, now)
    try:
        before = read_quality(workspace, day).manifest["depends_on"]
    except DataError:
        return ("the report is damaged",)
    try:
        read_checks(workspace, day)
    except DataError:
        return ("the checks are damaged",)
    return changes(before, now)


def _path(workspace: Workspace, day: date) -> Path:
    return workspace.quality / day.isoformat() / REPORT_FILE


def _to_dict(report: QualityReport) -> dict[str, Any]:
    days = [day.isoformat() for day in report.reference.days]
    return {
        **asdict(report),
        "day": report.day.isoformat(),
        "reference": {"days": days, "kind": report.reference.kind},
    }


def _from_dict(content: dict[str, Any]) -> QualityReport:
    coverage, matching = content["coverage"], content["matching"]
    by_hour = {int(hour): share for hour, share in coverage["by_hour"].items()}
    days = tuple(date.fromisoformat(day) for day in content["reference"]["days"])
    return QualityReport(
        day=date.fromisoformat(content["day"]),
        inputs=tuple(InputRows(**each) for each in content["inputs"]),
        faults=tuple(content["faults"]),
        matching=None if matching is None else MatchReport.from_manifest(matching),
        coverage=Coverage(**{**coverage, "by_hour": by_hour}),
        traversals=content["traversals"],
        vehicles=content["vehicles"],
        median_quality_score=_number(content["median_quality_score"]),
        mean_speed_kph=_number(content["mean_speed_kph"]),
        reference=Reference(days, content["reference"]["kind"]),
        reference_coverage=tuple(content["reference_coverage"]),
        drift=tuple(Drift(each["name"], _number(each["index"])) for each in content["drift"]),
        manifest=content["manifest"],
    )


def _number(value: float | None) -> float:
    """Return a number as it was before it was written; NaN is written as null."""
    return math.nan if value is None else float(value)
