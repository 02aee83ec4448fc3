"""Maps of predictions that a GIS opens: a line a segment and horizon, with its style beside it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyogrio
import shapely

from roadgraph.predict.qgis_style import predictions_style
from roadgraph.predict.store import write_parquet
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from roadgraph.network.network import Network
    from roadgraph.settings.roads_and_probes import Side

MAPS = (".geojson", ".geoparquet", ".gpkg")
LAYER = "predictions"
"""Of a GeoPackage."""
LOCAL_TIMES = {"issued_local": "issued_at", "slice_local": "slice_start"}
"""Texts for people: the same moments on the city's clock."""
STYLE_TABLE = "layer_styles"
"""Where QGIS keeps the styles of the layers of a GeoPackage."""


def write_map(
    table: pa.Table, path: Path, network: Network, zone: ZoneInfo, drives_on: Side
) -> tuple[Path, ...]:
    """Write predictions as a map, whole or not at all, and its style beside it (``.qml``).

    Beside the columns of ``schema.PREDICTIONS``, whose times are in UTC, there are ``issued_local``
    and ``slice_local``: the same moments on the city's clock, such as ``2026-01-18 07:15 +07:00``.

    * ``.geoparquet``: Parquet with a column ``geometry`` of WGS84 lines and the schema's metadata.
    * ``.geojson``: RFC 7946, times as ISO 8601 texts.
    * ``.gpkg``: a GeoPackage with the layer ``predictions``, whose columns are described in it, and
      the style, which QGIS then finds by itself.

    The style takes the place of one that is there. Should the process die between the two, the map
    is there without a style, never with that of the map before.

    Args:
        table: the columns of ``schema.PREDICTIONS``.
        path: the file; its suffix is one of ``MAPS``.
        network: has the geometry.
        zone: the city's time zone.
        drives_on: side of its roads, on which the style draws lines.

    Returns:
        The file and its style.
    """
    horizons_min = pc.unique(table["horizon_min"]).to_pylist()
    style = predictions_style(horizons_min, column_titles(table), drives_on)
    table = _with_local_times(table, zone)
    style_path = path.with_suffix(".qml")
    # The inner one takes its place first.
    with whole_file(style_path) as style_file, whole_file(path) as temporary:
        style_file.write_text(style, "utf-8")
        if path.suffix == ".geoparquet":
            write_parquet(_with_geometry(table, network), temporary)
        elif path.suffix == ".gpkg":
            _write_geopackage(table, network, style, temporary)
        else:
            _write_geojson(table, network, temporary)
        style_path.unlink(missing_ok=True)
    return path, style_path


def column_titles(table: pa.Table) -> dict[str, str]:
    """Return the titles of those columns that have a unit of one word, such as ``speed (km/h)``."""
    units = {field.name: _unit(field) for field in table.schema}
    return {name: f"{name} ({unit})" for name, unit in units.items() if unit and " " not in unit}


def _unit(field: pa.Field) -> str:
    return str((field.metadata or {}).get(b"unit", b"").decode())


def _with_local_times(table: pa.Table, zone: ZoneInfo) -> pa.Table:
    for name, column in LOCAL_TIMES.items():
        moments = pc.unique(table[column])
        texts = pa.array([_local_text(moment, zone) for moment in moments.to_pylist()], pa.string())
        field = pa.field(name, pa.string(), metadata={"unit": f"the local time of {column}"})
        table = table.append_column(field, texts.take(_places(table[column], moments)))
    return table


def _local_text(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M} {local.isoformat()[-len('+00:00') :]}"


def _places(values: pa.ChunkedArray, among: pa.Array) -> pa.Array:
    return pc.index_in(values, value_set=among).combine_chunks()


def _with_geometry(table: pa.Table, network: Network) -> pa.Table:
    """Return ``table`` with the geometry of each row's segment, as geopandas writes it."""
    # geopandas writes what says so in the metadata: encoding, kinds, extent, coordinate system.
    buffer = io.BytesIO()
    network.segments[["geometry"]].to_parquet(buffer, index=False)
    lines = pq.read_table(buffer)
    places = _places(table["segment_id"], pa.array(network.segment_ids))
    geometry = lines["geometry"].combine_chunks().take(places)
    metadata = {**(table.schema.metadata or {}), b"geo": lines.schema.metadata[b"geo"]}
    field = pa.field("geometry", geometry.type)
    return table.append_column(field, geometry).replace_schema_metadata(metadata)


def _write_geopackage(table: pa.Table, network: Network, style: str, path: Path) -> None:
    titles = column_titles(table)
    described = pa.schema([_described(field, titles.get(field.name, "")) for field in table.schema])
    lines = pa.array(shapely.to_wkb(shapely.force_2d(network.segments.geometry.to_numpy())))
    places = _places(table["segment_id"], pa.array(network.segment_ids))
    pyogrio.write_arrow(
        table.cast(described).append_column("geometry", lines.take(places)),
        path,
        layer=LAYER,
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="LineString",
        crs=network.segments.crs.to_string(),
    )
    _store_style(style, path)


def _described(field: pa.Field, title: str) -> pa.Field:
    """Return ``field`` with its unit and title, where it has any, as GDAL reads them."""
    told = {"GDAL:OGR:comment": _unit(field), "GDAL:OGR:alternative_name": title}
    return field.with_metadata({name: text for name, text in told.items() if text})


def _store_style(style: str, path: Path) -> None:
    """Put the style into a GeoPackage, in the table that QGIS makes for it."""
    row = {
        "f_table_catalog": "",
        "f_table_schema": "",
        "f_table_name": LAYER,
        "f_geometry_column": str(pyogrio.read_info(path, layer=LAYER)["geometry_name"]),
        "styleName": LAYER,
        "styleQML": style,
        "styleSLD": "",
        "useAsDefault": True,
        "description": "congestion by horizon",
        "owner": "",
        "ui": "",
        "update_time": pd.Timestamp.now("UTC"),
    }
    table = pa.table({name: [value] for name, value in row.items()})
    pyogrio.write_arrow(table, path, layer=STYLE_TABLE, driver="GPKG", FID="id")


def _write_geojson(table: pa.Table, network: Network, path: Path) -> None:
    frame = table.to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)
    for name in LOCAL_TIMES.values():
        frame[name] = frame[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = network.segments.set_index("segment_id").geometry
    geometry = shapely.force_2d(lines.reindex(frame["segment_id"]).to_numpy())
    collection = gpd.GeoDataFrame(frame, geometry=geometry, crs=network.segments.crs)
    collection.to_file(path, driver="GeoJSON", engine="pyogrio", RFC7946="YES", WRITE_NAME="NO")
