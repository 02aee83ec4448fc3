"""A toy city's slices and a trained bundle: the straight road, 100 hours of waves of traffic."""

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.config import load_settings, settings_to_dict
from roadgraph.dataset.dataset import build_dataset
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.loading import road_graph_of
from roadgraph.network.network import Network, write_network
from roadgraph.schema import SLICES
from roadgraph.settings import Settings
from roadgraph.slices.store import write_days
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle, write_bundle
from roadgraph.training.fit import fit
from roadgraph.training.seen_time import SeenTime
from roadgraph.workspace import Workspace
from tests.dataset.toy import MONDAY, toy_settings, waves
from tests.toy import straight_network

NETWORK = straight_network()
SETTINGS = toy_settings(model={"name": "gcn"}, training={"max_epochs": 1, "device": "cpu"})


def slices_of(speed: np.ndarray) -> pa.Table:
    """Return slices of A, B and C with these speeds ``[T, 3]``; NaN is not observed."""
    time, place = np.nonzero(~np.isnan(speed))
    seen = speed[time, place]
    frame = pd.DataFrame(
        {
            "segment_id": np.array(["A", "B", "C"])[place],
            "slice_start": MONDAY + pd.to_timedelta(15 * time, unit="min"),
            "mean_speed": seen,
            "median_speed": seen,
            "speed_std": 0.0,
            "count_probes": 1,
            "quality_score": 0.5,
        }
    )
    return SLICES.conform(pa.Table.from_pandas(frame, preserve_index=False))


SPEED = waves(400, 3)
SPEED[-2:, 2] = np.nan  # nobody on C at the end
SLICES_TABLE = slices_of(SPEED)
END = MONDAY + pd.Timedelta(minutes=15 * 400)
"""When the newest slice ends."""


def trained_bundle(
    settings: Settings, network: Network = NETWORK, title: str = "gcn-simple"
) -> Bundle:
    """Return a bundle of A, B and C that was trained by ``settings``."""
    grid = grid_from_slices(SLICES_TABLE, network.segment_ids, 15)
    dataset = build_dataset(grid, network.segments, road_graph_of(network), settings)
    trained = fit(dataset, settings)
    return Bundle(
        title=title,
        model=trained.model,
        preparation=dataset.preparation,
        unseen=dataset.fitted.unseen,
        options=settings.model,
        settings=settings_to_dict(settings),
        city="toy",
        timezone="UTC",
        slice_minutes=15,
        window=dataset.window,
        horizons=dataset.horizons,
        adjustments=Adjustments.same(
            Adjustment(1.0, 1.0, np.array([1e6, 1, 1, 1]), np.array([1.0, 2, 3, 99])), 3
        ),
        segment_ids=tuple(network.segment_ids),
        network_fingerprint=network.fingerprint(),
        seen=SeenTime.of(dataset),
        metrics=[],
        history=[],
    )


def stored_city(bundle: Bundle, folder: Path) -> Settings:
    """Write a city on UTC: network, slices and the bundle ``gcn-simple``, its stores by hand."""
    settings = load_settings(
        ["city.name=toy", "city.timezone=UTC", "tracking.enabled=false", f"workspace={folder}"]
    )
    workspace = Workspace.of(settings)
    write_network(NETWORK, workspace.network)
    write_days(SLICES_TABLE, workspace.slices, ZoneInfo("UTC"), 15, {})
    write_bundle(bundle, bundle_of(settings))
    return settings


def bundle_of(city: Settings) -> Path:
    """Return where a stored city has its bundle."""
    return Workspace.of(city).bundle("gcn-simple")
