"""Predictions as files: tables, and maps of lines that a GIS opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.errors import SettingsError
from roadgraph.predict.map_files import MAPS, write_map
from roadgraph.predict.store import write_parquet
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import pyarrow as pa

    from roadgraph.network.network import Network
    from roadgraph.settings.roads_and_probes import Side

TABLES = (".parquet", ".csv")
FORMATS = (*TABLES, *MAPS)


def refuse_file(path: Path, network: Network) -> None:
    """Refuse a file that predictions cannot be written to, before any work is done.

    Raises:
        SettingsError: it is a folder, or its format is not known or needs a geometry that the
            network lacks.
    """
    kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    if path.is_dir():
        raise SettingsError(f"--out {path}: is a folder; name a {kinds} file, which may lie in it")
    if path.suffix not in FORMATS:
        raise SettingsError(f"--out {path}: write a {kinds} file")
    if path.suffix in MAPS and not network.has_geometry:
        raise SettingsError(
            f"--out {path}: the network has no geometry to draw; write a .parquet or a .csv file"
        )


def write_predictions(
    table: pa.Table, path: Path, network: Network, zone: ZoneInfo, drives_on: Side
) -> tuple[Path, ...]:
    """Write predictions, whole or not at all; the suffix names the format.

    What a map holds beside the table is told in :func:`roadgraph.predict.map_files.write_map`.

    Args:
        table: the columns of ``schema.PREDICTIONS``.
        path: the file.
        network: has the geometry.
        zone: the city's time zone, for the local times of maps.
        drives_on: in the city, for the style of maps.

    Returns:
        What was written: the file, and with a map its style.

    Raises:
        SettingsError: as with :func:`refuse_file`.
    """
    refuse_file(path, network)
    if path.suffix in MAPS:
        return write_map(table, path, network, zone, drives_on)
    with whole_file(path) as temporary:
        if path.suffix == ".parquet":
            write_parquet(table, temporary)
        else:
            # Whole numbers stay whole beside an empty cell.
            table.to_pandas(integer_object_nulls=True).to_csv(temporary, index=False)
    return (path,)
