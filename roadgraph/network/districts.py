"""Which district of the city each segment lies in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyproj.exceptions import ProjError

from roadgraph.errors import DataError, nearest
from roadgraph.network.gis import PARQUET
from roadgraph.network.network import WGS84

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.settings import ReportSettings

ELSEWHERE = "elsewhere"
"""District of a segment that lies in no polygon."""

COMPASS = np.array(
    [
        ["south-west", "south", "south-east"],
        ["west", "centre", "east"],
        ["north-west", "north", "north-east"],
    ]
)
"""Names of the nine fields by row, from the south, and column, from the west."""

LEAST_EXTENT = 1e-6
"""Of a network that is cut into three, in degrees: about 10 cm."""

POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def districts_of(network: Network, settings: ReportSettings) -> np.ndarray | None:
    """Return the district of each segment, ``[N]`` text; None of a network without geometry.

    A segment belongs to the polygon that holds the point half way along it; where two do, or it
    lies on their border, to the first in the order of the file; where none does, to ``ELSEWHERE``.
    Polygons of the same name are one district. Without a file the districts are nine fields of
    equal width and height over the extent of the network.

    Args:
        network: its lines are looked at.
        settings: ``districts`` and ``district_name``.

    Raises:
        DataError: the file is missing or cannot be read, has no polygon, no such column, a polygon
            without a name or no coordinate system, or no polygon holds a segment.
    """
    if not network.has_geometry:
        return None
    lines = network.segments.geometry.to_numpy()
    middles = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    if not settings.districts:
        return _by_compass(middles, network.segments.total_bounds)
    path = Path(settings.districts)
    names, shapes = _polygons(path, settings.district_name)
    place, polygon = shapely.STRtree(shapes).query(middles, predicate="intersects")
    first = np.full(len(middles), len(names))
    np.minimum.at(first, place, polygon)
    if not len(place):
        raise DataError(
            f"{path}: none of its {len(shapes)} polygons holds a segment; they reach over "
            f"{_span(shapely.total_bounds(shapes))}, the network over "
            f"{_span(network.segments.total_bounds)}; set report.districts to those of this city"
        )
    return np.append(names, ELSEWHERE)[first]


def _by_compass(middles: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    low, extent = bounds[:2], bounds[2:] - bounds[:2]
    # A road that runs due east has no height: all of it lies in the middle row.
    share = np.full((len(middles), 2), 0.5)
    wide = extent > LEAST_EXTENT
    share[:, wide] = (shapely.get_coordinates(middles)[:, wide] - low[wide]) / extent[wide]
    column, row = np.clip((share * 3).astype(int), 0, 2).T
    return COMPASS[row, column]


def _polygons(path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return names and shapes of the polygons of a file, in its order, in degrees."""
    layer = _loaded(path)
    kept = np.isin(shapely.get_type_id(layer.geometry.to_numpy()), POLYGONS)
    layer = layer[kept & ~layer.geometry.is_empty.to_numpy()]
    if layer.empty:
        raise DataError(f"{path}: no polygon in it; report.districts asks for districts as areas")
    found = [str(name) for name in layer.columns if name != layer.geometry.name]
    if column not in found:
        raise DataError(
            f"{path}: column '{column}' is missing (found {', '.join(found) or 'none'}); set "
            f"report.district_name{nearest(column, found)}"
        )
    blank = layer[column].astype(str).str.strip() == ""
    nameless = (layer[column].isna() | blank).to_numpy()
    if nameless.any():
        raise DataError(
            f"{path}: polygon {int(nameless.argmax()) + 1} has no '{column}' "
            f"({int(nameless.sum())} such polygons); name it or remove it"
        )
    if layer.crs is None:
        raise DataError(f"{path}: no coordinate system; save the layer with one, such as {WGS84}")
    try:
        degrees = layer.to_crs(WGS84)
    except ProjError as error:
        raise DataError(
            f"{path}: its coordinate system {layer.crs.name} cannot be taken to {WGS84} "
            f"({error}); save the layer in another"
        ) from error
    # A border that crosses itself, as drawn by hand, has no inside otherwise.
    return layer[column].astype(str).to_numpy(), shapely.make_valid(degrees.geometry.to_numpy())


def _loaded(path: Path) -> gpd.GeoDataFrame:
    if not path.exists():
        raise DataError(f"districts {path} are missing; set report.districts, or empty it")
    try:
        layer = (
            gpd.read_parquet(path)
            if path.suffix in PARQUET
            else gpd.read_file(path, layer=_layer_name(path))
        )
    except DataError:
        raise
    except Exception as error:  # a damaged file fails anywhere in GDAL's many drivers and in PROJ
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unknown format"
        raise DataError(f"{path} cannot be read as districts: {reason}") from error
    if not isinstance(layer, gpd.GeoDataFrame):
        raise DataError(f"{path}: no polygon in it; report.districts asks for districts as areas")
    return layer


def _layer_name(path: Path) -> str:
    """Return the layer of polygons, or the first one where no layer says that it has some."""
    listed = [(str(name), str(kind)) for name, kind in pyogrio.list_layers(path)]
    areas = [name for name, kind in listed if "Polygon" in kind]
    if len(areas) > 1:
        raise DataError(
            f"{path}: {len(areas)} layers of polygons in it ({', '.join(areas)}); save the one "
            "with the districts as a file of its own"
        )
    return (areas or [name for name, _ in listed])[0]


def _span(bounds: np.ndarray) -> str:
    west, south, east, north = (f"{value:.3f}" for value in bounds)
    return f"{west} to {east} east, {south} to {north} north"
