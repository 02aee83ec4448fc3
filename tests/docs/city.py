"""The files that a reader of the documentation brings: roads, GPS fixes and more of a town."""

import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import box

from roadgraph.network.network import WGS84
from tests.toy import point, straight_segments
from tests.toy_city import FIRST_DAY, speed_kph_at
from tests.toy_osm import ARM_M, CROSSING, nodes, way, write_osm

DAYS = 4
EVERY_S = 5
STREETS = {1: "West Street", 2: "East Street", 3: "South Street", 4: "North Street"}
"""Of the crossing in ``tests.toy_osm``, by the node at the far end."""
WAYS = ((1, 2), (2, 1), (3, 4), (4, 3))
"""From end to end over the middle; the taxi of a slice goes each way in turn."""
OFF_M = (0.0, 3.0, -1.0)
"""How far a receiver errs to the east and to the north, fix by fix."""
HEADER = "device;recorded;latitude;longitude;speed;course"


def write_own_files(data: Path) -> None:
    """Write what the pages ask a reader to bring into the folder ``data``.

    ``mycity`` is the town of the tutorial: four named streets that meet, as OpenStreetMap has them,
    and a later map without one of them; four days of taxis, a CSV file a day; districts.
    ``gistown`` has a GIS layer and speeds on its segments, ``looptown`` detectors.
    """
    folder = data / "mycity"
    (folder / "fixes").mkdir(parents=True)
    streets = [way(10 * end, [end, 5], name=name) for end, name in STREETS.items()]
    write_osm(folder / "roads.osm", *nodes(CROSSING), *streets)
    write_osm(folder / "roads-2027.osm", *nodes(CROSSING), *streets[:3])
    for start in pd.date_range(FIRST_DAY, periods=DAYS):
        write_day(start, folder / "fixes" / f"{start:%Y-%m-%d}.csv")
    _write_districts(folder / "districts.geojson")
    _write_gistown(data / "gistown")
    _write_looptown(data / "looptown")


def write_day(start: pd.Timestamp, path: Path) -> None:
    """Write the fixes of the day that begins at ``start``, a few of them of no use."""
    times = pd.date_range(start, periods=96, freq="15min")
    rows = [row for place, time in enumerate(times) for row in _drive(place, time)]
    lost = rows[0].split(";")
    lost[2:4] = "0", "0"
    parked = [_row("taxi-p", start + timedelta(minutes=8, seconds=60 * m), 0.0, 50.0, 0.0, 0)
              for m in range(40)]  # fmt: skip
    path.write_text("\n".join([HEADER, *rows, rows[0], ";".join(lost), *parked]) + "\n", "utf-8")


def _drive(place: int, slice_start: pd.Timestamp) -> Iterator[str]:
    """Yield the rows of the taxi of a slice, as its device writes them."""
    begin, end = (CROSSING[node] for node in WAYS[place % len(WAYS)])
    kph = speed_kph_at(slice_start)
    course = round(math.degrees(math.atan2(end[0] - begin[0], end[1] - begin[1]))) % 360
    for step in range(int(2 * ARM_M / (kph / 3.6 * EVERY_S))):
        share = (step * EVERY_S * kph / 3.6 + 5) / (2 * ARM_M)
        aside_m = OFF_M[step % len(OFF_M)]
        east_m, north_m = (a + share * (b - a) + aside_m for a, b in zip(begin, end, strict=True))
        time = slice_start + timedelta(minutes=2, seconds=EVERY_S * step)
        yield _row(f"taxi-{place}", time, east_m, north_m, kph, course)


def _row(
    device: str, time: pd.Timestamp, east_m: float, north_m: float, kph: float, course: int
) -> str:
    lon, lat = point(east_m, north_m)
    return f"{device};{time:%d/%m/%Y %H:%M:%S};{lat:.6f};{lon:.6f};{kph:.1f};{course}"


def _write_districts(path: Path) -> None:
    """Write two polygons, west and east of the middle."""
    (west, south), (east, north) = point(-200.0, -200.0), point(200.0, 200.0)
    middle, _ = point(0.0)
    halves = [box(west, south, middle, north), box(middle, south, east, north)]
    districts = gpd.GeoDataFrame({"district": ["West", "East"]}, geometry=halves, crs=WGS84)
    districts.to_file(path, driver="GeoJSON")


def _write_gistown(folder: Path) -> None:
    """Write the straight road as a surveyor draws it, two-way lines, and a day of its speeds."""
    folder.mkdir()
    roads = straight_segments()
    columns = {
        "OBJECTID": roads["segment_id"],
        "street": "Long Road",
        "limit_mph": 30,
        "direction": "B",
    }
    layer = gpd.GeoDataFrame(columns, geometry=roads.geometry, crs=WGS84)
    layer.to_file(folder / "streets.gpkg", layer="centrelines", driver="GPKG")
    times = pd.date_range(FIRST_DAY, periods=96, freq="15min")
    rows = [
        f"{segment},{time:%Y-%m-%dT%H:%M:%S%z},{speed_kph_at(time):.1f},{2 + place % 3}"
        for place, time in enumerate(times)
        for segment in "ABC"
    ]
    text = "\n".join(["link,from_time,speed,vehicles", *rows]) + "\n"
    (folder / "speeds.csv").write_text(text, "utf-8")


def _write_looptown(folder: Path) -> None:
    """Write two detectors, the one behind the other, and two days of their speeds."""
    folder.mkdir()
    (folder / "adjacency.csv").write_text("1,1\n0,1\n", "utf-8")
    times = pd.date_range(FIRST_DAY, periods=2 * 288, freq="5min")
    kph = np.array([speed_kph_at(time) for time in times])
    rows = [f"{speed:.1f},{speed - 2:.1f}" for speed in kph]
    (folder / "speeds.csv").write_text("\n".join(["north,south", *rows]) + "\n", "utf-8")
