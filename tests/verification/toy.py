"""Forecasts that are written by hand, of the city of ``tests.quality.toy``."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.calendar import city_zone
from roadgraph.evaluation.scores import score_of, score_table
from roadgraph.predict.store import write_forecast
from roadgraph.schema import CONGESTION_CLASSES, PREDICTIONS, utc_times
from roadgraph.settings import Settings
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE
from roadgraph.workspace import Workspace
from tests.quality.toy import MONDAY, TUESDAY, city, waves, write_day

LEARNED_UNTIL = "2026-01-05T17:00:00+00:00"
"""End of Monday, local time."""


def forecast(
    issued_at: str,
    speed_kph: Sequence[Sequence[float]],
    answers: Sequence[Sequence[str | None]],
    **columns: Any,
) -> pa.Table:
    """Return a forecast of A, B and C, 15 minutes apart, each answer with a probability of 0.7.

    Args:
        issued_at: local time.
        speed_kph: ``[H, 3]``; the interval reaches 5 km/h to both sides.
        answers: ``[H][3]`` classes.
        columns: what else to put in.
    """
    speed = np.asarray(speed_kph, dtype=float)
    steps = len(speed)
    time = pd.Timestamp(issued_at, tz="Asia/Bangkok").tz_convert("UTC")
    horizons = np.repeat(np.arange(1, steps + 1) * 15, 3)
    starts = pd.DatetimeIndex([time + pd.Timedelta(minutes=int(h) - 15) for h in horizons])
    said = [answer for step in answers for answer in step]
    table: dict[str, Any] = {
        "issued_at": utc_times(pd.DatetimeIndex([time] * len(horizons))),
        "slice_start": utc_times(starts),
        "segment_id": ["A", "B", "C"] * steps,
        "horizon_min": horizons,
        "congestion": pa.array(said, pa.string()),
        **{f"p_{name}": np.where(np.array(said) == name, 0.7, 0.1) for name in CONGESTION_CLASSES},
        "speed": speed.ravel(),
        "speed_p10": speed.ravel() - 5,
        "speed_p90": speed.ravel() + 5,
        "basis": ["observations"] * len(horizons),
        "new_segment": [False] * len(horizons),
        "model": ["mlp-simple"] * len(horizons),
        **columns,
    }
    for name in PREDICTIONS.columns:
        if name not in table:
            table[name] = pa.nulls(len(horizons), PREDICTIONS.schema.field(name).type)
    return PREDICTIONS.conform(pa.table(table))


def put(
    settings: Settings,
    table: pa.Table,
    version: str = "1",
    seen_until: str = LEARNED_UNTIL,
    issued_at: pd.Timestamp | None = None,
    hindsight: bool | None = False,
) -> None:
    """Put a forecast into the store; with None its manifest says nothing of hindsight."""
    manifest: dict[str, Any] = {
        "model": {"title": "mlp-simple", "version": version},
        "seen_until": seen_until,
        "depends_on": {},
    }
    if hindsight is not None:
        manifest["hindsight"] = hindsight
    zone = city_zone(settings.city.timezone)
    write_forecast(Workspace.of(settings).forecasts, zone, table, manifest, issued_at)


def verified(
    workspace: Workspace,
    day: date,
    mae_kph: float,
    average_kph: float = 8.0,
    macro_f1: float = 0.6,
    part: str = "basis observations",
    cells: int = 1000,
) -> None:
    """Store a verification with these errors at 15 minutes; the average's macro F1 is 0.5."""
    figures = {
        FORECAST: (mae_kph, macro_f1),
        PERSISTENCE: (10.0, 0.4),
        HISTORICAL_AVERAGE: (average_kph, 0.5),
    }
    scores = [
        score_of(name, 15, one, {"cells": cells, "speed_mae_kph": mae, "macro_f1": f1})
        for one in ("all", part)
        for name, (mae, f1) in figures.items()
    ]
    folder = workspace.evaluation / day.isoformat()
    folder.mkdir(parents=True)
    score_table(scores).to_csv(folder / "scores.csv", index=False)
    content = {"reason": "", "models": {"mlp-simple": cells}, "counts": {}, "depends_on": {}}
    (folder / "manifest.json").write_text(json.dumps(content))


def scored_day(folder: Path, **groups: Any) -> tuple[Settings, Workspace]:
    """Return a city with a Monday of 40 km/h and a Tuesday of waves, forecast every half hour.

    The forecasts, 15 and 30 minutes ahead, say 36 km/h of A, 30 of B and 24 of C; A's class is
    free flow, that of B moderate, and C's answer is held back.
    """
    settings, workspace = city(folder, **groups)
    write_day(settings, MONDAY, 40.0)
    write_day(settings, TUESDAY, waves(1))
    for time in pd.date_range("2026-01-06", periods=48, freq="30min"):
        speeds, classes = [36.0, 30.0, 24.0], ["free_flow", "moderate", None]
        put(settings, forecast(str(time), [speeds] * 2, [classes] * 2))
    return settings, workspace
