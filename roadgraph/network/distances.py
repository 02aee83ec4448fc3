"""Lists of road distances between detectors, as the DCRNN paper has them.

Source: Li et al. 2018, "Diffusion Convolutional Recurrent Neural Network" (arXiv 1707.01926),
section 4 and appendix E.1: ``w = exp(-(d / sigma)^2)`` where ``sigma`` is the standard deviation
of the distances, and 0 below a threshold of 0.1.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.errors import DataError, nearest
from roadgraph.network.detectors import detector_network, listed_detectors, measured_detectors

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.settings import CitySettings, NetworkSettings

COLUMNS = ("from", "to")
DISTANCE_NAMES = ("cost", "distance")


def read_distances(path: Path, city: CitySettings, settings: NetworkSettings) -> Network:
    """Read a list of distances into a network of the detectors that the speeds are of.

    A pair that the list does not name is not linked, nor is one whose weight is below
    ``network.min_link_weight``. Pairs with other detectors are left out before ``sigma`` is taken.

    Args:
        path: CSV with the columns ``from``, ``to`` and ``cost`` (or ``distance``), in metres or
            any other unit: a weight is a ratio of distances.
        city: ``detector_ids`` or ``speeds`` say which detectors there are; else all in the list.
        settings: the threshold.

    Raises:
        DataError: the file is missing, empty or no such list, a distance cannot be, a pair stands
            in it twice with different distances, or it lacks a detector.
    """
    pairs = _pairs(path)
    ids = listed_detectors(city)
    if ids is None:
        named = sorted({*pairs["from"], *pairs["to"]})
        ids = measured_detectors(city) if city.speeds else named
    place = {name: index for index, name in enumerate(ids)}
    unnamed = [name for name in ids if name not in {*pairs["from"], *pairs["to"]}]
    if unnamed:
        raise DataError(
            f"{path}: {len(unnamed)} of the {len(ids)} detectors of {city.speeds} are in no row, "
            f"such as '{unnamed[0]}'; are the ids the same? For one without neighbours add a row "
            f"from it to itself with distance 0{nearest(unnamed[0], set(pairs['from']))}"
        )
    pairs = pairs[pairs["from"].isin(place) & pairs["to"].isin(place)]
    distances = pairs["distance"].to_numpy()
    sigma = float(distances.std()) if len(distances) else 0.0
    if sigma == 0:
        raise DataError(
            f"{path}: the {len(distances)} distances between the detectors of {city.speeds} are "
            "all the same, so they tell no weights; use an adjacency matrix"
        )
    weights = gaussian_weights(distances, sigma, settings.min_link_weight)
    sources, targets = (pairs[name].map(place).to_numpy() for name in COLUMNS)
    return detector_network(ids, sources, targets, weights, str(path))


def gaussian_weights(distances: np.ndarray, sigma: float, least: float) -> np.ndarray:
    """Return ``exp(-(d / sigma)^2)`` of every distance, 0 where that is below ``least``."""
    weights = np.exp(-np.square(distances / sigma))
    return np.where(weights < least, 0.0, weights)


def _pairs(path: Path) -> pd.DataFrame:
    """Return the list as text ids ``from`` and ``to`` and ``distance``, each pair once."""
    if not path.is_file():
        raise DataError(f"{path} is missing; set city.roads")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            # Else cells beyond the header would make the first ones names of the rows.
            table = pd.read_csv(path, dtype=str, skipinitialspace=True, index_col=False)
    except (ValueError, pd.errors.ParserWarning) as error:  # pandas' own errors are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be read as a list of distances: {reason}") from error
    table = table.rename(columns=lambda name: str(name).strip().lower())
    told = next((name for name in DISTANCE_NAMES if name in table.columns), "cost")
    for column in (*COLUMNS, told):
        if column not in table.columns:
            raise DataError(
                f"{path}: column '{column}' is missing (found {', '.join(table.columns)}); a list "
                "of distances has from,to,cost"
            )
    table = table.rename(columns={told: "distance"})[[*COLUMNS, "distance"]]
    _refuse(table["from"].isna() | table["to"].isna(), table, path, "names no two detectors")
    distances = pd.to_numeric(table["distance"], errors="coerce")
    _refuse(~np.isfinite(distances) | (distances < 0), table, path, "has no distance of 0 or more")
    table = table.assign(distance=distances).drop_duplicates()
    twice = table.duplicated(list(COLUMNS))
    _refuse(twice, table, path, "gives another distance than a row before it does")
    return table


def _refuse(wrong: pd.Series, table: pd.DataFrame, path: Path, fault: str) -> None:
    if wrong.any():
        first = table[wrong].iloc[[0]]
        found = ",".join("" if pd.isna(cell) else str(cell) for cell in first.to_numpy()[0])
        raise DataError(
            f"{path}: row {first.index.to_list()[0] + 2} ({found}) {fault} "
            f"({int(wrong.sum())} such rows); mend or remove it"
        )
