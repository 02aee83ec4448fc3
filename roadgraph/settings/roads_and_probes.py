"""Settings of a city and of the way from its roads and probes to slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from roadgraph.settings.setting import Setting

Side = Literal["left", "right"]


@dataclass(frozen=True)
class CitySettings:
    """Where a city's data is and on which clock it lives."""

    name: Annotated[str, Setting("name of the city; outputs go to a folder of this name")] = (
        "sample"
    )
    timezone: Annotated[str, Setting("IANA time zone of the city's clock")] = "Asia/Bangkok"
    source: Annotated[
        Literal["probes", "detectors", "measured"],
        Setting(
            "GPS fixes that need matching, detectors that measure speeds themselves, or rows that "
            "are on segments already (see measured)"
        ),
    ] = "probes"
    roads: Annotated[
        str,
        Setting(
            "road map or graph of detectors; the kind is found out: OpenStreetMap, GraphML, SUMO, "
            "a GIS line layer, an adjacency matrix, a distance list, LibCity"
        ),
    ] = "data/sample/roads.geojson"
    fixes: Annotated[
        str,
        Setting(
            "file or folder of raw data (Parquet, CSV): GPS fixes for probes, rows on segments for "
            "measured"
        ),
    ] = "data/sample/fixes"
    speeds: Annotated[
        str,
        Setting("table of speeds, one column a detector (CSV), or LibCity's .dyna; detectors only"),
    ] = ""
    speeds_start: Annotated[
        str,
        Setting("local time of the first row of `speeds`, such as 2012-03-01T00:00; not for .dyna"),
    ] = ""
    speeds_column: Annotated[
        str, Setting("column of a .dyna table; empty: traffic_speed, else the only one")
    ] = ""
    speeds_timezone: Annotated[
        str,
        Setting(
            "zone of a .dyna table's times, whether or not they end in Z; empty: the city's clock"
        ),
    ] = ""
    detector_ids: Annotated[
        str,
        Setting("file of the detectors' ids in the order of `roads`; empty: header of `speeds`"),
    ] = ""
    speed_unit: Annotated[
        Literal["km/h", "mph"], Setting("unit of `speeds`, and of speed errors in reports")
    ] = "km/h"
    drives_on: Annotated[
        Side,
        Setting(
            "side of the road that traffic keeps to, on which maps draw a segment beside that of "
            "the other direction"
        ),
    ] = "left"
    truth: Annotated[
        str, Setting("true speeds of a simulation; read by evaluation alone; empty: none")
    ] = ""


@dataclass(frozen=True)
class NetworkSettings:
    """How a road layer is read."""

    columns: Annotated[
        dict[str, str],
        Setting("our column name to the layer's, where they differ: {segment_id: OBJECTID}"),
    ] = field(default_factory=dict)
    default_speed_limit_kph: Annotated[
        float, Setting("used where the layer has no speed limit", "km/h", 5, 150)
    ] = 50.0
    max_turn_deg: Annotated[
        float, Setting("turns sharper than this make no link (U-turns)", "degrees", 90, 180)
    ] = 170.0
    service_roads: Annotated[
        bool, Setting("take OpenStreetMap's service roads too (yards, drives to houses, alleys)")
    ] = False
    layer: Annotated[
        str, Setting("layer of a GIS file that holds several with lines; empty: the only one")
    ] = ""
    speed_unit: Annotated[Literal["km/h", "mph"], Setting("unit of a GIS layer's speed limits")] = (
        "km/h"
    )
    parts: Annotated[
        Literal["largest", "all"],
        Setting("keep the largest strongly connected part of the network, or all of it"),
    ] = "largest"
    min_link_weight: Annotated[
        float,
        Setting("distance lists: detectors whose weight is below this are not linked", "1", 0, 1),
    ] = 0.1
    diff_tolerance_m: Annotated[
        float, Setting("how far apart two drawings of the same road may lie", "m", 0.1, 100)
    ] = 10.0


@dataclass(frozen=True)
class ProbesSettings:
    """Cleaning and matching of GPS fixes."""

    columns: Annotated[
        dict[str, str], Setting("our column name to the feed's, where they differ")
    ] = field(default_factory=dict)
    header_columns: Annotated[
        tuple[str, ...],
        Setting("the feed's columns in order, if files may lack a header line; empty: all have it"),
    ] = ()
    timezone: Annotated[
        str, Setting("zone of timestamps that carry none; empty: such timestamps are refused")
    ] = ""
    time_format: Annotated[
        str, Setting("empty: ISO 8601 and its like; or epoch_s, epoch_ms, or a strptime format")
    ] = ""
    speed_unit: Annotated[
        Literal["km/h", "mph", "m/s", "knots"], Setting("unit of the feed's speeds")
    ] = "km/h"
    valid_column: Annotated[
        str, Setting("the feed's column that says by 0, F, N or nothing: no GPS fix; empty: none")
    ] = ""
    encoding: Annotated[
        str, Setting("how text files encode characters; a byte order mark beats it")
    ] = "utf-8"
    delimiter: Annotated[
        str,
        Setting("a character, or comma, semicolon, tab or pipe; empty: found in the first lines"),
    ] = ""
    replace: Annotated[
        bool, Setting("let a file take the place of one of its name that held more rows of a day")
    ] = False
    matcher: Annotated[
        Literal["trips", "nearest"],
        Setting("match along whole trips, or each fix to the nearest segment (sparse feeds)"),
    ] = "trips"
    max_speed_kph: Annotated[
        float, Setting("a faster fix, or a faster way between two, is refused", "km/h", 30, 400)
    ] = 200.0
    parked_minutes: Annotated[
        float, Setting("a vehicle that stands for longer is parked, not in a queue", "min", 2, 240)
    ] = 15.0
    parked_radius_m: Annotated[
        float, Setting("how far the fixes of a parked vehicle may scatter", "m", 1, 500)
    ] = 60.0
    network_margin_m: Annotated[
        float, Setting("fixes farther outside the network's box are refused", "m", 0, 10_000)
    ] = 500.0
    max_lateness_s: Annotated[
        float,
        Setting("a row so much older than one before it shows a clock set back", "s", 0, 86_400),
    ] = 300.0
    max_gap_s: Annotated[float, Setting("a longer silence ends a trip", "s", 1, 3600)] = 120.0
    search_radius_m: Annotated[
        float, Setting("how far from a fix its road may be", "m", 5, 500)
    ] = 60.0
    gps_error_m: Annotated[
        float, Setting("standard deviation that the matcher assumes for a fix", "m", 1, 200)
    ] = 15.0
    heading_error_deg: Annotated[
        float,
        Setting("standard deviation of a heading, of fixes placed one by one", "degrees", 1, 180),
    ] = 30.0
    reverse_tolerance_m: Annotated[
        float, Setting("how far a fix may fall back along its segment", "m", 0, 200)
    ] = 30.0
    max_candidates: Annotated[int, Setting("segments considered for a fix", "", 1, 64)] = 16
    max_route_m: Annotated[float, Setting("longest way between two fixes", "m", 100, 20_000)] = (
        3000.0
    )


@dataclass(frozen=True)
class MeasuredSettings:
    """Rows that are on segments already, for ``city.source=measured``."""

    columns: Annotated[
        dict[str, str],
        Setting("our column name to the files', where they differ: {entered_at: time_utc}"),
    ] = field(default_factory=dict)
    timezone: Annotated[
        str, Setting("zone of times that carry none; empty: such times are refused")
    ] = ""
    time_format: Annotated[
        str, Setting("empty: ISO 8601 and its like; or epoch_s, epoch_ms, or a strptime format")
    ] = ""
    speed_unit: Annotated[
        Literal["km/h", "mph", "m/s", "knots"], Setting("unit of the files' speeds")
    ] = "km/h"
    max_speed_kph: Annotated[float, Setting("a faster row is refused", "km/h", 30, 400)] = 200.0
    encoding: Annotated[
        str, Setting("how text files encode characters; a byte order mark beats it")
    ] = "utf-8"
    delimiter: Annotated[
        str,
        Setting("a character, or comma, semicolon, tab or pipe; empty: found in the header"),
    ] = ""
    replace: Annotated[
        bool, Setting("let a run replace a day of the store that rests on more data")
    ] = False


@dataclass(frozen=True)
class SlicesSettings:
    """The time slices."""

    minutes: Annotated[int, Setting("length of a slice; divides an hour", "min", 1, 60)] = 15


@dataclass(frozen=True)
class SparkSettings:
    """The cluster, for ``engine=spark``."""

    master: Annotated[
        str,
        Setting(
            "Spark master, such as local[2], yarn or spark://host:7077; fixes and workspace must "
            "lie on storage that all its workers see under the same path"
        ),
    ] = "local[2]"
    options: Annotated[
        dict[str, str], Setting("further Spark options, {spark.executor.memory: 8g}")
    ] = field(default_factory=dict)
