"""Road layers that geopandas reads: GeoJSON, GeoPackage, shapefile, GeoParquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import pyogrio.errors
from pyproj import Geod

from roadgraph.errors import DataError, nearest
from roadgraph.network.links import links_at_nodes
from roadgraph.network.network import WGS84, Network, checked_network
from roadgraph.schema import SEGMENTS

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import NetworkSettings

REQUIRED = ("segment_id", "from_node", "to_node")


def read_road_layer(path: Path, settings: NetworkSettings) -> Network:
    """Read a layer of directed lines into a network.

    Needs columns for ``segment_id``, ``from_node`` and ``to_node``; uses ``length_m``,
    ``road_class``, ``lanes`` and ``speed_limit_kph`` where they are. Segments link where one ends
    at the node at which another begins.

    Raises:
        DataError: the file is missing, empty or no line layer, a column is missing, or the
            segments in it cannot be used.
    """
    if not path.is_file():
        raise DataError(f"road layer {path} is missing; set city.roads")
    try:
        layer = gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unknown format"
        raise DataError(f"{path} cannot be read as a road layer: {reason}") from error
    if not isinstance(layer, gpd.GeoDataFrame) or layer.empty:
        raise DataError(f"{path}: no road segment in it; is this the right file?")
    found = [str(name) for name in layer.columns if name != "geometry"]
    drop, rename = SEGMENTS.renaming(settings.columns, found, str(path), "network.columns")
    layer = layer.drop(columns=drop).rename(columns=rename)
    for column in REQUIRED:
        if column not in layer.columns:
            raise DataError(
                f"{path}: column '{column}' is missing (found {', '.join(found)})"
                f"{nearest(column, found)} Map it with network.columns.{column}=NAME"
            )
    lines = layer.geometry
    wrong = layer[lines.isna() | (lines.geom_type != "LineString") | lines.is_empty]
    if len(wrong):
        raise DataError(
            f"{path}: segment '{wrong['segment_id'].iloc[0]}' is no line "
            f"({len(wrong)} such rows); explode multi-part lines and drop the rest"
        )
    if layer.crs is None:
        raise DataError(f"{path}: no coordinate system; save the layer with one, such as {WGS84}")
    layer = layer.to_crs(WGS84)
    segments = _segments(layer, settings, str(path))
    return checked_network(segments, links_at_nodes(segments, settings.max_turn_deg), str(path))


def _segments(layer: gpd.GeoDataFrame, settings: NetworkSettings, source: str) -> gpd.GeoDataFrame:
    def numbers(column: str, default: float) -> pd.Series:
        if column not in layer.columns:
            return pd.Series(default, index=layer.index)
        values = pd.to_numeric(layer[column], errors="coerce")
        wrong = values.isna() & layer[column].notna()
        if wrong.any():
            raise DataError(
                f"{source}: {column} '{layer[column][wrong].iloc[0]}' is no number "
                f"({int(wrong.sum())} such rows); write it without a unit, or leave it empty"
            )
        return values.fillna(default)

    geodesic = Geod(ellps="WGS84")
    measured = layer.geometry.map(geodesic.geometry_length)
    lengths = numbers("length_m", float("nan")).fillna(measured)
    limits = numbers("speed_limit_kph", settings.default_speed_limit_kph)
    classes = layer["road_class"] if "road_class" in layer.columns else None
    table = {
        **{
            name: layer[name].map(lambda key: None if pd.isna(key) else str(key))
            for name in REQUIRED
        },
        "length_m": lengths.astype("float64"),
        "road_class": "unclassified"
        if classes is None
        else classes.map(lambda name: "unclassified" if pd.isna(name) else str(name)),
        "lanes": numbers("lanes", 1).astype("int32"),
        "speed_limit_kph": limits.astype("float64"),
        # Until it has been measured, free flow is the limit; training estimates its own.
        "free_flow_kph": limits.astype("float64"),
    }
    return gpd.GeoDataFrame(table, geometry=layer.geometry, crs=WGS84)[SEGMENTS.columns]
