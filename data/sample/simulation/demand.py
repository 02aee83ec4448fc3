"""Who drives, when and where: one day's trips, different every day."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulation.parameters import (
    DAY_S,
    DEMAND,
    DRIVING,
    ROAD_CLASSES,
    is_weekend,
    local_date,
)
from simulation.town import Town

# Districts: centre in metres, radius in metres, pull for homes, jobs and errands.
DISTRICTS = (
    ("old town", (0, 0), 550, 0.5, 1.6, 1.5),
    ("offices", (450, 350), 450, 0.1, 1.8, 0.5),
    ("north homes", (-200, 1300), 650, 1.3, 0.1, 0.2),
    ("south homes", (300, -1350), 650, 1.2, 0.1, 0.2),
    ("west homes", (-1400, 300), 600, 1.2, 0.2, 0.2),
    ("industry", (1500, -500), 550, 0.1, 1.4, 0.1),
    ("mall", (-800, -800), 350, 0.2, 0.3, 1.4),
    ("university", (800, 1000), 400, 0.3, 0.8, 0.5),
)
HOME, JOB, ERRAND, GATE = range(4)
BASE_PULL = 0.15  # of every street, wherever it lies


@dataclass(frozen=True)
class Purpose:
    """A reason to drive; `share` is of the day's trips, a peak is (hour, sd in hours, weight)."""

    origin: int
    destination: int
    share: float
    peaks: tuple[tuple[float, float, float], ...]


WEEKDAY = (
    Purpose(HOME, JOB, 0.32, ((7.7, 1.15, 0.86), (13.2, 2.5, 0.14))),
    Purpose(JOB, HOME, 0.32, ((17.7, 1.35, 0.86), (12.2, 1.8, 0.14))),
    Purpose(HOME, ERRAND, 0.09, ((11.0, 2.6, 0.6), (18.5, 1.5, 0.4))),
    Purpose(ERRAND, HOME, 0.10, ((14.0, 2.8, 0.55), (19.8, 1.4, 0.45))),
    Purpose(GATE, JOB, 0.06, ((8.0, 1.0, 0.75), (13.0, 2.5, 0.25))),
    Purpose(JOB, GATE, 0.06, ((17.3, 1.2, 0.75), (13.0, 2.5, 0.25))),
    Purpose(GATE, GATE, 0.05, ((13.0, 4.5, 1.0),)),
)
WEEKEND = (
    Purpose(HOME, ERRAND, 0.38, ((13.0, 2.9, 0.85), (18.5, 1.4, 0.15))),
    Purpose(ERRAND, HOME, 0.38, ((15.5, 3.0, 0.8), (20.5, 1.4, 0.2))),
    Purpose(HOME, JOB, 0.06, ((10.0, 2.0, 1.0),)),
    Purpose(JOB, HOME, 0.06, ((17.0, 2.2, 1.0),)),
    Purpose(GATE, ERRAND, 0.06, ((11.5, 2.2, 1.0),)),
    Purpose(GATE, GATE, 0.06, ((14.0, 4.5, 1.0),)),
)
NIGHT_SHARE = 0.035  # of each purpose's trips, spread over the whole day


def street_pulls(town: Town) -> np.ndarray:
    """Pull of each segment for homes, jobs, errands and through traffic; rows sum to one."""
    middle_m = np.array([s.line_m[len(s.line_m) // 2] for s in town.segments])
    kerb_m = np.array([s.length_m * ROAD_CLASSES[s.road_class].kerb_demand for s in town.segments])
    pulls = np.full((4, len(town.segments)), BASE_PULL)
    for _, centre_m, radius_m, *weights in DISTRICTS:
        near = np.exp(-(((middle_m - centre_m) ** 2).sum(1)) / (2 * radius_m**2))
        pulls[:3] += np.outer(weights, near)
    pulls *= kerb_m
    pulls[GATE] = 0.0
    return pulls


def _gate_pulls(town: Town, entering: bool) -> np.ndarray:
    ends = [s.from_node if entering else s.to_node for s in town.segments]
    return np.array(
        [
            (s.lanes if end in town.gates and s.road_class in ("primary", "secondary") else 0.0)
            for s, end in zip(town.segments, ends, strict=True)
        ]
    )


def write_trips(town: Town, day: int, rng: np.random.Generator, path: Path) -> int:
    """Writes one day's trips for SUMO, sorted by departure; returns how many there are."""
    weekend = is_weekend(day)
    total: float = DEMAND.weekend_vehicles if weekend else DEMAND.weekday_vehicles
    total *= 1.0 + DEMAND.level_sd * float(np.clip(rng.normal(), -1.5, 1.5))
    total *= DEMAND.friday_factor if local_date(day).weekday() == 4 else 1.0
    pulls = street_pulls(town)
    mood = rng.lognormal(0.0, DEMAND.zone_sd, (3, len(DISTRICTS)))
    pulls[:3] *= _district_mood(town, mood)
    shifts_h = np.clip(rng.normal(0.0, DEMAND.peak_shift_sd_h, 2), -0.45, 0.45)
    columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for purpose in WEEKEND if weekend else WEEKDAY:
        count = round(total * purpose.share * rng.lognormal(0.0, 0.04))
        depart_s = _departures(purpose, count, shifts_h, rng)
        origins = pulls[purpose.origin] if purpose.origin != GATE else _gate_pulls(town, True)
        targets = (
            pulls[purpose.destination] if purpose.destination != GATE else _gate_pulls(town, False)
        )
        columns.append((depart_s, *_pairs(town, origins, targets, count, rng)))
    depart_s, start, end = (np.concatenate(part) for part in zip(*columns, strict=True))
    order = np.argsort(depart_s, kind="stable")
    kind = rng.choice(
        ["taxi", "truck", "car"],
        len(order),
        p=[
            DEMAND.fleet_share,
            DEMAND.truck_share,
            1 - DEMAND.fleet_share - DEMAND.truck_share,
        ],
    )
    ids = [s.segment_id for s in town.segments]
    with path.open("w") as out:
        out.write(_VEHICLE_TYPES)
        for number, (i, what) in enumerate(zip(order, kind, strict=True)):
            out.write(
                f'<trip id="{number}" type="{what}" depart="{depart_s[i]:.0f}"'
                f' from="{ids[start[i]]}" to="{ids[end[i]]}" departPos="random_free"'
                ' departSpeed="max" departLane="best" arrivalPos="random"/>\n'
            )
        out.write("</routes>\n")
    return len(order)


# Unhurried drivers: they keep 2 s to the one ahead and pull away gently, so that a lane
# carries fewer vehicles than with SUMO's defaults. Taxis drive like everyone else.
_CAR = 'vClass="passenger" sigma="0.5" tau="2.0" accel="1.7" speedFactor="normc(0.97,0.1,0.7,1.25)"'
_VEHICLE_TYPES = f"""<routes>
<vType id="car" {_CAR}/>
<vType id="truck" vClass="truck" length="8" maxSpeed="22" tau="2.0"
 speedFactor="normc(0.92,0.08,0.7,1.1)"/>
<vType id="taxi" {_CAR}><param key="has.fcd.device" value="true"/></vType>
"""


def _district_mood(town: Town, mood: np.ndarray) -> np.ndarray:
    """How much more or less each segment pulls today, from its districts' moods."""
    middle_m = np.array([s.line_m[len(s.line_m) // 2] for s in town.segments])
    near = np.array(
        [
            np.exp(-(((middle_m - centre_m) ** 2).sum(1)) / (2 * radius_m**2))
            for _, centre_m, radius_m, *_ in DISTRICTS
        ]
    )
    return (mood @ near + 0.05) / (near.sum(0) + 0.05)


def _departures(
    purpose: Purpose, count: int, shifts_h: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Departure in seconds of simulation time; the clock starts a warm-up before midnight."""
    peaks = np.array(purpose.peaks)
    which = rng.choice(len(peaks), count, p=peaks[:, 2])
    shift_h = np.where(peaks[which, 0] < 12.5, shifts_h[0], shifts_h[1])
    hours = rng.normal(peaks[which, 0] + shift_h, peaks[which, 1]) % 24
    at_night = rng.random(count) < NIGHT_SHARE
    hours = np.where(at_night, rng.uniform(0, 24, count), hours)
    seconds = np.floor(hours * 3600)
    # The last quarter of an hour before midnight is also what the warm-up is filled with.
    lead_in = seconds >= DAY_S - DRIVING.warm_up_s
    early = lead_in & (rng.random(count) < 0.5)
    return np.where(early, seconds - DAY_S, seconds) + DRIVING.warm_up_s


def _pairs(
    town: Town, origins: np.ndarray, targets: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws origin and destination segments that are not next to each other."""
    middle_m = np.array([s.line_m[len(s.line_m) // 2] for s in town.segments])
    start = rng.choice(len(origins), count, p=origins / origins.sum())
    end = rng.choice(len(targets), count, p=targets / targets.sum())
    while True:
        near = np.hypot(*(middle_m[start] - middle_m[end]).T) < DEMAND.min_trip_m
        if not near.any():
            return start, end
        start[near] = rng.choice(len(origins), near.sum(), p=origins / origins.sum())
        end[near] = rng.choice(len(targets), near.sum(), p=targets / targets.sum())
