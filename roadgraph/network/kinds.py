"""What kind of network a file or folder holds: told by its name, else by its beginning."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Literal, get_args

from roadgraph.errors import DataError
from roadgraph.network.xml_stream import BZIP2_MAGIC, GZIP_MAGIC, root_element

if TYPE_CHECKING:
    from pathlib import Path

NetworkKind = Literal["osm", "graphml", "sumo", "gis", "adjacency", "distances", "libcity"]
KINDS: tuple[NetworkKind, ...] = get_args(NetworkKind)
KNOWN = (
    "OpenStreetMap XML (.osm, .osm.gz, .osm.bz2), GraphML of OSMnx (.graphml), SUMO nets "
    "(.net.xml), GIS line layers (.gpkg, .geojson, .shp, .zip, .parquet), an adjacency matrix "
    "(.csv, .npz, .npy), a list of distances (.csv with from,to,cost), LibCity (a folder, .geo, "
    ".rel)"
)

PACKED = (".gz", ".bz2")
BY_SUFFIX: dict[str, NetworkKind] = {
    **dict.fromkeys((".osm", ".pbf"), "osm"),
    **dict.fromkeys((".graphml",), "graphml"),
    **dict.fromkeys((".npz", ".npy"), "adjacency"),
    **dict.fromkeys((".geo", ".rel", ".dyna"), "libcity"),
    **dict.fromkeys(
        (
            ".geojson", ".json", ".geojsonl", ".gpkg", ".shp", ".zip", ".parquet", ".geoparquet",
            ".fgb", ".gml", ".kml", ".gdb", ".tab", ".mif", ".sqlite",
        ),
        "gis",
    ),
}  # fmt: skip
BY_ROOT: dict[str, NetworkKind] = {"osm": "osm", "net": "sumo", "graphml": "graphml"}
BY_MAGIC: tuple[tuple[bytes, NetworkKind], ...] = (
    (b"\x93NUMPY", "adjacency"),
    (b"SQLite format 3", "gis"),
    (b"PAR1", "gis"),
    (b"{", "gis"),
)
TEXT = (".csv", ".txt", ".tsv", "")
GEOMETRY_COLUMNS = {"wkt", "geometry", "geom", "the_geom"}
PEEK_BYTES = 1 << 16


def network_kind(path: Path) -> NetworkKind:
    """Return the kind of the network in a file or folder.

    Raises:
        DataError: it is missing, empty or of no kind that is known; names those that are.
    """
    if not path.exists():
        raise DataError(f"road layer {path} is missing; set city.roads")
    suffix = _suffix(path)
    if path.is_dir():
        if suffix == ".gdb":
            return "gis"
        if any(path.glob("*.geo")):
            return "libcity"
        raise _unknown(path, "a folder without a .geo file")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    if suffix in (".pkl", ".pickle"):
        raise DataError(
            f"{path} is a pickle, which runs code when it is opened; save the matrix in it with "
            "numpy.save or scipy.sparse.save_npz and set city.roads to that"
        )
    if suffix in BY_SUFFIX:
        return BY_SUFFIX[suffix]
    with path.open("rb") as file:
        head = file.read(PEEK_BYTES)
    for magic, kind in BY_MAGIC:
        if head.lstrip().startswith(magic):
            return kind
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<") or head.startswith((GZIP_MAGIC, BZIP2_MAGIC)):
        root = root_element(path)
        if root not in BY_ROOT:
            raise _unknown(path, f"it begins with <{root}>")
        return BY_ROOT[root]
    if suffix in TEXT:
        return _kind_of_text(head, path)
    raise _unknown(path, f"suffix '{suffix}'")


def _suffix(path: Path) -> str:
    """Return the last suffix, lower case; of packed files the one before, and none of XML."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _kind_of_text(head: bytes, path: Path) -> NetworkKind:
    """Tell a matrix, a list of distances and lines in WKT apart by their first line."""
    try:
        # The last bytes may be half of a character.
        line = head.decode("utf-8-sig", errors="strict" if len(head) < PEEK_BYTES else "ignore")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8; save it so") from error
    rows = [row for row in line.splitlines() if row.strip()]
    if not rows:
        raise DataError(f"{path} is empty")
    cells = [cell.strip().lower() for cell in next(csv.reader(rows))]
    if {"from", "to"} <= set(cells):
        return "distances"
    if GEOMETRY_COLUMNS & set(cells):
        return "gis"
    if _is_number(cells[0]):
        return "adjacency"
    raise _unknown(path, f"its first line is '{rows[0][:60]}'")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _unknown(path: Path, found: str) -> DataError:
    return DataError(f"{path} is no network that roadgraph knows ({found}); it reads {KNOWN}")
