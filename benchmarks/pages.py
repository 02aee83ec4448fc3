"""How large the map pages of towns and countries are, and how soon they open.

    .venv/bin/python benchmarks/pages.py

Made cities (``benchmarks/made_city.py``) with forecasts and a day of observations at random, which
compress worse than real ones do. A page is opened in a Chromium of the system, drawn by its
processor: a machine with a GPU draws far sooner. The peer of a page is the GeoJSON that
``roadgraph predict --out`` writes of its newest forecast alone.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from made_city import NEWEST, made_network, streets_of
from measuring import machine

from roadgraph.config import settings_from_dict
from roadgraph.network.network import Network
from roadgraph.predict.files import write_predictions
from roadgraph.report.html_page import MB
from roadgraph.report.map_page.data import map_page_of
from roadgraph.report.map_page.page import write_map_page
from roadgraph.schema import CONGESTION_CLASSES, PREDICTIONS, SLICES, utc_times

MINUTES = 15
HORIZONS_MIN = (15, 30, 45, 60)
SEEN = 0.3  # share of the segments in a slice
SHAPE = 0.12, 0.38, 0.62, 0.9
"""Shares of free flow that the classes are likeliest at."""

SIZES = ((5_000, 96), (100_000, 4))
"""Segments, and times of issue that the page is made from."""

OPEN_MS = 300_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


class MadeForecasts:
    """Forecasts and observations of a made city: a wave of traffic with noise."""

    def __init__(self, network: Network) -> None:
        self.ids = pa.array(network.segment_ids, pa.string())
        self.random = np.random.default_rng(0)
        self.usual_kph = self.random.uniform(25, 60, len(self.ids))

    def ratio(self, time: pd.Timestamp, noise: float) -> np.ndarray:
        """Return speed over what is usual, ``[N]``."""
        rush = 1 - 0.6 * np.exp(-((time.hour + time.minute / 60 - 6) ** 2) / 3)
        return np.clip(rush * self.random.normal(1, noise, len(self.ids)), 0.05, 1.2)

    def slices(self, start: pd.Timestamp) -> pa.Table:
        """Return what was observed in the slice from ``start`` on."""
        seen = np.flatnonzero(self.random.random(len(self.ids)) < SEEN)
        speed = (self.usual_kph * self.ratio(start, 0.15))[seen]
        none = np.zeros(len(seen))
        columns = {
            "segment_id": self.ids.take(pa.array(seen)),
            "slice_start": utc_times(pd.DatetimeIndex([start] * len(seen))),
            "mean_speed": speed,
            "median_speed": speed,
            "speed_std": none,
            "count_probes": none + 1,
            "quality_score": none + 0.5,
        }
        return SLICES.conform(pa.table(columns))

    def forecast(self, issued_at: pd.Timestamp) -> pa.Table:
        """Return the forecast of a time, all horizons."""
        count = len(self.ids)
        tables = []
        for minutes in HORIZONS_MIN:
            start = issued_at + pd.Timedelta(minutes=minutes - MINUTES)
            ratio = self.ratio(start, 0.12)
            chance = np.exp(-((ratio[:, None] - np.array(SHAPE)) ** 2) / 0.02)
            chance /= chance.sum(axis=1, keepdims=True)
            speed = self.usual_kph * ratio
            columns = {
                "issued_at": utc_times(pd.DatetimeIndex([issued_at] * count)),
                "slice_start": utc_times(pd.DatetimeIndex([start] * count)),
                "segment_id": self.ids,
                "horizon_min": np.full(count, minutes),
                "congestion": np.array(CONGESTION_CLASSES)[chance.argmax(axis=1)],
                **{f"p_{name}": chance[:, at] for at, name in enumerate(CONGESTION_CLASSES)},
                "rush_hour": np.full(count, True),
                "p_rush_hour": np.full(count, 0.7),
                "speed": speed,
                "speed_p10": 0.8 * speed,
                "speed_p90": 1.2 * speed,
                "observed": self.random.random(count) < SEEN,
                "data_age_min": np.zeros(count),
                "segment_age_min": MINUTES * self.random.integers(0, 96, count),
                "basis": ["observations"] * count,
                "new_segment": np.full(count, False),
                "model": ["gcn-simple"] * count,
            }
            tables.append(PREDICTIONS.conform(pa.table(columns)))
        return pa.concat_tables(tables)


def measure(segments: int, times: int, folder: Path) -> dict[str, str]:
    """Return the row of a page."""
    network = made_network(streets_of(segments))
    made = MadeForecasts(network)
    issues = pd.date_range(end=NEWEST, periods=times, freq=f"{MINUTES}min")
    before = pd.date_range(issues[0] - pd.Timedelta(days=1), issues[-1], freq=f"{MINUTES}min")
    history = pa.concat_tables([made.slices(start) for start in before])
    forecasts = {time: made.forecast(time) for time in issues}
    settings = settings_from_dict({"city": {"name": "made"}})
    path = folder / f"{segments}.html"
    begin = time.perf_counter()
    shown, flow = pa.concat_tables(forecasts.values()), network.segments["free_flow_kph"].to_numpy()
    page = map_page_of(settings, network, shown, history, NEWEST, free_flow_kph=flow)
    write_map_page(page, path)
    making_s = time.perf_counter() - begin
    peer = folder / f"{segments}.geojson"
    zone = pd.Timestamp(NEWEST).tz
    write_predictions(forecasts[issues[-1]], peer, network, zone, settings.city.drives_on)
    ready_s, slider_s = opened(path)
    return {
        "segments": f"{len(network.segment_ids):,}",
        "times of issue kept": f"{len(page.header['issued_at'])} of {times}",
        "page, MB": f"{path.stat().st_size / MB:.1f}",
        "GeoJSON of the newest, MB": f"{peer.stat().st_size / MB:.1f}",
        "made in, s": f"{making_s:.1f}",
        "opened in, s": ready_s,
        "slider to next picture, s": slider_s,
        "what was done": " ".join(page.header["notes"]),
    }


def opened(path: Path) -> tuple[str, str]:
    """Return the seconds until the page is ready, and from a turn of the slider to the picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return "no Chromium", "no Chromium"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=browser, chromium_sandbox=False, args=WEBGL
        )
        tab = chromium.new_page(viewport={"width": 1400, "height": 900}, offline=True)
        begin = time.perf_counter()
        tab.goto(path.resolve().as_uri())
        tab.locator("#loading").wait_for(state="hidden", timeout=OPEN_MS)
        ready = time.perf_counter() - begin
        tab.screenshot(timeout=OPEN_MS)
        begin = time.perf_counter()
        tab.locator("#horizon").press("ArrowRight", timeout=OPEN_MS)
        tab.screenshot(timeout=OPEN_MS)
        drawn = time.perf_counter() - begin
        chromium.close()
    return f"{ready:.1f}", f"{drawn:.1f}"


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, help="one size alone")
    parser.add_argument("--times", type=int, default=96)
    asked = parser.parse_args()
    sizes = SIZES if asked.segments is None else ((asked.segments, asked.times),)
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for segments, times in sizes:
            row = measure(segments, times, Path(folder))
            print("\n".join(f"{name}: {value}" for name, value in row.items()), end="\n\n")


if __name__ == "__main__":
    main()
