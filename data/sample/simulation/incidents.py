"""Disturbances that no clock foretells: a one-lane street that a standing vehicle blocks."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np

from simulation.parameters import DRIVING, INCIDENTS, TIME_ZONE, local_date
from simulation.town import Town

BLOCKED_AT = 0.5  # share of the street's length
INNER_TOWN_M = 1_500.0


@dataclass(frozen=True)
class Incident:
    """One street blocked for a while; seconds count from local midnight of its day."""

    day: int
    segment_id: str
    start_s: int
    end_s: int
    kind: str


def draw_incidents(town: Town, rng: np.random.Generator) -> tuple[Incident, ...]:
    """Puts each planned incident on another one-lane main street inside or at the ring."""
    busy = sorted(
        s.segment_id
        for s in town.segments
        if s.lanes == 1
        and s.road_class in ("primary", "secondary")
        and np.hypot(*s.line_m[len(s.line_m) // 2]) < INNER_TOWN_M
    )
    streets = rng.choice(busy, len(INCIDENTS), replace=False)
    return tuple(
        Incident(
            plan.day,
            str(street),
            int(plan.start_h * 3600),
            int(plan.start_h * 3600) + plan.duration_min * 60,
            plan.kind,
        )
        for plan, street in zip(INCIDENTS, streets, strict=True)
    )


def write_blockers(town: Town, incidents: tuple[Incident, ...], day: int, path: Path) -> None:
    """SUMO routes of the vehicles that stand on the only lane, half way along, until the end.

    Behind one of them SUMO lifts the first vehicle of the queue onward each time the teleport
    time is up: that stands for drivers who are waved past, and the queue still grows.
    """
    length_m = {s.segment_id: s.length_m for s in town.segments}
    blockers = []
    for number, x in enumerate(incidents):
        if x.day != day:
            continue
        start_s, end_s = x.start_s + DRIVING.warm_up_s, x.end_s + DRIVING.warm_up_s
        stop_m = BLOCKED_AT * length_m[x.segment_id]
        blockers.append(
            f'<trip id="incident{number}" type="blocker" depart="{start_s}"'
            f' from="{x.segment_id}" to="{x.segment_id}" departPos="{stop_m - 10.0:.1f}">'
            f'<stop lane="{x.segment_id}_0" startPos="{stop_m - 5.0:.1f}" endPos="{stop_m:.1f}"'
            f' until="{end_s}"/></trip>\n'
        )
    body = '<vType id="blocker" vClass="truck" length="8"/>\n' + "".join(blockers)
    path.write_text(f"<routes>\n{body}</routes>\n")


def write_incidents(incidents: tuple[Incident, ...], days: int, path: Path) -> None:
    """The incidents of the first days as CSV, in UTC, in order of time."""

    def stamp(day: int, seconds: int) -> str:
        midnight = datetime.combine(local_date(day), time(), TIME_ZONE)
        return (
            (midnight + timedelta(seconds=seconds)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        )

    kept = sorted((x for x in incidents if x.day < days), key=lambda x: (x.day, x.start_s))
    with path.open("w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("segment_id", "start", "end", "kind"))
        for x in kept:
            rows.writerow((x.segment_id, stamp(x.day, x.start_s), stamp(x.day, x.end_s), x.kind))
