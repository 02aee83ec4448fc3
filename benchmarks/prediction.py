"""One forecast of a large network, warm, and the command on the sample city, cold.

    python benchmarks/prediction.py [MODEL ...]

Builds a random network of 100,000 segments of degree 3 and a bundle with untrained weights, and
prints, for each model, the median of several forecasts from the table of slices to the written file
of predictions, its parts, and the memory at its peak. With a trained sample city in data/work it
prints how long ``roadgraph predict`` takes as a command of its own, too.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.calendar import city_zone
from roadgraph.config import settings_from_dict, settings_to_dict
from roadgraph.dataset.history import History
from roadgraph.dataset.preparation import Preparation, channels_of
from roadgraph.models.registry import build_model, model_title
from roadgraph.network.network import Network
from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.store import write_forecast
from roadgraph.schema import LINKS, SEGMENTS, SLICES
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle
from roadgraph.training.seen_time import SeenTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.settings import Settings

SEGMENTS_IN_ALL = 100_000
DEGREE = 3
RUNS = 5
NEWEST = pd.Timestamp("2026-01-12T07:45Z")
MODELS = ("roadnet-simple", "gcn-simple", "mlp-simple")
SAMPLE = Path("data/work/sample")


def random_network(segments: int) -> Network:
    """Return segments without geometry, each linked to ``DEGREE`` others at random."""
    rng = np.random.default_rng(0)
    ids = [f"way/{place:07d}" for place in range(segments)]
    table = pd.DataFrame({name: [None] * segments for name in SEGMENTS.columns})
    table = table.assign(
        segment_id=ids,
        length_m=100.0,
        road_class="residential",
        lanes=1,
        speed_limit_kph=50.0,
        free_flow_kph=50.0,
    )
    source = np.repeat(np.arange(segments), DEGREE)
    target = (source + rng.integers(1, segments, len(source))) % segments
    links = pd.DataFrame({"from_segment": source, "to_segment": target})
    links = links.drop_duplicates().sort_values(["from_segment", "to_segment"], ignore_index=True)
    named = {name: np.asarray(ids)[links[name]] for name in links.columns}
    links = pd.DataFrame({**named, "turn_angle_deg": 0.0, "weight": 1.0})
    return Network(gpd.GeoDataFrame(table, geometry="geometry"), links[LINKS.columns])


def untrained_bundle(network: Network, settings: Settings) -> Bundle:
    """Return a bundle whose weights are those that training begins with."""
    segments, minutes = len(network.segment_ids), settings.slices.minutes
    channels = channels_of(settings.dataset)
    horizons = tuple(horizon // minutes for horizon in settings.horizons_min)
    window = settings.dataset.window
    rng = np.random.default_rng(0)
    week = rng.uniform(20, 50, (7 * 24 * 60 // minutes, segments)).astype(np.float32)
    preparation = Preparation(
        channels,
        mean=np.full(len(channels), 30, dtype=np.float32),
        std=np.full(len(channels), 10, dtype=np.float32),
        fill=np.full((segments, 5), 30, dtype=np.float32),
        statics=np.full((segments, 4), 50, dtype=np.float32),
        history=History(week, minutes),
        fill_by=settings.dataset.fill,
        window=window,
        reach=max(horizons),
    )
    model = build_model(settings.model, settings.size, channels, window, horizons, segments)
    seen = (NEWEST, NEWEST)
    return Bundle(
        title=model_title(settings.model, settings.size),
        model=model.eval(),
        preparation=preparation,
        unseen=preparation,
        options=settings.model,
        settings=settings_to_dict(settings),
        city=settings.city.name,
        timezone=settings.city.timezone,
        slice_minutes=minutes,
        window=window,
        horizons=horizons,
        adjustments=Adjustments.same(
            Adjustment(1.2, 1.1, np.array([2.0, 1, 1, 1]), np.ones(len(horizons))), segments
        ),
        segment_ids=tuple(network.segment_ids),
        network_fingerprint=network.fingerprint(),
        seen=SeenTime(seen, seen, seen),
        metrics=[],
        history=[],
    )


def observed_slices(network: Network, slices: int, minutes: int) -> pa.Table:
    """Return slices in which every segment was observed, sorted by key as the store has them."""
    ids, rows = network.segment_ids, len(network.segment_ids) * slices
    rng = np.random.default_rng(1)
    starts = NEWEST - pd.Timedelta(minutes=minutes) * np.arange(slices - 1, -1, -1)
    speed = rng.uniform(10, 60, rows)
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


def seconds(call: Callable[[], object]) -> float:
    """Return how long ``call`` takes, the median of ``RUNS`` after one to warm up."""
    call()
    taken = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return median(taken)


def measure(title: str, network: Network, folder: Path) -> dict[str, float]:
    """Return the seconds of a forecast and of its parts."""
    name, size = title.rsplit("-", 1)
    chosen = {"city": {"name": "benchmark"}, "model": {"name": name}, "size": size}
    settings = settings_from_dict(chosen)
    bundle = untrained_bundle(network, settings)
    slices = observed_slices(network, bundle.slices, bundle.slice_minutes)
    forecaster = Forecaster.of(bundle, network)
    zone = city_zone(bundle.timezone)
    observations = forecaster.observations(slices, bundle.slice_minutes)
    at = observations.newest_end
    table = forecaster.forecast(observations, at)

    def whole() -> None:
        seen = forecaster.observations(slices, bundle.slice_minutes)
        write_forecast(folder, zone, forecaster.forecast(seen, seen.newest_end), {})

    return {
        "network and graph, once": seconds(lambda: Forecaster.of(bundle, network)),
        "slices in the order of time": seconds(
            lambda: forecaster.observations(slices, bundle.slice_minutes)
        ),
        "forecast": seconds(lambda: forecaster.forecast(observations, at)),
        "file": seconds(lambda: write_forecast(folder, zone, table, {})),
        "from slices to the file": seconds(whole),
    }


def cold_command(*words: str) -> float:
    """Return how long ``roadgraph predict`` takes on the sample as a process of its own."""
    with TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "roadgraph", "predict", *words]
        line += ["--out", str(Path(folder) / "predictions.parquet")]
        return seconds(lambda: subprocess.run(line, check=True, capture_output=True))


def main(titles: list[str]) -> None:
    """Measure and print Markdown tables."""
    network = random_network(SEGMENTS_IN_ALL)
    print(f"{SEGMENTS_IN_ALL:,} segments, medians of {RUNS} runs, s\n")
    with TemporaryDirectory() as folder:
        figures = {title: measure(title, network, Path(folder)) for title in titles}
    print(f"| part | {' | '.join(figures)} |\n| --- |{' --- |' * len(figures)}")
    for part in next(iter(figures.values())):
        print(f"| {part} | {' | '.join(f'{own[part]:.2f}' for own in figures.values())} |")
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"\nmemory at its peak: {peak_kib / 2**20:.1f} GiB")
    if find_spec("roadgraph") and (SAMPLE / "bundles" / "roadnet-simple").is_dir():
        bundle = ("--bundle", str(SAMPLE / "bundles" / "roadnet-simple"))
        print("\n| roadgraph predict on the sample, cold | s |\n| --- | --- |")
        for what, words in {
            "the champion, with the map": (),
            "the champion": ("--no-map",),
            "a bundle": (*bundle, "--no-map"),
        }.items():
            print(f"| {what} | {cold_command(*words):.1f} |")


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODELS))
