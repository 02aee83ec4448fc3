"""What the receivers of the fleet make of its movements: noise, gaps and broken fixes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulation.network import TO_DEGREES
from simulation.parameters import RECEIVER
from simulation.truth import midnight_utc

KEY = ["timestamp", "vehicle_id"]


def _wander(trip: np.ndarray, parked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Errors in metres on one axis: each follows the one before it on the same trip."""
    sd_m = RECEIVER.position_sd_m / np.sqrt(2.0)
    fresh = rng.normal(0.0, sd_m, len(trip))
    keep = np.where(parked, RECEIVER.parked_correlation, RECEIVER.moving_correlation)
    error = fresh.copy()
    for i in range(1, len(trip)):
        if trip[i] == trip[i - 1]:
            error[i] = keep[i] * error[i - 1] + np.sqrt(1 - keep[i] ** 2) * fresh[i]
    return error


def receive(moments: pd.DataFrame, day: int, rng: np.random.Generator) -> pd.DataFrame:
    """Fixes with receiver noise; `segment_id` is the truth and `genuine` says if it stands."""
    moments = moments.sort_values(["vehicle_id", "time_s"], kind="stable", ignore_index=True)
    jump = moments["time_s"].diff().ne(RECEIVER.report_period_s)
    trip = (jump | moments["vehicle_id"].ne(moments["vehicle_id"].shift())).cumsum().to_numpy()
    parked = moments["parked"].to_numpy(dtype=bool)
    x_m = moments["x_m"].to_numpy(dtype=float) + _wander(trip, parked, rng)
    y_m = moments["y_m"].to_numpy(dtype=float) + _wander(trip, parked, rng)
    lon, lat = TO_DEGREES.transform(x_m, y_m)
    true_kph = moments["speed_mps"].to_numpy(dtype=float) * 3.6
    count = len(moments)
    speed_kph = np.abs(true_kph + rng.normal(0.0, RECEIVER.speed_sd_kph, count))
    speed_kph[true_kph < 0.4] = 0.0
    heading_sd = np.where(
        true_kph < RECEIVER.slow_below_kph, RECEIVER.slow_heading_sd_deg, RECEIVER.heading_sd_deg
    )
    heading_deg = moments["heading_deg"].to_numpy(dtype=float) + rng.normal(0.0, heading_sd)
    speed_kph[rng.random(count) < RECEIVER.missing_speed_share] = np.nan
    heading_deg[rng.random(count) < RECEIVER.missing_heading_share] = np.nan
    fixes = pd.DataFrame(
        {
            "vehicle_id": moments["vehicle_id"],
            "timestamp": midnight_utc(day) + pd.to_timedelta(moments["time_s"], unit="s"),
            "lat": lat.round(6),
            "lon": lon.round(6),
            "speed_kph": speed_kph.round(1),
            "heading_deg": heading_deg.round(0) % 360,
            "segment_id": moments["segment_id"],
            "genuine": True,
        }
    )
    return spoil(fixes, rng).sort_values(KEY, kind="stable", ignore_index=True)


def spoil(fixes: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Breaks a small share of the fixes in the ways that real receivers and uplinks do."""
    fixes = fixes.copy()
    draw = rng.random(len(fixes))
    edge = 0.0

    def pick(share: float) -> np.ndarray:
        nonlocal edge
        hit = (draw >= edge) & (draw < edge + share)
        edge += share
        fixes.loc[hit, "genuine"] = False
        return hit

    fixes.loc[pick(RECEIVER.zero_position_share), ["lat", "lon"]] = 0.0
    hit = pick(RECEIVER.impossible_latitude_share)
    fixes.loc[hit, "lat"] = (fixes.loc[hit, "lat"] * 10.0).round(6)
    fixes.loc[pick(RECEIVER.no_latitude_share), "lat"] = np.nan
    fixes.loc[pick(RECEIVER.negative_speed_share), "speed_kph"] = -5.0
    fixes.loc[pick(RECEIVER.absurd_speed_share), "speed_kph"] = 900.0
    hit = pick(RECEIVER.far_away_share)
    away_m = rng.uniform(*RECEIVER.far_away_m, hit.sum())
    bearing = rng.uniform(0.0, 2 * np.pi, hit.sum())
    lon, lat = TO_DEGREES.transform(away_m * np.sin(bearing), away_m * np.cos(bearing))
    fixes.loc[hit, "lat"], fixes.loc[hit, "lon"] = np.round(lat, 6), np.round(lon, 6)
    repeated = (rng.random(len(fixes)) < RECEIVER.duplicate_share) & fixes["genuine"].to_numpy()
    return pd.concat([fixes, fixes[repeated].assign(genuine=False)], ignore_index=True)
