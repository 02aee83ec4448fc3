"""What stands on the map page beside the numbers: names, times on the city's clock, notes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from roadgraph.calendar import time_of_day
from roadgraph.errors import DataError
from roadgraph.legend import CLASS_COLOURS, CLASS_TITLES
from roadgraph.probes.distance import METRES_PER_DEGREE
from roadgraph.report.map_page.forecasts import horizons_of
from roadgraph.report.map_page.lines import GRID
from roadgraph.report.map_page.packing import NONE, PROBABILITY_STEP
from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.units import KPH_PER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import pandas as pd

    from roadgraph.network.kinds import NetworkKind
    from roadgraph.report.map_page.budget import Detail
    from roadgraph.report.map_page.forecasts import Issue
    from roadgraph.report.map_page.history import MapHistory
    from roadgraph.settings import Settings
    from roadgraph.settings.dataset import LabelsSettings

OPENSTREETMAP = "Roads: © OpenStreetMap contributors, Open Database License (ODbL)"
FROM_OPENSTREETMAP: tuple[NetworkKind, ...] = ("osm", "graphml")
"""Kinds of networks whose roads are OpenStreetMap's; GraphML is OSMnx's way to keep them."""
INTERVAL = "80 %"
"""What lies between the 10th and the 90th percentile."""


def times_of(
    issues: Sequence[Issue], history: MapHistory, made: pd.Timestamp, zone: ZoneInfo
) -> dict[str, Any]:
    """Return the header's entries about times, as people read them and as a chart counts them."""
    horizons = horizons_of(issues)
    return {
        "timezone": zone.key,
        "made": made.tz_convert(zone).isoformat(timespec="seconds"),
        "horizons_min": horizons,
        "slice_minutes": issues[0].slice_minutes,
        "issued_at": [
            {
                "utc": f"{issue.issued_at:%Y-%m-%dT%H:%M:%SZ}",
                "local": f"{issue.issued_at.tz_convert(zone):%a %d %b %Y}, "
                + time_of_day(issue.issued_at, zone),
            }
            for issue in issues
        ],
        "issued_ms": [_ms(issue.issued_at) for issue in issues],
        "targets": [[_target(issue, horizon, zone) for horizon in horizons] for issue in issues],
        "history_start_ms": _ms(history.begin),
    }


def classes_of() -> list[dict[str, str]]:
    """Return the header's classes of congestion in their order."""
    return [
        {"name": name, "title": CLASS_TITLES[name], "colour": CLASS_COLOURS[name]}
        for name in CONGESTION_CLASSES
    ]


def congestion_rule(labels: LabelsSettings, speed_unit: str) -> str:
    """Return in words when a segment counts as in which class.

    Args:
        labels: the rule and its cuts.
        speed_unit: in which people read speeds.
    """
    if labels.congestion == "traffic4cast":
        return (
            "Traffic4cast's rule: congested below 40 % of free flow with at least 5 probes, "
            "moderate below 80 % with at least 3, otherwise free flow"
        )
    if labels.congestion == "absolute":
        cuts = [f"{cut / KPH_PER[speed_unit]:.3g}" for cut in labels.absolute_cuts_kph]
        unit = speed_unit
    else:
        cuts = [f"{100 * cut:.3g}" for cut in labels.relative_cuts]
        unit = "% of free flow"
    titles = [CLASS_TITLES[name] for name in CONGESTION_CLASSES]
    return (
        f"{titles[0]} below {cuts[0]} {unit}, {titles[1]} from there to {cuts[1]} {unit}, "
        f"{titles[2]} to {cuts[2]} {unit}, {titles[3]} from there on"
    )


def notes_of(
    settings: Settings,
    issues: Sequence[Issue],
    there_are: int,
    history: MapHistory,
    detail: Detail,
    step_kph: float,
) -> list[str]:
    """Return the sentences that say what was done to the data on the page.

    Args:
        settings: of the city.
        issues: the forecasts on the page.
        there_are: how many forecasts were given.
        history: on the page.
        detail: of lines and history.
        step_kph: the unit of speeds.
    """
    size = f"{settings.report.page_mb:g} MB"
    notes = []
    if there_are > len(issues):
        kept = f"{len(issues)} of {there_are} times of issue, evenly spread, are"
        notes.append(
            f"{kept if len(issues) > 1 else f'The newest alone of {there_are} times of issue is'} "
            f"on the page, so that it stays below {size}; set report.page_mb for more of them."
        )
    unanswered = int((~issues[-1].answered).sum())
    if unanswered:
        notes.append(
            f"{unanswered:,} of {len(issues[-1].answered):,} segments have no answer in the newest "
            "forecast."
        )
    if not len(history.starts):
        notes.append("Nothing is known of what was observed at these times.")
    if detail.history_every(issues[0].slice_minutes) > 1:
        notes.append(
            f"So that the page stays below {size}, charts show what was observed every "
            f"{detail.history_every_min} minutes alone, and whatever a forecast is held against."
        )
    if settings.labels.rush_hour == "clock":
        notes.append("Rush hour is a matter of the clock here, not of the traffic.")
    fastest_kph = step_kph * (NONE - 1)
    unit = settings.city.speed_unit
    factor = KPH_PER[unit]
    notes.append(
        f"Lines are simplified by up to {detail.tolerance_m:g} m, and their points lie on a grid "
        f"of {GRID * METRES_PER_DEGREE:.1f} m. Probabilities are rounded to "
        f"{100 * PROBABILITY_STEP:g} %, speeds to {step_kph / factor:.2g} {unit}; none is shown "
        f"above {fastest_kph / factor:.0f} {unit}."
    )
    return notes


def flattered_note(flattered: int, issues: int) -> str:
    """Return the sentence about forecasts whose error says less than it seems to."""
    return (
        f"{flattered} of {issues} times of issue are times that the model was made from: its error "
        "there flatters it, and no scorecard counts it."
    )


def hindsight_note(late: int, issues: int) -> str:
    """Return the sentence about forecasts that were worked out when more was known."""
    return (
        f"{late} of {issues} times of issue were, or may have been, forecast afterwards: no later "
        "slice was looked at, but speeds of trips that were under way rest on how these went on."
    )


def too_large_note(settings: Settings, segments: int) -> str:
    """Return the sentence about a page that one forecast makes larger than asked."""
    return (
        f"One forecast of {segments:,} segments does not fit into {settings.report.page_mb:g} MB "
        "(report.page_mb): the page is larger than asked."
    )


def attribution_of(folder: Path) -> str:
    """Return whom the roads are owed to, as their licence asks; empty where nothing is known.

    Args:
        folder: of the imported network, such as ``Workspace.network``.

    Raises:
        DataError: its account is damaged.
    """
    path = folder / "network.json"
    if not path.is_file():
        return ""
    try:
        kind = json.loads(path.read_text("utf-8"))["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged; import the roads again: roadgraph network") from error
    return OPENSTREETMAP if kind in FROM_OPENSTREETMAP else ""


def _target(issue: Issue, horizon_min: int, zone: ZoneInfo) -> dict[str, str]:
    start = issue.target_start(horizon_min)
    end = start + (issue.issued_at - issue.last_start)
    day = issue.issued_at.tz_convert(zone).date()
    told = {}
    for name, time in (("from", start), ("to", end)):
        local, clock = time.tz_convert(zone), time_of_day(time, zone)
        told[name] = clock if local.date() == day else f"{local:%a} {clock}"
    return told


def _ms(time: pd.Timestamp) -> int:
    return int(time.timestamp() * 1000)
