"""A toy city from files to results: the straight road, five days of one taxi a slice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl

from roadgraph.config import load_settings
from tests.toy import drive, straight_network, write_road_layer

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import Settings

DAYS = 5
FIRST_DAY = pd.Timestamp("2026-01-05T00:00", tz="Asia/Bangkok")


def speed_kph_at(time: pd.Timestamp) -> float:
    """Return the speed of the traffic: slow at 08:00 and 18:00 local time, free at night."""
    hour = time.hour + time.minute / 60
    rush = math.exp(-((hour - 8) ** 2) / 4) + math.exp(-((hour - 18) ** 2) / 4)
    return 45 - 36 * min(rush, 1.0)


def write_city(folder: Path) -> list[str]:
    """Write roads and fixes into ``folder`` and return the overrides that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    roads = write_road_layer(straight_network(), folder / "roads.geojson")
    fixes = folder / "fixes"
    fixes.mkdir()
    for day in range(DAYS):
        start = FIRST_DAY + pd.Timedelta(days=day)
        times = pd.date_range(start, periods=96, freq="15min")
        drives = [
            drive(f"taxi-{place}", time + pd.Timedelta("2min"), speed_kph_at(time), every_s=5)
            for place, time in enumerate(times)
        ]
        pl.concat(drives).sort("timestamp").write_parquet(fixes / f"{start:%Y-%m-%d}.parquet")
    return [
        "city.name=toy",
        f"city.roads={roads}",
        f"city.fixes={fixes}",
        "city.truth=''",
        "network.parts=all",  # nothing leads back on the straight road
        f"workspace={folder / 'work'}",
        "training.max_epochs=2",
        "training.device=cpu",
        "dataset.window=2",
    ]


def city_settings(folder: Path, *overrides: str) -> Settings:
    """Write the city and return its settings."""
    return load_settings([*write_city(folder), *overrides])
