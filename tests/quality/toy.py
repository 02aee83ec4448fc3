"""A toy city whose slices are written by hand: the straight road A, B, C in Bangkok."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.config import settings_from_dict
from roadgraph.network.network import Network, write_network
from roadgraph.schema import utc_times
from roadgraph.settings import Settings
from roadgraph.slices.store import write_days
from roadgraph.workspace import Workspace
from tests.toy import straight_network

NETWORK = straight_network()
MONDAY, TUESDAY, SATURDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 10)
NEXT_MONDAY = date(2026, 1, 12)
SLICES = 96


def city(folder: Path, network: Network = NETWORK, **groups: Any) -> tuple[Settings, Workspace]:
    """Return settings and workspace of a city whose network is imported."""
    settings = settings_from_dict(
        {
            "city": {"name": "toy", "source": "measured", **groups.pop("city", {})},
            "workspace": str(folder),
            **groups,
        }
    )
    workspace = Workspace.of(settings)
    write_network(network, workspace.network)
    return settings, workspace


def write_day(settings: Settings, day: date, speed_kph: np.ndarray | float, count: int = 1) -> None:
    """Store the slices of a day: speeds ``[T, N]``, or one for all; NaN is not observed."""
    zone, minutes = city_zone(settings.city.timezone), settings.slices.minutes
    begin, end = span_of_day(day, zone, minutes)
    starts = pd.date_range(begin, end, freq=f"{minutes}min", inclusive="left")
    ids = NETWORK.segment_ids
    speeds = np.broadcast_to(np.asarray(speed_kph, dtype=float), (len(starts), len(ids)))
    row, column = np.nonzero(~np.isnan(speeds))
    told = {"rows": len(row), "used": len(row), "refused": {}, "rows_of_day": len(row)}
    table = pa.table(
        {
            "segment_id": [ids[place] for place in column],
            "slice_start": utc_times(starts[row]),
            "mean_speed": speeds[row, column],
            "median_speed": speeds[row, column],
            "speed_std": np.zeros(len(row)),
            "count_probes": np.full(len(row), count),
            "quality_score": np.full(len(row), 0.5),
        }
    )
    manifest = {"inputs": {f"{day}.csv": told}, "city": {"source": "measured"}}
    write_days(table, Workspace.of(settings).slices, zone, minutes, manifest)


def waves(seed: int, observed: float = 1.0) -> np.ndarray:
    """Return speeds ``[96, 3]``: a wave through the day with noise, a share of them observed."""
    rng = np.random.default_rng(seed)
    wave = 30 + 15 * np.sin(2 * np.pi * np.arange(SLICES) / SLICES)[:, None]
    speed = np.maximum(wave + rng.normal(0, 3, (SLICES, 3)), 1)
    speed[rng.random(speed.shape) >= observed] = np.nan
    return speed
