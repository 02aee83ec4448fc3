"""Toy roads and drives, small enough to check by hand. Nothing here is random.

Two maps near Bangkok, every segment 100 m long with a limit of 50 km/h:

* the straight road, driven to the east only::

      n0 --A--> n1 --B--> n2 --C--> n3

* the crossroads, two segments an arm, named after the arm and the way as seen from the middle::

                 north
                   |            north_in  goes from the end of the arm to the middle,
          west ----+---- east   north_out from the middle to the end of the arm.
                   |
                 south
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import polars as pl
from pyproj import Geod
from shapely.geometry import LineString

from roadgraph.network.links import links_at_nodes
from roadgraph.network.network import WGS84, Network, checked_network
from roadgraph.schema import FIXES, SEGMENTS

LON, LAT = 100.6, 13.8
SEGMENT_M = 100.0
LIMIT_KPH = 50.0
MAX_TURN_DEG = 170.0
MONDAY_7 = pd.Timestamp("2026-01-05T07:00", tz="Asia/Bangkok")
"""Monday, 00:00 UTC: a slice begins here, whatever its length."""

NORTH, EAST, SOUTH, WEST = 0.0, 90.0, 180.0, -90.0
ARMS = {"north": NORTH, "east": EAST, "south": SOUTH, "west": WEST}


def point(east_m: float, north_m: float = 0.0) -> tuple[float, float]:
    """Return longitude and latitude of a place so many metres east and north of node n0."""
    geodesic = Geod(ellps="WGS84")
    lon, lat, _ = geodesic.fwd(LON, LAT, EAST, east_m)
    lon, lat, _ = geodesic.fwd(lon, lat, NORTH, north_m)
    return float(lon), float(lat)


def segments_table(
    roads: Mapping[str, tuple[str, str, Sequence[tuple[float, float]]]],
) -> gpd.GeoDataFrame:
    """Return the columns of ``schema.SEGMENTS`` of ``{id: (from, to, [(lon, lat), ...])}``."""
    table = {
        "segment_id": list(roads),
        "from_node": [start for start, _, _ in roads.values()],
        "to_node": [end for _, end, _ in roads.values()],
        "length_m": SEGMENT_M,
        "road_class": "residential",
        "name": None,
        "lanes": pd.Series([1] * len(roads), dtype="int32"),
        "speed_limit_kph": LIMIT_KPH,
        "free_flow_kph": LIMIT_KPH,
    }
    lines = [LineString(points) for _, _, points in roads.values()]
    return gpd.GeoDataFrame(table, geometry=lines, crs=WGS84)[SEGMENTS.columns]


def straight_segments() -> gpd.GeoDataFrame:
    """Return A, B and C, one behind the other to the east."""
    return segments_table(
        {
            name: (f"n{i}", f"n{i + 1}", [point(SEGMENT_M * i), point(SEGMENT_M * (i + 1))])
            for i, name in enumerate("ABC")
        }
    )


def crossroads_segments() -> gpd.GeoDataFrame:
    """Return the eight segments of the crossroads."""
    geodesic = Geod(ellps="WGS84")
    roads = {}
    for arm, bearing in ARMS.items():
        end = geodesic.fwd(LON, LAT, bearing, SEGMENT_M)[:2]
        roads[f"{arm}_in"] = (arm, "middle", [end, (LON, LAT)])
        roads[f"{arm}_out"] = ("middle", arm, [(LON, LAT), end])
    return segments_table(roads)


def network_of(segments: gpd.GeoDataFrame, source: str = "toy") -> Network:
    """Return the checked network of ``segments``, linked at their nodes."""
    return checked_network(segments, links_at_nodes(segments, MAX_TURN_DEG), source)


def straight_network() -> Network:
    """Return the straight road: segments A, B, C and the links A > B and B > C."""
    return network_of(straight_segments())


def crossroads_network() -> Network:
    """Return the crossroads: 8 segments; 12 links over the middle, 4 back out of dead ends."""
    return network_of(crossroads_segments())


def detector_network(count: int = 2) -> Network:
    """Return detectors d0, d1 ... in a row, without lengths and without geometry."""
    ids = [f"d{i}" for i in range(count)]
    segments = gpd.GeoDataFrame(
        {
            "segment_id": ids,
            "from_node": ids,
            "to_node": ids,
            "length_m": float("nan"),
            "road_class": "detector",
            "name": None,
            "lanes": pd.Series([pd.NA] * count, dtype="Int32"),
            "speed_limit_kph": float("nan"),
            "free_flow_kph": float("nan"),
        },
        geometry=[None] * count,
        crs=WGS84,
    )[SEGMENTS.columns]
    links = pd.DataFrame(
        {
            "from_segment": ids[:-1],
            "to_segment": ids[1:],
            "turn_angle_deg": float("nan"),
            "weight": 1.0,
        }
    )
    return checked_network(segments, links, "toy detectors")


def write_road_layer(network: Network | gpd.GeoDataFrame, path: Path) -> Path:
    """Write the segments as a road layer; the format goes by the name's suffix."""
    layer = network.segments if isinstance(network, Network) else network
    if path.suffix == ".parquet":
        layer.to_parquet(path, index=False)
    else:
        layer.to_file(path, driver="GeoJSON")
    return path


def fixes_table(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Return the columns of ``schema.FIXES``; what a row leaves out is missing."""
    kinds = {
        "vehicle_id": pl.String(),
        "timestamp": pl.Datetime("us", "UTC"),
        **dict.fromkeys(("lat", "lon", "speed_kph", "heading_deg"), pl.Float64()),
    }
    assert list(kinds) == FIXES.columns
    columns = {name: [row.get(name) for row in rows] for name in kinds}
    return pl.DataFrame(columns, schema=kinds)


def fix(
    vehicle_id: str | None = "v1",
    after_s: float = 0.0,
    east_m: float = 50.0,
    north_m: float = 0.0,
    speed_kph: float | None = 36.0,
    start: pd.Timestamp = MONDAY_7,
    **other: object,
) -> dict[str, object]:
    """Return one fix as a row, ``after_s`` seconds after ``start``; ``other`` overrides columns."""
    lon, lat = point(east_m, north_m)
    time = (start + pd.Timedelta(seconds=after_s)).tz_convert("UTC").to_pydatetime()
    row = {"vehicle_id": vehicle_id, "timestamp": time, "lat": lat, "lon": lon}
    return {**row, "speed_kph": speed_kph, "heading_deg": EAST, **other}


def drive(
    vehicle_id: str = "v1",
    start: pd.Timestamp = MONDAY_7,
    speed_kph: float = 7.2,
    every_s: float = 30.0,
    begin_m: float = 10.0,
    end_m: float = 290.0,
    north_m: float = 0.0,
) -> pl.DataFrame:
    """Return the fixes of a vehicle that drives east along the straight road.

    It is ``begin_m`` metres behind n0 at ``start``, keeps its speed, sends a fix every ``every_s``
    seconds and its last one before ``end_m`` is passed. The defaults, 2 m/s, put the fixes at 10,
    70 (A), 130, 190 (B) and 250 m (C).

    Args:
        vehicle_id: the vehicle.
        start: the time of the first fix.
        speed_kph: its speed, which it also reports.
        every_s: time from one fix to the next.
        begin_m: where it begins.
        end_m: no fix lies farther than this.
        north_m: how far to the north of the road the fixes lie.
    """
    step_m = speed_kph / 3.6 * every_s
    count = int((end_m - begin_m + 1e-6) // step_m) + 1
    return fixes_table(
        [
            fix(vehicle_id, every_s * i, begin_m + step_m * i, north_m, speed_kph, start)
            for i in range(count)
        ]
    )


def write_fixes(fixes: pl.DataFrame, path: Path) -> Path:
    """Write fixes as CSV or Parquet, by the name's suffix."""
    if path.suffix == ".parquet":
        fixes.write_parquet(path)
    else:
        fixes.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
    return path
