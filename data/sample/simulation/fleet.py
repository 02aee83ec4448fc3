"""The fleet's true movements: SUMO's record of the taxi trips, dealt out to taxis."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from simulation.parameters import DAY_S, DRIVING, TAXI

COLUMNS = ["time_s", "vehicle_id", "x_m", "y_m", "heading_deg", "speed_mps", "segment_id"]


@dataclass
class Taxi:
    """A taxi between two trips; seconds count from the first local midnight."""

    taxi_id: str
    free_at_s: float
    x_m: float
    y_m: float


@dataclass
class TaxiRank:
    """All taxis; carried from day to day, so that a taxi is never in two places."""

    taxis: list[Taxi] = field(default_factory=list)

    def hire(self, start_s: float, x_m: float, y_m: float) -> Taxi:
        """The nearest taxi that can be there in time, or a new one."""
        best, best_m = None, np.inf
        for taxi in self.taxis:
            distance_m = float(np.hypot(taxi.x_m - x_m, taxi.y_m - y_m))
            ready_s = taxi.free_at_s + TAXI.min_gap_s + distance_m / TAXI.repositioning_mps
            if ready_s <= start_s and distance_m < best_m:
                best, best_m = taxi, distance_m
        if best is None:
            best = Taxi(f"taxi-{len(self.taxis) + 1:03d}", start_s, x_m, y_m)
            self.taxis.append(best)
        return best


def read_fleet(fleet_csv: Path) -> pd.DataFrame:
    """Every second of every fleet trip of a day, with the segment it is on.

    SUMO puts vehicles that cross a junction on a lane of the junction (its name starts with a
    colon); they count for the segment they drive onto, or the last one if none follows.
    """
    table = pd.read_csv(
        fleet_csv, sep=";", names=[*COLUMNS[:-1], "lane"], header=0, dtype={"lane": str}
    )
    table = table.dropna(subset=["vehicle_id"])
    table["time_s"] = table["time_s"].astype(int) - DRIVING.warm_up_s
    table = table[(table["time_s"] >= 0) & (table["time_s"] < DAY_S)]
    table["vehicle_id"] = table["vehicle_id"].astype(int)
    segment = table["lane"].str.rsplit("_", n=1).str[0]
    table["segment_id"] = segment.where(~table["lane"].str.startswith(":"))
    table = table.sort_values(["vehicle_id", "time_s"], kind="stable", ignore_index=True)
    by_trip = table.groupby("vehicle_id")["segment_id"]
    table["segment_id"] = by_trip.bfill().fillna(by_trip.ffill())
    return table.dropna(subset=["segment_id"])[COLUMNS]


def report_moments(
    seconds: pd.DataFrame, day: int, rank: TaxiRank, period_s: int, rng: np.random.Generator
) -> pd.DataFrame:
    """The moments at which taxis report, with the truth at each: one row a report.

    A taxi reports at a phase of its own all day long. After some trips it waits at the kerb and
    keeps reporting.
    """
    offset_s = day * DAY_S
    trips = seconds.groupby("vehicle_id", sort=False)
    ends = trips.agg(
        start_s=("time_s", "first"),
        end_s=("time_s", "last"),
        x0_m=("x_m", "first"),
        y0_m=("y_m", "first"),
    )
    phases: dict[str, int] = {}
    parts: list[pd.DataFrame] = []
    for trip_id, trip in ends.sort_values(["start_s"], kind="stable").iterrows():
        taxi = rank.hire(offset_s + trip.start_s, trip.x0_m, trip.y0_m)
        phase_s = phases.setdefault(taxi.taxi_id, int(taxi.taxi_id[5:]) * 7 % period_s)
        path = trips.get_group(trip_id)
        part = path[path["time_s"] % period_s == phase_s].assign(parked=False)
        last = path.iloc[-1]
        taxi.x_m, taxi.y_m = float(last.x_m), float(last.y_m)
        break_s = rng.exponential(TAXI.mean_break_s)
        taxi.free_at_s = offset_s + float(trip.end_s) + break_s
        parts.append(part.assign(vehicle_id=taxi.taxi_id))
        if rng.random() < TAXI.park_share:
            wait_s = int(rng.integers(TAXI.park_min_s, TAXI.park_max_s))
            waiting = _wait_at_kerb(last, wait_s, phase_s, period_s)
            parts.append(waiting.assign(vehicle_id=taxi.taxi_id))
            taxi.free_at_s += wait_s
    return pd.concat(parts, ignore_index=True)


def _wait_at_kerb(last: pd.Series, wait_s: int, phase_s: int, period_s: int) -> pd.DataFrame:
    """Reports of a taxi that stands at the left kerb after its trip, up to local midnight."""
    until_s = min(int(last.time_s) + wait_s, DAY_S)
    times = np.arange(int(last.time_s) + 1, until_s)
    times = times[times % period_s == phase_s]
    left = np.radians(last.heading_deg - 90.0)
    return pd.DataFrame(
        {
            "time_s": times,
            "x_m": last.x_m + TAXI.kerb_offset_m * np.sin(left),
            "y_m": last.y_m + TAXI.kerb_offset_m * np.cos(left),
            "heading_deg": last.heading_deg,
            "speed_mps": 0.0,
            "segment_id": last.segment_id,
            "parked": True,
        }
    )
