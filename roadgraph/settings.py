"""Every setting: its one definition, with type, unit, default and range.

Plain frozen dataclasses, so that models and training need no configuration library. The values in
``conf/`` are checked against these definitions by :mod:`roadgraph.config`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable


Backbone = Literal["mlp", "gcn"]
GraphKind = Literal["network", "self_loops"]
Size = Literal["simple", "enhanced"]
SpeedBase = Literal["last", "typical", "nothing"]


@dataclass(frozen=True)
class Setting:
    """What a setting means, its unit and its range (both ends allowed)."""

    doc: str
    unit: str = ""
    low: float | None = None
    high: float | None = None

    def describe(self) -> str:
        """Return the meaning with unit and range, on one line."""
        unit = f" ({self.unit})" if self.unit else ""
        limits = "" if self.low is None else f" [{self.low:g} to {self.high:g}]"
        return f"{self.doc}{unit}{limits}"

    def check(self, value: Any) -> Any:
        """Return ``value``, or raise ``ValueError`` when it lies outside the range."""
        for item in value if isinstance(value, tuple) else (value,):
            if self.low is not None and not item >= self.low:  # NaN is in no range
                raise ValueError(f"must be at least {self.low:g} (found {item})")
            if self.high is not None and not item <= self.high:
                raise ValueError(f"must be at most {self.high:g} (found {item})")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        # pydantic calls this; it is imported here alone so that the definitions need only Python.
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))


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
class LabelsSettings:
    """What counts as congested and as rush hour."""

    congestion: Annotated[
        Literal["relative", "absolute", "traffic4cast"],
        Setting("classes by speed over free flow, by speed, or by the Traffic4cast rule"),
    ] = "relative"
    relative_cuts: Annotated[
        tuple[float, float, float],
        Setting("share of free flow where congested, moderate and free flow begin", "1", 0, 1),
    ] = (0.25, 0.50, 0.75)
    absolute_cuts_kph: Annotated[
        tuple[float, float, float],
        Setting("speeds where congested, moderate and free flow begin", "km/h", 0, 200),
    ] = (10.0, 20.0, 35.0)
    free_flow_percentile: Annotated[
        float, Setting("percentile of a segment's training speeds that is free flow", "%", 50, 100)
    ] = 85.0
    free_flow_min_share: Annotated[
        float, Setting("free flow is never below this share of the speed limit", "1", 0, 1)
    ] = 0.6
    rush_hour: Annotated[
        Literal["observed", "clock"],
        Setting("rush hour by the share of congested segments, or by fixed weekday hours"),
    ] = "observed"
    rush_hour_share: Annotated[
        float, Setting("share of segments in class 0 or 1 that makes a rush hour", "1", 0, 1)
    ] = 0.15
    rush_hour_clock: Annotated[
        tuple[tuple[float, float], ...],
        Setting("weekday rush hours, [start, end) in local hours, for `clock`"),
    ] = ((7.0, 9.0), (16.0, 19.0))


@dataclass(frozen=True)
class DatasetSettings:
    """Windows, horizons, splits and input channels."""

    window: Annotated[int, Setting("slices that the model sees", "slices", 1, 288)] = 4
    horizons_min: Annotated[
        tuple[int, ...], Setting("how far ahead to forecast", "min", 1, 1440)
    ] = (15, 30, 45, 60)
    train_share: Annotated[float, Setting("share of the time to train on", "1", 0.1, 0.9)] = 0.60
    validation_share: Annotated[
        float, Setting("share of the time, after the training, for validation", "1", 0.01, 0.5)
    ] = 0.15
    fill: Annotated[
        Literal["last", "mean", "typical"],
        Setting(
            "what an unobserved cell shows: the segment's last speed within the window (else its "
            "training mean), its training mean, or its typical speed at that time of the week"
        ),
    ] = "last"
    observed_channel: Annotated[
        bool, Setting("add the mask of observed cells to the input channels")
    ] = True
    history_channels: Annotated[
        bool,
        Setting("add the segment's typical speed now and at the farthest horizon to the channels"),
    ] = True
    static_channels: Annotated[
        bool, Setting("add length, speed limit, lanes and free flow to the input channels")
    ] = True


@dataclass(frozen=True)
class EvaluationSettings:
    """What the tables of results show."""

    report_horizons_min: Annotated[
        tuple[int, ...], Setting("horizons in the tables", "min", 1, 1440)
    ] = (15, 30, 45, 60)
    errors: Annotated[
        Literal["at_horizon", "up_to_horizon"],
        Setting("errors of the one step at the horizon, or of all steps up to it (T-GCN)"),
    ] = "at_horizon"
    leave_out_last_window: Annotated[
        bool, Setting("leave the last test window out, as the T-GCN code does")
    ] = False


@dataclass(frozen=True)
class ModelSettings:
    """Which model, on which graph."""

    name: Annotated[Backbone, Setting("backbone")] = "gcn"
    graph: Annotated[
        GraphKind,
        Setting("the road graph, or self-loops alone: the control that has no neighbours"),
    ] = "network"
    self_loop_weight: Annotated[
        float,
        Setting("weight of a segment's own features beside its neighbours' links", "", 0.01, 1000),
    ] = 1.0
    tasks: Annotated[
        tuple[Literal["congestion", "rush_hour", "speed"], ...], Setting("heads of the model")
    ] = ("congestion", "rush_hour", "speed")
    speed_from: Annotated[
        SpeedBase,
        Setting(
            "the speed head forecasts the change from the window's last speed, from the typical "
            "speed of that time (needs dataset.history_channels), or the speed itself"
        ),
    ] = "last"


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained."""

    seed: Annotated[
        int, Setting("seed of weights, dropout, noise and batch order", "", 0, 2**31)
    ] = 1
    max_epochs: Annotated[int, Setting("passes over the training span at most", "", 1, 10_000)] = 60
    batch_size: Annotated[int, Setting("slices a step", "slices", 1, 4096)] = 32
    learning_rate: Annotated[float, Setting("AdamW step size", "", 1e-6, 1)] = 1e-3
    beta1: Annotated[float, Setting("AdamW decay of the mean gradient", "", 0, 0.9999)] = 0.9
    beta2: Annotated[float, Setting("AdamW decay of the squared gradient", "", 0, 0.99999)] = 0.999
    eps: Annotated[float, Setting("AdamW floor of the denominator", "", 1e-12, 1e-2)] = 1e-8
    weight_decay: Annotated[float, Setting("AdamW weight decay", "", 0, 1)] = 0.01
    lr_factor: Annotated[float, Setting("learning rate factor on a plateau", "", 0.01, 0.99)] = 0.5
    lr_patience: Annotated[
        int, Setting("epochs without progress that are a plateau", "", 1, 1000)
    ] = 10
    lr_floor: Annotated[float, Setting("smallest learning rate", "", 0, 1)] = 1e-6
    clip_norm: Annotated[float, Setting("gradients are clipped to this norm", "", 1e-3, 1e3)] = 1.0
    patience: Annotated[
        int, Setting("epochs without progress that end the training", "", 1, 1000)
    ] = 20
    noise_std: Annotated[
        float, Setting("Gaussian noise on the scaled inputs", "standard deviations", 0, 1)
    ] = 0.01
    congestion_weight: Annotated[float, Setting("weight of the task in the loss", "", 0, 100)] = 1.0
    rush_hour_weight: Annotated[float, Setting("weight of the task in the loss", "", 0, 100)] = 1.0
    speed_weight: Annotated[float, Setting("weight of the task in the loss", "", 0, 100)] = 1.0
    class_weights: Annotated[
        Literal["none", "sqrt_inverse", "inverse"],
        Setting("how rare classes count more in the congestion loss (training frequencies)"),
    ] = "none"
    decision: Annotated[
        Literal["likeliest", "macro_f1"],
        Setting(
            "the class to answer: the likeliest, or the probabilities weighted so that macro F1 "
            "on the validation span is best"
        ),
    ] = "macro_f1"
    device: Annotated[
        Literal["auto", "cpu", "gpu"], Setting("auto takes the GPU when there is one")
    ] = "auto"


@dataclass(frozen=True)
class TrackingSettings:
    """Where runs are recorded."""

    uri: Annotated[
        str,
        Setting("MLflow store; empty: MLFLOW_TRACKING_URI, else mlflow.db in the workspace"),
    ] = ""


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


@dataclass(frozen=True)
class Settings:
    """All settings of one run."""

    city: CitySettings = field(default_factory=CitySettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    probes: ProbesSettings = field(default_factory=ProbesSettings)
    measured: MeasuredSettings = field(default_factory=MeasuredSettings)
    slices: SlicesSettings = field(default_factory=SlicesSettings)
    labels: LabelsSettings = field(default_factory=LabelsSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    spark: SparkSettings = field(default_factory=SparkSettings)
    engine: Annotated[
        Literal["embedded", "spark"],
        Setting("match and aggregate in this process, or on a Spark cluster"),
    ] = "embedded"
    size: Annotated[Size, Setting("2 layers of 64, or 3 of 128 with everything")] = "simple"
    workspace: Annotated[
        str, Setting("folder of everything that roadgraph writes, a folder a city")
    ] = "data/work"
