"""Forecasts and slices of a toy network with numbers that are known, and a reader of map pages."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.config import settings_from_dict
from roadgraph.schema import PREDICTIONS, SLICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from roadgraph.settings import Settings

SEVEN = pd.Timestamp("2026-01-05T00:00Z")
"""Monday, 07:00 in Bangkok."""
MADE = pd.Timestamp("2026-01-05T09:30", tz="Asia/Bangkok")
MINUTES = 15


def map_settings(**groups: dict[str, Any]) -> Settings:
    """Return the settings of a city of no files in Bangkok."""
    return settings_from_dict({**groups, "city": {"name": "toy", **groups.get("city", {})}})


def forecast(
    issued_at: pd.Timestamp = SEVEN,
    segments: Sequence[str] = ("A", "B", "C"),
    horizons_min: Sequence[int] = (15, 30),
    **columns: Any,
) -> pa.Table:
    """Return predictions, a row a horizon and segment; ``columns`` are values, or lists of rows."""
    cells = [(horizon, segment) for horizon in horizons_min for segment in segments]
    ahead = pd.to_timedelta([horizon - MINUTES for horizon, _ in cells], unit="min")
    frame = pd.DataFrame(
        {
            "issued_at": issued_at,
            "slice_start": issued_at + ahead,
            "segment_id": [segment for _, segment in cells],
            "horizon_min": [horizon for horizon, _ in cells],
            "congestion": "free_flow",
            "p_gridlock": 0.05,
            "p_congested": 0.1,
            "p_moderate": 0.25,
            "p_free_flow": 0.6,
            "rush_hour": False,
            "p_rush_hour": 0.2,
            "speed": 40.0,
            "speed_p10": 30.0,
            "speed_p90": 50.0,
            "observed": True,
            "data_age_min": 0,
            "segment_age_min": 0,
            "basis": "observations",
            "new_segment": False,
            "model": "gcn-simple",
        },
        index=range(len(cells)),
    ).assign(**columns)
    return PREDICTIONS.conform(
        pa.table({name: pa.array(frame[name], from_pandas=True) for name in PREDICTIONS.columns})
    )


def slices(rows: Iterable[tuple[str, int, float]]) -> pa.Table:
    """Return the slices of ``(segment, minutes from SEVEN to its start, km/h)``."""
    frame = pd.DataFrame(rows, columns=["segment_id", "minutes", "mean_speed"])
    return SLICES.conform(
        pa.table(
            {
                "segment_id": pa.array(frame["segment_id"], pa.string()),
                "slice_start": SEVEN + pd.to_timedelta(frame["minutes"], unit="min"),
                "mean_speed": frame["mean_speed"].astype(float),
                "median_speed": frame["mean_speed"].astype(float),
                "speed_std": np.zeros(len(frame)),
                "count_probes": np.ones(len(frame), dtype=np.int32),
                "quality_score": np.full(len(frame), 0.5),
            }
        )
    )


def block(data: bytes, described: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of a compressed block by their description, as the page reads them."""
    raw = gzip.decompress(data)
    arrays = {}
    for name, told in described.items():
        kind = np.dtype(told["type"]).newbyteorder("<")
        count = int(np.prod(told["shape"]))
        array = np.frombuffer(raw, kind, count, told["offset"])
        arrays[name] = array.reshape(told["shape"])
    return arrays


def read_page(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return header and arrays of a map page, as the page itself reads them."""
    html = path.read_text("utf-8")
    header = json.loads(element(html, "header"))
    return header, block(base64.b64decode(element(html, "data")), header["arrays"])


def element(html: str, identity: str) -> str:
    """Return the text of a script element."""
    found = re.search(rf'<script[^>]*id="{identity}"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return found[1]
