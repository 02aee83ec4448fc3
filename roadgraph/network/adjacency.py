"""Networks of detectors that come as an adjacency matrix, without any geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from roadgraph.errors import DataError
from roadgraph.network.network import WGS84, Network, checked_network
from roadgraph.schema import LINKS, SEGMENTS

if TYPE_CHECKING:
    from pathlib import Path


def read_adjacency(matrix: Path, speeds: Path) -> Network:
    """Read an ``N x N`` matrix of weights (CSV without header) into a network.

    Row ``i`` and column ``i`` are the detector in column ``i`` of ``speeds``. A weight above 0 in
    row ``i``, column ``j`` makes a link from ``i`` to ``j``; the diagonal is left out, because
    every model adds its own self-loops. Lengths, limits and geometry are unknown and stay empty.

    Raises:
        DataError: a file is missing or empty, the matrix is not square, holds no numbers, or does
            not fit the table of speeds.
    """
    for path in (matrix, speeds):
        if not path.is_file():
            raise DataError(f"{path} is missing; set city.roads and city.speeds")
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty")
    try:
        weights = pd.read_csv(matrix, header=None).to_numpy(dtype=np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{matrix}: not a matrix of numbers: {error}") from error
    try:
        detectors = [str(name) for name in pd.read_csv(speeds, nrows=0).columns]
    except ValueError as error:  # pandas' own errors for broken tables are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{speeds} cannot be read as a table of speeds: {reason}") from error
    if weights.shape != (len(detectors), len(detectors)):
        raise DataError(
            f"{matrix}: needs shape [{len(detectors)}, {len(detectors)}], one row and column a "
            f"detector of {speeds.name} (found {list(weights.shape)})"
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        row, column = np.argwhere(~np.isfinite(weights) | (weights < 0))[0]
        raise DataError(f"{matrix}: row {row + 1}, column {column + 1} is no weight of 0 or more")
    unknown = np.full(len(detectors), np.nan)
    segments = gpd.GeoDataFrame(
        {
            "segment_id": detectors,
            "from_node": detectors,
            "to_node": detectors,
            "length_m": unknown,
            "road_class": "detector",
            "lanes": pd.Series(pd.NA, index=range(len(detectors)), dtype="Int32"),
            "speed_limit_kph": unknown,
            "free_flow_kph": unknown,
        },
        geometry=[None] * len(detectors),
        crs=WGS84,
    )[SEGMENTS.columns]
    sources, targets = np.nonzero(weights * (1 - np.eye(len(detectors))))
    links = pd.DataFrame(
        {
            "from_segment": [detectors[index] for index in sources],
            "to_segment": [detectors[index] for index in targets],
            "turn_angle_deg": np.nan,
            "weight": weights[sources, targets],
        },
        columns=LINKS.columns,
    )
    return checked_network(segments, links, str(matrix))
