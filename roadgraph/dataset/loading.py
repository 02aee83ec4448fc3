"""A city's stored network and slices into a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import ALL_DAYS, Days
from roadgraph.dataset.dataset import Dataset, RoadGraph, build_dataset
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.errors import DataError
from roadgraph.probes.distance import METRES_PER_DEGREE
from roadgraph.slices.store import read_slices, stored_slice_minutes

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace


def road_graph_of(network: Network) -> RoadGraph:
    """Return the static graph of ``network`` as arrays."""
    links = network.link_indices()
    return RoadGraph(
        # Copies, because torch wants arrays of its own and pandas gives read-only views.
        links["source"].to_numpy(copy=True),
        links["target"].to_numpy(copy=True),
        links["weight"].to_numpy(dtype=np.float32, copy=True),
        len(network.segment_ids),
        network.fingerprint(),
        _midpoints_m(network) if network.has_geometry else None,
    )


def _midpoints_m(network: Network) -> np.ndarray:
    """Return the middle of the box around each line, ``[N, 2]``, on an equirectangular plane."""
    west, south, east, north = network.segments.geometry.bounds.to_numpy().T
    lon, lat = (west + east) / 2, (south + north) / 2
    return METRES_PER_DEGREE * np.stack([lon * np.cos(np.radians(lat.mean())), lat], axis=1)


def load_dataset(
    settings: Settings,
    workspace: Workspace,
    network: Network,
    days: Days = ALL_DAYS,
) -> Dataset:
    """Read the store of slices and prepare inputs, labels and splits.

    Args:
        settings: of the city, its data and the task.
        workspace: where the store is.
        network: of the slices.
        days: to read; those that the store does not have are left out.

    Raises:
        DataError: there are no slices, of another length or of another network, or too few.
    """
    minutes = stored_slice_minutes(workspace.slices)
    if minutes != settings.slices.minutes:
        raise DataError(
            f"{workspace.slices} holds slices of {minutes} minutes, not "
            f"{settings.slices.minutes}; run roadgraph slices again or set slices.minutes"
        )
    slices = read_slices(workspace.slices, days.first, days.last)
    grid = grid_from_slices(slices, network.segment_ids, minutes)
    return build_dataset(grid, network.segments, road_graph_of(network), settings)
