"""Measured figures of a finished sample: how congested, how well covered, how large."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from simulation.parameters import TIME_ZONE

CUTS = (0.25, 0.50, 0.75)
FREE_FLOW_QUANTILE = 0.85
FREE_FLOW_FLOOR = 0.60  # of the speed limit
DAYTIME_H = (6, 22)


def congestion(truth: pd.DataFrame, limits_kph: pd.Series) -> pd.Series:
    """Class of each cell, 0 gridlock to 3 free, from its speed over free flow."""
    free_kph = truth.groupby("segment_id")["mean_speed"].quantile(FREE_FLOW_QUANTILE)
    free_kph = free_kph.clip(lower=FREE_FLOW_FLOOR * limits_kph.reindex(free_kph.index))
    ratio = truth["mean_speed"] / truth["segment_id"].map(free_kph)
    return pd.Series(np.digitize(ratio, CUTS), index=truth.index, name="congestion")


def daily_figures(folder: Path, touched: pd.DataFrame) -> pd.DataFrame:
    """One row a local day: class shares and coverage from 06:00 to 22:00, fixes of the day.

    `touched` has the (segment_id, slice_start) cells in which a fleet vehicle truly drove.
    """
    truth = pd.read_parquet(folder / "truth.parquet")
    roads = json.loads((folder / "roads.geojson").read_text())["features"]
    limits = pd.Series(
        {r["properties"]["segment_id"]: r["properties"]["speed_limit_kph"] for r in roads}
    )
    truth["congestion"] = congestion(truth, limits)
    local = truth["slice_start"].dt.tz_convert(TIME_ZONE)
    truth["day"] = local.dt.strftime("%Y-%m-%d")
    truth = truth[local.dt.hour.between(DAYTIME_H[0], DAYTIME_H[1] - 1)]
    seen = touched.drop_duplicates().assign(driven=True)
    truth = truth.merge(seen, on=["segment_id", "slice_start"], how="left")
    fixed = pd.read_parquet(folder / "truth_fixes.parquet")
    fixed["slice_start"] = fixed["timestamp"].dt.floor("15min")
    fixed = fixed[["segment_id", "slice_start"]].drop_duplicates().assign(fixed=True)
    truth = truth.merge(fixed, on=["segment_id", "slice_start"], how="left")
    rows = []
    for day, cells in truth.groupby("day"):
        shares = np.bincount(cells["congestion"], minlength=4) / len(cells) * 100
        raw = pd.read_parquet(folder / "fixes" / f"{day}.parquet")
        rows.append(
            {
                "day": day,
                "gridlock_pct": shares[0],
                "congested_pct": shares[1],
                "moderate_pct": shares[2],
                "free_pct": shares[3],
                "cells": len(cells),
                "driven_pct": cells["driven"].notna().mean() * 100,
                "with_fix_pct": cells["fixed"].notna().mean() * 100,
                "fixes": len(raw),
                "taxis": raw["vehicle_id"].nunique(),
            }
        )
    return pd.DataFrame(rows).round(1)
