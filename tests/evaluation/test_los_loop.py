"""Persistence on the Los-loop data is that of the T-GCN protocol, to the printed digits."""

from pathlib import Path

import pytest

from roadgraph.config import load_settings
from roadgraph.dataset.dataset import build_dataset
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.loading import road_graph_of
from roadgraph.evaluation.baselines import persistence
from roadgraph.evaluation.scores import score_forecast, scoring_origins
from roadgraph.network.importing import import_network
from roadgraph.slices.detectors import read_detector_speeds
from roadgraph.units import KPH_PER_MPH

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "los_loop"

PUBLISHED = {15: (5.5428, 3.1561), 30: (6.6986, 3.6317), 45: (7.6281, 4.0417), 60: (8.4555, 4.4332)}
"""Minutes to RMSE and MAE in mph."""


@pytest.mark.skipif(not DATA.is_dir(), reason="SKIPPED: the Los-loop data is not here")
def test_persistence_on_los_loop_is_the_published_one() -> None:
    settings = load_settings(
        [
            "city=los_loop",
            f"city.roads={DATA / 'adjacency.csv'}",
            f"city.speeds={DATA / 'speed.csv'}",
        ]
    )
    network = import_network(settings).network
    slices = read_detector_speeds(DATA / "speed.csv", settings.city, settings.slices.minutes)
    grid = grid_from_slices(slices, network.segment_ids, settings.slices.minutes)
    dataset = build_dataset(grid, network.segments, road_graph_of(network), settings)
    span = dataset.splits.test
    origins = scoring_origins(span, dataset.window, grid.slice_minutes, settings.evaluation)
    scores = score_forecast(
        persistence(dataset, origins),
        dataset.labels,
        span,
        dataset.horizons,
        grid.slice_minutes,
        settings.evaluation,
    )
    errors = {
        score.horizon_min: (score.speed_rmse_kph / KPH_PER_MPH, score.speed_mae_kph / KPH_PER_MPH)
        for score in scores
    }
    assert set(errors) == set(PUBLISHED)
    for minutes, expected in PUBLISHED.items():
        assert errors[minutes] == pytest.approx(expected, abs=1e-4)
