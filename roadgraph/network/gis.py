"""Road layers that geopandas reads: GeoJSON, GeoPackage, shapefile, GeoParquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyproj import Geod
from pyproj.exceptions import ProjError

from roadgraph.errors import DataError, nearest
from roadgraph.network.links import links_at_nodes
from roadgraph.network.network import LIMIT_TOLD, WGS84, Network, checked_network
from roadgraph.network.two_way import ONEWAY, one_line_a_direction
from roadgraph.schema import SEGMENTS
from roadgraph.units import KPH_PER_MPH

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import NetworkSettings

NODES = ["from_node", "to_node"]
REQUIRED = ("segment_id", *NODES)
PARQUET = (".parquet", ".geoparquet")
SHAPEFILE_NAME_LENGTH = 10
NODE_DECIMALS = 7
"""Of degrees, about a centimetre: ends that are nearer to each other meet in one node."""


def read_road_layer(path: Path, settings: NetworkSettings) -> Network:
    """Read a layer of lines into a network.

    Needs a column for ``segment_id``; uses ``from_node`` and ``to_node`` (else the ends of the
    lines are the nodes), ``length_m``, ``road_class``, ``name``, ``lanes`` and
    ``speed_limit_kph`` where they are. A line is one driving direction, unless there is a column
    ``oneway``; see :mod:`roadgraph.network.two_way`. Segments link where one ends at the node at
    which another begins.

    Args:
        path: whatever geopandas reads, also a zipped shapefile.
        settings: columns, layer, unit of the limits, default limit and the sharpest turn.

    Raises:
        DataError: the file is missing, empty or no line layer, a column is missing, or the
            segments in it cannot be used.
    """
    if not path.exists():
        raise DataError(f"road layer {path} is missing; set city.roads")
    layer = _loaded(path, settings.layer)
    if not isinstance(layer, gpd.GeoDataFrame) or layer.empty:
        raise DataError(f"{path}: no road segment in it; is this the right file?")
    segments = directed_segments(layer, settings, str(path))
    return checked_network(segments, links_at_nodes(segments, settings.max_turn_deg), str(path))


def directed_segments(
    layer: gpd.GeoDataFrame, settings: NetworkSettings, source: str
) -> gpd.GeoDataFrame:
    """Return the columns of ``schema.SEGMENTS``, and ``limit_told``, of a layer of lines.

    Raises:
        DataError: a column is missing or holds what it cannot, or a row is no line.
    """
    layer = _our_columns(layer, settings, source)
    layer = layer.assign(
        **{
            name: layer[name].map(lambda key: None if pd.isna(key) else str(key))
            for name in REQUIRED
            if name in layer.columns
        }
    )
    layer = _single_lines(layer, source)
    if layer.crs is None:
        raise DataError(f"{source}: no coordinate system; save the layer with one, such as {WGS84}")
    layer = _in_degrees(layer, source)
    if ONEWAY in layer.columns:
        layer = one_line_a_direction(layer, source)
    if not set(NODES) & set(layer.columns):
        layer = _nodes_at_ends(layer)
    return _segments(layer, settings, source)


def _loaded(path: Path, layer: str) -> gpd.GeoDataFrame | pd.DataFrame:
    try:
        if path.suffix in PARQUET:
            return gpd.read_parquet(path)
        name = _layer_name(path, layer)
        return gpd.read_file(path) if name is None else gpd.read_file(path, layer=name)
    except DataError:
        raise
    except Exception as error:  # a damaged file fails anywhere in GDAL's many drivers and in PROJ
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unknown format"
        raise DataError(f"{path} cannot be read as a road layer: {reason}") from error


def _layer_name(path: Path, wanted: str) -> str | None:
    """Return the layer to read, None where the file has one alone."""
    listed = pyogrio.list_layers(path)
    layers = [str(name) for name, _ in listed]
    if wanted and wanted not in layers:
        raise DataError(
            f"{path}: no layer '{wanted}' (there are {', '.join(layers)}); set network.layer"
            f"{nearest(wanted, layers)}"
        )
    lines = [str(name) for name, kind in listed if "LineString" in str(kind)]
    if wanted or len(layers) == 1:
        return wanted or None
    if len(lines) != 1:
        raise DataError(
            f"{path}: {len(lines)} layers of lines in it, not one (there are "
            f"{', '.join(layers)}); choose the roads by network.layer=NAME"
        )
    return lines[0]


def _our_columns(
    layer: gpd.GeoDataFrame, settings: NetworkSettings, source: str
) -> gpd.GeoDataFrame:
    found = [str(name) for name in layer.columns if name != layer.geometry.name]
    mapping = {
        # A shapefile cuts names off.
        **{
            name: name[:SHAPEFILE_NAME_LENGTH]
            for name in SEGMENTS.columns
            if name not in found and name[:SHAPEFILE_NAME_LENGTH] in found
        },
        **{name: theirs for name, theirs in settings.columns.items() if name != ONEWAY},
    }
    drop, rename = SEGMENTS.renaming(mapping, found, source, "network.columns")
    oneway = settings.columns.get(ONEWAY)
    if oneway is not None:
        if oneway not in found:
            raise DataError(
                f"{source}: column '{oneway}', which network.columns.{ONEWAY} names, is missing "
                f"(found {', '.join(found)}){nearest(oneway, found)}"
            )
        drop = [*drop, *{ONEWAY} & set(found) - {oneway}]
        rename = {**rename, oneway: ONEWAY}
    layer = layer.drop(columns=drop).rename(columns=rename)
    nodes = [name for name in NODES if name in layer.columns]
    for column in REQUIRED if nodes else ("segment_id",):
        if column not in layer.columns:
            raise DataError(
                f"{source}: column '{column}' is missing (found {', '.join(found)})"
                f"{nearest(column, found)} Map it with network.columns.{column}=NAME"
            )
    return layer


def _single_lines(layer: gpd.GeoDataFrame, source: str) -> gpd.GeoDataFrame:
    """Return the layer with plain lines: multi-part ones whose parts join become one."""
    shapes = layer.geometry.to_numpy()
    multiple = layer.geom_type.to_numpy() == "MultiLineString"
    shapes = np.where(multiple, shapely.line_merge(shapes, directed=True), shapes)
    shapes = shapely.force_2d(shapes)
    is_line = (shapely.get_type_id(shapes) == shapely.GeometryType.LINESTRING) & ~shapely.is_empty(
        shapes
    )
    if not is_line.all():
        raise DataError(
            f"{source}: segment '{layer['segment_id'][~is_line].iloc[0]}' is no line "
            f"({int((~is_line).sum())} such rows); explode lines of separate parts, drop the rest"
        )
    return layer.set_geometry(shapes, crs=layer.crs)


def _in_degrees(layer: gpd.GeoDataFrame, source: str) -> gpd.GeoDataFrame:
    try:
        degrees = layer.to_crs(WGS84)
    except ProjError as error:
        raise DataError(
            f"{source}: its coordinate system {layer.crs.name} cannot be taken to {WGS84} "
            f"({error}); save the layer in another"
        ) from error
    bounds = degrees.bounds.to_numpy()
    outside = ~np.isfinite(bounds).all(axis=1) | (np.abs(bounds) > (180, 90, 180, 90)).any(axis=1)
    if outside.any():
        place = layer.bounds.to_numpy()[outside][0, :2].round(3).tolist()
        raise DataError(
            f"{source}: segment '{layer['segment_id'][outside].iloc[0]}' lies at {place}, which is "
            f"no place on Earth in {layer.crs.name} ({int(outside.sum())} such rows); save the "
            "layer with its right coordinate system"
        )
    return degrees


def _nodes_at_ends(layer: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Name nodes by longitude and latitude of the lines' ends."""
    lines = layer.geometry.to_numpy()
    ends = {
        name: shapely.get_coordinates(shapely.get_point(lines, place)).round(NODE_DECIMALS) + 0.0
        for name, place in zip(NODES, (0, -1), strict=True)
    }
    names = {
        name: [f"{lon:.{NODE_DECIMALS}f},{lat:.{NODE_DECIMALS}f}" for lon, lat in places]
        for name, places in ends.items()
    }
    return layer.assign(**names)


def _segments(layer: gpd.GeoDataFrame, settings: NetworkSettings, source: str) -> gpd.GeoDataFrame:
    def numbers(column: str) -> pd.Series:
        if column not in layer.columns:
            return pd.Series(np.nan, index=layer.index)
        values = pd.to_numeric(layer[column], errors="coerce").astype("float64")
        wrong = values.isna() & layer[column].notna()
        if wrong.any():
            raise DataError(
                f"{source}: {column} '{layer[column][wrong].iloc[0]}' is no number "
                f"({int(wrong.sum())} such rows); write it without a unit, or leave it empty"
            )
        return values

    geodesic = Geod(ellps="WGS84")
    measured = layer.geometry.map(geodesic.geometry_length)
    told = numbers("speed_limit_kph") * (KPH_PER_MPH if settings.speed_unit == "mph" else 1.0)
    limits = told.fillna(settings.default_speed_limit_kph)
    classes = layer["road_class"] if "road_class" in layer.columns else None
    table = {
        **{name: layer[name] for name in REQUIRED},
        "length_m": numbers("length_m").fillna(measured).astype("float64"),
        "road_class": "unclassified"
        if classes is None
        else classes.map(lambda name: "unclassified" if pd.isna(name) else str(name)),
        "name": layer["name"] if "name" in layer.columns else None,
        "lanes": numbers("lanes").fillna(1).astype("int32"),
        "speed_limit_kph": limits,
        # Until it has been measured, free flow is the limit; training estimates its own.
        "free_flow_kph": limits,
        LIMIT_TOLD: told.notna(),
    }
    segments = gpd.GeoDataFrame(table, geometry=layer.geometry, crs=WGS84)
    return segments[[*SEGMENTS.columns, LIMIT_TOLD]]
