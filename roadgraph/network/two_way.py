"""Layers that draw a two-way road as one line: a segment for each direction that cars may drive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from roadgraph.errors import DataError
from roadgraph.network import osm_tags

if TYPE_CHECKING:
    from collections.abc import Iterable

ONEWAY = "oneway"
REVERSE = ":reverse"
"""What the id of a segment against the line's own direction ends with."""

ALONG = osm_tags.ALONG | {"f", "ft", "y"}
AGAINST = osm_tags.AGAINST | {"t", "tf"}
BOTH = osm_tags.BOTH | {"b", ""}
"""Values of the column, lower case, beside OpenStreetMap's: HERE has F, T and B for from, to and
both, TomTom FT, TF and nothing."""


def one_line_a_direction(layer: gpd.GeoDataFrame, source: str) -> gpd.GeoDataFrame:
    """Return the layer with one line for each direction that its ``oneway`` column opens.

    A segment along the line keeps its id, one against it gets ``<id>:reverse``, also where that is
    the only direction open, so that an id means the same direction whatever a sign says. A two-way
    line whose other direction the layer itself draws, as OSMnx does, gets no second one.

    Args:
        layer: with ``segment_id`` (text or None), ``oneway`` and lines; ``from_node`` and
            ``to_node`` where it has them.
        source: its file, for messages.

    Raises:
        DataError: a value that means no direction.
    """
    told = [_plain(value) for value in layer[ONEWAY]]
    unknown = [value not in ALONG | AGAINST | BOTH for value in told]
    if any(unknown):
        first = unknown.index(True)
        raise DataError(
            f"{source}: segment '{layer['segment_id'].iloc[first]}' has oneway "
            f"'{layer[ONEWAY].iloc[first]}' ({sum(unknown)} such rows), which says no direction; "
            "write F, T or B, or yes, no or -1"
        )
    along = layer[[value not in AGAINST for value in told]]
    backward = layer[[value not in ALONG for value in told]]
    both = np.array([value in BOTH for value in told])[[value not in ALONG for value in told]]
    drawn = both & _is_drawn(shapely.reverse(backward.geometry.to_numpy()), layer.geometry)
    backward = backward[~drawn]
    turned = backward.assign(
        segment_id=backward["segment_id"] + REVERSE,
        **{
            ours: backward[theirs]
            for ours, theirs in (("from_node", "to_node"), ("to_node", "from_node"))
            if theirs in backward.columns
        },
    ).set_geometry(shapely.reverse(backward.geometry.to_numpy()), crs=layer.crs)
    return gpd.GeoDataFrame(pd.concat([along, turned], ignore_index=True), crs=layer.crs)


def _plain(value: object) -> str:
    """Return a cell as lower-case text; numbers that a gap made fractions are whole again."""
    missing = value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA
    return "" if missing else str(value).strip().lower().removesuffix(".0")


def _is_drawn(lines: np.ndarray, layer: Iterable[shapely.LineString]) -> np.ndarray:
    there = set(shapely.to_wkb(np.asarray(layer)))
    return np.array([line in there for line in shapely.to_wkb(lines)], dtype=bool)
