"""A made city for the benchmarks: a grid of streets, speeds at random and untrained bundles.

Streets of 100 m lead both ways from every crossing to the next; at a crossing one may go on in all
directions but back. A segment inside the grid then leads to three others and is led to by three, so
that with its own a row of the symmetric matrix has 7 entries. The two directions of a street are
neighbours in the order of the segments, the streets stand in any order: the numbers of a map's ways
know nothing of place either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from roadgraph.calendar import city_zone
from roadgraph.config import settings_from_dict, settings_to_dict
from roadgraph.dataset.dataset import Dataset, RoadGraph
from roadgraph.dataset.grid import SliceGrid
from roadgraph.dataset.history import History
from roadgraph.dataset.labels import Labels
from roadgraph.dataset.preparation import FittedPreparation, Preparation, channels_of
from roadgraph.dataset.splits import Span, Splits
from roadgraph.models.registry import build_model, model_title
from roadgraph.network.network import WGS84, Network
from roadgraph.schema import CONGESTION_CLASSES, LINKS, NO_LABEL, SEGMENTS, SLICES
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle
from roadgraph.training.seen_time import SeenTime

if TYPE_CHECKING:
    from roadgraph.settings import Settings

STREET_M = 100.0
DEGREES_A_STREET = 0.0009  # about 100 m
LON, LAT = 100.5, 13.7
NEWEST = pd.Timestamp("2026-01-12T07:45Z")
UNLABELLED = 0.1  # share of the cells


@dataclass(frozen=True)
class Streets:
    """The grid.

    Attributes:
        begin, end: ``[N, 2]`` row and column of the crossings that a segment goes between.
        source, target: ``[E]`` int64; traffic goes from source straight into target.
    """

    begin: np.ndarray
    end: np.ndarray
    source: np.ndarray
    target: np.ndarray

    @property
    def segments(self) -> int:
        """``N``."""
        return len(self.begin)

    def coordinates(self, crossings: np.ndarray) -> np.ndarray:
        """Return longitude and latitude, ``[N, 2]``, of ``crossings [N, 2]``."""
        return np.array([LON, LAT]) + DEGREES_A_STREET * crossings[:, ::-1]

    def road_graph(self) -> RoadGraph:
        """Return the graph as arrays."""
        weight = np.ones(len(self.source), dtype=np.float32)
        middle_m = STREET_M * (self.begin + self.end)[:, ::-1] / 2
        return RoadGraph(self.source, self.target, weight, self.segments, "made", middle_m)


def streets_of(segments: int, seed: int = 0) -> Streets:
    """Return the grid of the first ``segments`` directed streets, row by row of a square."""
    side = 2
    while 4 * side * (side - 1) < segments:
        side += 1
    row, column = np.divmod(np.arange(side * side), side)
    crossing = row * side + column
    east, south = crossing[column < side - 1], crossing[row < side - 1]
    a = np.concatenate([east, south])
    b = np.concatenate([east + 1, south + side])
    place = np.argsort(a, kind="stable")[: -(-segments // 2)]
    place = np.random.default_rng(seed).permutation(place)
    begin = np.stack([a[place], b[place]], axis=1).flatten()[:segments]
    end = np.stack([b[place], a[place]], axis=1).flatten()[:segments]
    ways = pd.DataFrame({"begin": begin, "end": end, "segment": np.arange(segments)})
    pairs = ways.merge(ways, left_on="end", right_on="begin", suffixes=("", "_next"))
    pairs = pairs[pairs["end_next"] != pairs["begin"]]
    pairs = pairs.sort_values(["segment", "segment_next"])
    return Streets(
        np.stack(np.divmod(begin, side), axis=1),
        np.stack(np.divmod(end, side), axis=1),
        pairs["segment"].to_numpy(np.int64, copy=True),
        pairs["segment_next"].to_numpy(np.int64, copy=True),
    )


def made_settings(name: str, size: str, **groups: object) -> Settings:
    """Return the settings of a model and of a city of no files."""
    city = {"name": "made", "timezone": "UTC"}
    return settings_from_dict({"city": city, "model": {"name": name}, "size": size, **groups})


def made_network(streets: Streets) -> Network:
    """Return the grid as the tables of a network."""
    count = streets.segments
    ids = np.array([f"way/{place:07d}" for place in range(count)], dtype=object)
    ends = [streets.coordinates(crossings) for crossings in (streets.begin, streets.end)]
    nodes = [[f"{row}/{column}" for row, column in each] for each in (streets.begin, streets.end)]
    table = gpd.GeoDataFrame(
        {
            "segment_id": ids,
            "from_node": nodes[0],
            "to_node": nodes[1],
            "length_m": STREET_M,
            "road_class": "residential",
            "name": None,
            "lanes": 1,
            "speed_limit_kph": 50.0,
            "free_flow_kph": 50.0,
        },
        geometry=shapely.linestrings(np.stack(ends, axis=1)),
        crs=WGS84,
    )
    links = pd.DataFrame(
        {
            "from_segment": ids[streets.source],
            "to_segment": ids[streets.target],
            "turn_angle_deg": 0.0,
            "weight": 1.0,
        }
    )
    return Network(table[SEGMENTS.columns], links[LINKS.columns])


def made_preparation(segments: int, settings: Settings) -> Preparation:
    """Return what a training on random speeds would teach."""
    channels, minutes = channels_of(settings.dataset), settings.slices.minutes
    week = np.random.default_rng(0).uniform(20, 50, 7 * 24 * 60 // minutes).astype(np.float32)
    return Preparation(
        channels,
        mean=np.full(len(channels), 30, dtype=np.float32),
        std=np.full(len(channels), 10, dtype=np.float32),
        fill=np.full((segments, 5), 30, dtype=np.float32),
        statics=np.full((segments, 4), 50, dtype=np.float32),
        history=History(np.repeat(week[:, None], segments, axis=1), minutes),
        fill_by=settings.dataset.fill,
        window=settings.dataset.window,
        reach=max(steps_of(settings)),
    )


def steps_of(settings: Settings) -> tuple[int, ...]:
    """Return the horizons in slices."""
    return tuple(minutes // settings.slices.minutes for minutes in settings.horizons_min)


def made_dataset(streets: Streets, slices: int, settings: Settings) -> Dataset:
    """Return random inputs and labels of ``slices``, all of them to train on."""
    rng = np.random.default_rng(0)
    count, minutes = streets.segments, settings.slices.minutes
    channels = channels_of(settings.dataset)
    starts = pd.date_range(end=NEWEST, periods=slices, freq=f"{minutes}min")
    # No measured feature is read in training; one cell that stands for all needs no memory.
    measured = np.broadcast_to(np.float32(30), (slices, count, 5))
    observed = np.broadcast_to(np.True_, (slices, count))
    ids = tuple(f"way/{place:07d}" for place in range(count))
    known = rng.random((slices, count), dtype=np.float32) >= UNLABELLED
    classes = rng.integers(0, len(CONGESTION_CLASSES), known.shape, dtype=np.int8)
    speed_kph = rng.uniform(10, 60, known.shape).astype(np.float32)
    labels = Labels(
        np.where(known, classes, np.int8(NO_LABEL)),
        rng.integers(0, 2, slices, dtype=np.int8),
        np.where(known, speed_kph, np.float32(np.nan)),
    )
    preparation = made_preparation(count, settings)
    nothing = np.zeros((0, count), dtype=np.float32)
    flow = np.full(count, 50.0)
    return Dataset(
        grid=SliceGrid(ids, starts, minutes, measured, observed),
        inputs=rng.standard_normal((slices, count, len(channels)), dtype=np.float32),
        labels=labels,
        score_labels=labels,
        free_flow_kph=flow,
        label_free_flow_kph=flow,
        hidden=np.zeros(count, dtype=bool),
        task=settings.task,
        horizons=steps_of(settings),
        window=settings.dataset.window,
        splits=Splits(Span(0, slices), Span(0, slices), Span(0, slices)),
        fitted=FittedPreparation(preparation, nothing, preparation, nothing),
        zone=city_zone(settings.city.timezone),
        graph=streets.road_graph(),
    )


def untrained_bundle(network: Network, settings: Settings) -> Bundle:
    """Return a bundle whose weights are those that training begins with."""
    segments, horizons = len(network.segment_ids), steps_of(settings)
    preparation = made_preparation(segments, settings)
    window = settings.dataset.window
    model = build_model(
        settings.model, settings.size, preparation.channels, window, horizons, segments
    )
    span = (NEWEST, NEWEST)
    adjustment = Adjustment(1.2, 1.1, np.array([2.0, 1, 1, 1]), np.ones(len(horizons)))
    return Bundle(
        title=model_title(settings.model, settings.size),
        model=model.eval(),
        preparation=preparation,
        unseen=preparation,
        options=settings.model,
        settings=settings_to_dict(settings),
        city=settings.city.name,
        timezone=settings.city.timezone,
        slice_minutes=settings.slices.minutes,
        window=window,
        horizons=horizons,
        adjustments=Adjustments.same(adjustment, segments),
        segment_ids=tuple(network.segment_ids),
        network_fingerprint=network.fingerprint(),
        seen=SeenTime(span, span, span),
        metrics=[],
        history=[],
    )


def observed_slices(network: Network, slices: int, minutes: int) -> pa.Table:
    """Return slices in which every segment was observed, sorted by key as the store has them."""
    ids, rows = network.segment_ids, len(network.segment_ids) * slices
    starts = NEWEST - pd.Timedelta(minutes=minutes) * np.arange(slices - 1, -1, -1)
    speed = np.random.default_rng(1).uniform(10, 60, rows)
    return SLICES.conform(
        pa.table(
            {
                "segment_id": np.repeat(np.asarray(ids, dtype=object), slices),
                "slice_start": pd.DatetimeIndex(np.tile(starts, len(ids))),
                "mean_speed": speed,
                "median_speed": speed,
                "speed_std": np.zeros(rows),
                "count_probes": np.ones(rows, dtype=np.int32),
                "quality_score": np.full(rows, 0.5),
            }
        )
    )
