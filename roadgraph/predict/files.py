"""Predictions as files: tables, and maps of lines that a GIS opens."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely

from roadgraph.errors import SettingsError
from roadgraph.predict.store import write_parquet
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.network.network import Network

TABLES = (".parquet", ".csv")
MAPS = (".geojson", ".geoparquet")
TIMES = ("issued_at", "slice_start")


def refuse_file(path: Path, network: Network) -> None:
    """Refuse a file that predictions cannot be written to, before any work is done.

    Raises:
        SettingsError: its format is not known, or needs a geometry that the network lacks.
    """
    if path.suffix not in (*TABLES, *MAPS):
        raise SettingsError(
            f"--out {path}: write a {', '.join((*TABLES, MAPS[0]))} or {MAPS[1]} file"
        )
    if path.suffix in MAPS and not network.has_geometry:
        raise SettingsError(
            f"--out {path}: the network has no geometry to draw; write a .parquet or a .csv file"
        )


def write_predictions(table: pa.Table, path: Path, network: Network) -> None:
    """Write predictions, whole or not at all; the suffix names the format.

    ``.geoparquet`` is Parquet with a column ``geometry`` of WGS84 lines and keeps the schema's
    metadata; ``.geojson`` follows RFC 7946, with times as ISO 8601 texts in UTC.

    Args:
        table: the columns of ``schema.PREDICTIONS``.
        path: the file.
        network: has the geometry.

    Raises:
        SettingsError: as with :func:`refuse_file`.
    """
    refuse_file(path, network)
    with whole_file(path) as temporary:
        if path.suffix == ".parquet":
            write_parquet(table, temporary)
        elif path.suffix == ".csv":
            # Whole numbers stay whole beside an empty cell.
            table.to_pandas(integer_object_nulls=True).to_csv(temporary, index=False)
        elif path.suffix == ".geoparquet":
            write_parquet(_with_geometry(table, network), temporary)
        else:
            _write_geojson(table, network, temporary)


def _with_geometry(table: pa.Table, network: Network) -> pa.Table:
    """Return ``table`` with the geometry of each row's segment, as geopandas writes it."""
    # geopandas writes what says so in the metadata: encoding, kinds, extent, coordinate system.
    buffer = io.BytesIO()
    network.segments[["geometry"]].to_parquet(buffer, index=False)
    lines = pq.read_table(buffer)
    places = pc.index_in(table["segment_id"], value_set=pa.array(network.segment_ids))
    geometry = lines["geometry"].combine_chunks().take(places.combine_chunks())
    metadata = {**(table.schema.metadata or {}), b"geo": lines.schema.metadata[b"geo"]}
    field = pa.field("geometry", geometry.type)
    return table.append_column(field, geometry).replace_schema_metadata(metadata)


def _write_geojson(table: pa.Table, network: Network, path: Path) -> None:
    frame = table.to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)
    for name in TIMES:
        frame[name] = frame[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = network.segments.set_index("segment_id").geometry
    geometry = shapely.force_2d(lines.reindex(frame["segment_id"]).to_numpy())
    collection = gpd.GeoDataFrame(frame, geometry=geometry, crs=network.segments.crs)
    collection.to_file(path, driver="GeoJSON", engine="pyogrio", RFC7946="YES", WRITE_NAME="NO")
