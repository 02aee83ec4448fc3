"""Detectors as segments: they have names and links, but neither lengths nor lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from roadgraph.errors import DataError, nearest
from roadgraph.network.atomic_files import atomic_values
from roadgraph.network.network import WGS84, Network, checked_network
from roadgraph.schema import LINKS, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.settings import CitySettings

ROAD_CLASS = "detector"


def detector_network(
    ids: Sequence[str], sources: np.ndarray, targets: np.ndarray, weights: np.ndarray, source: str
) -> Network:
    """Return the network of detectors; lengths, limits and geometry are unknown and stay empty.

    Args:
        ids: the ``N`` detectors in the order that the places below count.
        sources: ``[E]``, place of the detector that a link begins at.
        targets: ``[E]``, place of the detector that it leads to.
        weights: ``[E]``; a link from a detector to itself or of weight 0 is none.
        source: the file, for messages.

    Raises:
        DataError: two detectors have the same id.
    """
    unknown = np.full(len(ids), np.nan)
    segments = gpd.GeoDataFrame(
        {
            "segment_id": list(ids),
            "from_node": list(ids),
            "to_node": list(ids),
            "length_m": unknown,
            "road_class": ROAD_CLASS,
            "name": None,
            "lanes": pd.Series(pd.NA, index=range(len(ids)), dtype="Int32"),
            "speed_limit_kph": unknown,
            "free_flow_kph": unknown,
        },
        geometry=[None] * len(ids),
        crs=WGS84,
    )[SEGMENTS.columns]
    kept = (sources != targets) & (weights != 0)
    links = pd.DataFrame(
        {
            "from_segment": [ids[place] for place in sources[kept]],
            "to_segment": [ids[place] for place in targets[kept]],
            "turn_angle_deg": np.nan,
            "weight": weights[kept].astype(np.float64),
        },
        columns=LINKS.columns,
    )
    return checked_network(segments, links, source)


def listed_detectors(city: CitySettings) -> list[str] | None:
    """Return the detectors' ids in the order of ``city.roads``, where a file tells it.

    That is ``city.detector_ids``, else the header of ``city.speeds``, unless that is a ``.dyna``
    table, which has no such header.

    Raises:
        DataError: the file cannot be read.
    """
    if city.detector_ids:
        return _ids_of_file(Path(city.detector_ids))
    if not city.speeds or city.speeds.endswith(".dyna"):
        return None
    return _header(Path(city.speeds))


def measured_detectors(city: CitySettings) -> list[str]:
    """Return the ids that ``city.speeds`` has speeds of, in its order.

    Raises:
        DataError: the file cannot be read.
    """
    speeds = Path(city.speeds)
    return atomic_values(speeds, "entity_id") if speeds.suffix == ".dyna" else _header(speeds)


def check_detectors(network: Network, city: CitySettings) -> None:
    """Refuse speeds of detectors that the network does not have.

    Raises:
        DataError: names the first such detector, and the nearest that there is.
    """
    known = set(network.segment_ids)
    detectors = measured_detectors(city)
    strangers = [name for name in detectors if name not in known]
    if strangers:
        raise DataError(
            f"{city.speeds}: {len(strangers)} of {len(detectors)} detectors are not in "
            f"{city.roads}, such as '{strangers[0]}'; set city.detector_ids or "
            "network.columns.segment_id so that the ids are those of the speeds"
            f"{nearest(strangers[0], network.segment_ids)}"
        )


def _ids_of_file(path: Path) -> list[str]:
    """Return ids that stand one a line, or between commas or blanks."""
    if not path.is_file():
        raise DataError(f"{path} is missing; set city.detector_ids")
    try:
        ids = [name for name in re.split(r"[,;\s]+", path.read_text("utf-8-sig")) if name]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8; save it so") from error
    if not ids:
        raise DataError(f"{path} is empty; write the detectors' ids into it, one a line")
    if len(set(ids)) < len(ids):
        twice = next(name for place, name in enumerate(ids) if name in ids[:place])
        raise DataError(f"{path}: detector '{twice}' stands in it twice")
    return ids


def _header(speeds: Path) -> list[str]:
    if not speeds.is_file():
        raise DataError(f"{speeds} is missing; set city.roads and city.speeds")
    if speeds.stat().st_size == 0:
        raise DataError(f"{speeds} is empty")
    try:
        return [str(name) for name in pd.read_csv(speeds, nrows=0).columns]
    except ValueError as error:  # pandas' own errors for broken tables are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{speeds} cannot be read as a table of speeds: {reason}") from error
