"""Every number of the simulation in one place, with its unit in its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

SEED = 5
FIRST_DAY = date(2026, 1, 5)
TIME_ZONE = ZoneInfo("Asia/Bangkok")
CENTRE_LON_DEG = 100.6
CENTRE_LAT_DEG = 13.8
SLICE_S = 900
DAY_S = 86_400


@dataclass(frozen=True)
class RoadClass:
    """What a street of one class looks like."""

    speed_limits_kph: tuple[float, ...]
    priority: int
    kerb_demand: float  # trips that start or end here per metre of street, relative


ROAD_CLASSES = {
    "primary": RoadClass((80.0,), 9, 0.10),
    "secondary": RoadClass((60.0,), 7, 0.35),
    "tertiary": RoadClass((50.0,), 5, 0.8),
    "residential": RoadClass((30.0, 40.0), 3, 1.0),
}


@dataclass(frozen=True)
class TownPlan:
    """Shape of the town: a ring, radial arterials, and streets that fill the rest."""

    ring_nodes: int = 18
    ring_radii_m: tuple[float, float] = (1_450.0, 1_200.0)
    radial_ring_nodes: tuple[int, ...] = (0, 3, 6, 9, 12, 15)
    two_lane_radials: tuple[int, ...] = (0, 9)  # the west-east road, outside the ring
    radial_spacing_m: float = 300.0
    gate_radius_m: float = 2_250.0
    town_radii_m: tuple[float, float] = (2_150.0, 1_850.0)
    fill_spacing_centre_m: float = 235.0
    fill_spacing_edge_m: float = 420.0
    fill_attempts: int = 6_000
    node_jitter_m: float = 35.0
    bend_share: float = 0.05  # sideways bend of a street, as a share of its length
    min_crossing_angle_deg: float = 38.0
    tertiary_routes: int = 4
    one_way_streets: int = 8
    river_y_m: float = -330.0  # where the river passes the town centre, and how it winds
    river_swing_m: float = 150.0
    river_bend_m: float = 700.0
    traffic_light_cycle_s: int = 80


@dataclass(frozen=True)
class DemandLevels:
    """Vehicles a day, and how far one day differs from another."""

    weekday_vehicles: int = 42_500
    weekend_vehicles: int = 35_000
    friday_factor: float = 1.02
    level_sd: float = 0.02
    peak_shift_sd_h: float = 0.2
    zone_sd: float = 0.25  # log standard deviation of a zone's pull from day to day
    min_trip_m: float = 2_200.0
    fleet_share: float = 0.035
    truck_share: float = 0.08


@dataclass(frozen=True)
class DrivingRules:
    """How SUMO moves the vehicles, and how it dissolves gridlock."""

    warm_up_s: int = 900
    step_s: float = 1.0
    # A vehicle that has stood still this long is lifted to the next free stretch of its route.
    time_to_teleport_s: int = 400
    # Vehicles that block a crossing are ignored by crossing traffic after this time.
    ignore_junction_blocker_s: int = 40
    max_depart_delay_s: int = 600
    # Drivers with a navigator that knows the jams; the others keep to the way they are used to.
    rerouting_share: float = 0.50
    rerouting_period_s: int = 300
    route_spread: float = 1.4  # random factor on each driver's edge times


@dataclass(frozen=True)
class ReceiverQuality:
    """What the GPS receivers of the fleet get wrong."""

    report_period_s: int = 30
    # 8 m root mean square distance from the truth, which is 5.66 m on each axis.
    position_sd_m: float = 8.0
    moving_correlation: float = 0.5  # of one fix's error with the next
    parked_correlation: float = 0.9
    speed_sd_kph: float = 1.2
    heading_sd_deg: float = 5.0
    slow_heading_sd_deg: float = 25.0
    slow_below_kph: float = 5.0
    missing_speed_share: float = 0.01
    missing_heading_share: float = 0.01
    zero_position_share: float = 0.0015
    impossible_latitude_share: float = 0.0008
    no_latitude_share: float = 0.0007
    negative_speed_share: float = 0.001
    absurd_speed_share: float = 0.001
    far_away_share: float = 0.0015
    duplicate_share: float = 0.001
    far_away_m: tuple[float, float] = (5_000.0, 30_000.0)


@dataclass(frozen=True)
class TaxiHabits:
    """How trips become the working days of taxis."""

    min_gap_s: float = 120.0
    mean_break_s: float = 900.0  # on top, exponentially distributed
    repositioning_mps: float = 6.0
    park_share: float = 0.008  # of trips that end in a long wait at the kerb
    park_min_s: int = 3_600
    park_max_s: int = 7_200
    kerb_offset_m: float = 2.5


@dataclass(frozen=True)
class IncidentPlan:
    """One planned disturbance; the street is drawn from the busy ones."""

    day: int  # 0 is the first day
    start_h: float  # local
    duration_min: int
    kind: str


INCIDENTS = (
    IncidentPlan(0, 13.25, 60, "crash"),
    IncidentPlan(1, 10.5, 75, "breakdown"),
    IncidentPlan(2, 20.0, 45, "crash"),
    IncidentPlan(3, 14.75, 60, "roadworks"),
    IncidentPlan(4, 11.25, 50, "crash"),
    IncidentPlan(5, 15.5, 60, "flooding"),
    IncidentPlan(6, 11.0, 70, "crash"),
    IncidentPlan(7, 9.75, 60, "breakdown"),
    IncidentPlan(8, 13.0, 90, "roadworks"),
    IncidentPlan(9, 19.5, 50, "crash"),
    IncidentPlan(10, 10.25, 60, "crash"),
    IncidentPlan(10, 20.25, 45, "breakdown"),
    IncidentPlan(11, 14.0, 75, "flooding"),
    IncidentPlan(12, 18.5, 60, "crash"),
    IncidentPlan(13, 10.75, 60, "roadworks"),
)

TOWN = TownPlan()
DEMAND = DemandLevels()
DRIVING = DrivingRules()
RECEIVER = ReceiverQuality()
TAXI = TaxiHabits()


def local_date(day: int) -> date:
    """The calendar date of a day counted from the first one."""
    return FIRST_DAY + timedelta(days=day)


def is_weekend(day: int) -> bool:
    """Saturday or Sunday."""
    return local_date(day).weekday() >= 5
