"""Toy grids and datasets, small enough to check by hand."""

import numpy as np
import pandas as pd

from roadgraph.config import settings_from_dict
from roadgraph.dataset.dataset import Dataset, RoadGraph, build_dataset
from roadgraph.dataset.grid import SliceGrid
from roadgraph.settings import Settings

MONDAY = pd.Timestamp("2026-01-05", tz="UTC")


def toy_settings(**groups: object) -> Settings:
    """Return settings of a city on UTC with 15-minute slices."""
    city = {"name": "toy", "timezone": "UTC"}
    return settings_from_dict({"city": city, **groups})


def grid_of(speed_kph: np.ndarray, slice_minutes: int = 15) -> SliceGrid:
    """Return a grid of one vehicle a cell with these speeds ``[T, N]``; NaN is not observed."""
    speed = np.asarray(speed_kph, dtype=np.float32)
    observed = ~np.isnan(speed)
    measured = np.stack([speed, speed, 0 * speed, 0 * speed + 1, 0 * speed + 0.5], axis=2)
    starts = pd.date_range(MONDAY, periods=len(speed), freq=f"{slice_minutes}min")
    ids = tuple(f"s{place}" for place in range(speed.shape[1]))
    return SliceGrid(ids, starts, slice_minutes, measured, observed)


def segments_of(grid: SliceGrid) -> pd.DataFrame:
    """Return 100 m long segments with a limit of 50 km/h."""
    count = len(grid.segment_ids)
    return pd.DataFrame(
        {
            "segment_id": grid.segment_ids,
            "length_m": 100.0,
            "speed_limit_kph": 50.0,
            "lanes": 1,
            "road_class": "residential",
        },
        index=range(count),
    )


def path_graph(segments: int) -> RoadGraph:
    """Return the graph of segments in a row: 0 > 1 > 2 ..."""
    source = np.arange(segments - 1)
    return RoadGraph(
        source, source + 1, np.ones(segments - 1, dtype=np.float32), segments, "fingerprint"
    )


def waves(slices: int, segments: int, seed: int = 0) -> np.ndarray:
    """Return speeds ``[T, N]`` of a daily wave with noise; a tenth of the cells is not observed."""
    rng = np.random.default_rng(seed)
    time = np.arange(slices)[:, None]
    place = np.arange(segments)[None]
    speed = 30 + 18 * np.sin(2 * np.pi * (time / 96 + place / 12)) + rng.normal(0, 3, (slices, 1))
    speed = np.maximum(speed + rng.normal(0, 2, (slices, segments)), 1)
    speed[rng.random(speed.shape) < 0.1] = np.nan
    return speed


def toy_dataset(settings: Settings, slices: int = 400, segments: int = 3) -> Dataset:
    """Return a dataset of waves on a path of segments."""
    grid = grid_of(waves(slices, segments), settings.slices.minutes)
    return build_dataset(grid, segments_of(grid), path_graph(segments), settings)
