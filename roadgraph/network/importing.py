"""The import of a city's network, whatever its kind."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadgraph.errors import DataError
from roadgraph.network.adjacency import read_adjacency
from roadgraph.network.connectivity import Cut, keep_largest_part
from roadgraph.network.detectors import check_detectors
from roadgraph.network.distances import read_distances
from roadgraph.network.kinds import NetworkKind, network_kind
from roadgraph.network.libcity import libcity_files
from roadgraph.network.network import Network, write_tables
from roadgraph.network.summary import NetworkSummary, class_records, summarise
from roadgraph.staleness import OLDER, changes
from roadgraph.storage import whole_folder, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.settings import NetworkSettings, Settings
    from roadgraph.settings.roads_and_probes import Side

WITHOUT_GEOMETRY: tuple[NetworkKind, ...] = ("adjacency", "distances")
"""Kinds that never have lines; LibCity may have them."""


@dataclass(frozen=True)
class ImportedNetwork:
    """A network as it was imported.

    Attributes:
        network: what is kept of it.
        kind: of the source.
        cut: what was cut away because traffic cannot get there and back.
        summary: figures of ``network``.
    """

    network: Network
    kind: NetworkKind
    cut: Cut
    summary: NetworkSummary


def import_network(settings: Settings) -> ImportedNetwork:
    """Read the network that ``city.roads`` names and keep the part that is connected.

    Args:
        settings: ``city`` and ``network`` are used.

    Raises:
        DataError: the file cannot be used as it is, GPS fixes come with a network without
            geometry, or detectors are not in the network.
    """
    roads = Path(settings.city.roads)
    kind = network_kind(roads)
    of_probes = settings.city.source == "probes"
    if of_probes and kind in WITHOUT_GEOMETRY:
        raise _nothing_to_match(roads, kind)
    whole = _read(roads, kind, settings)
    if settings.city.source == "detectors":
        check_detectors(whole, settings.city)
    elif of_probes and not whole.has_geometry:
        raise _nothing_to_match(roads, kind)
    network, cut = whole, Cut.nothing()
    if settings.network.parts == "largest":
        network, cut = keep_largest_part(whole, str(roads))
    return ImportedNetwork(network, kind, cut, summarise(network))


def _nothing_to_match(roads: Path, kind: NetworkKind) -> DataError:
    return DataError(
        f"{roads} ({kind}) has no geometry that fixes could be matched to; set "
        "city.source=detectors, or city.roads to a road map"
    )


def _read(roads: Path, kind: NetworkKind, settings: Settings) -> Network:
    if kind == "adjacency":
        return read_adjacency(roads, settings.city)
    if kind == "distances":
        return read_distances(roads, settings.city, settings.network)
    return _map_reader(kind)(roads, settings.network)


def _map_reader(kind: NetworkKind) -> Callable[[Path, NetworkSettings], Network]:
    # Each is imported where it is used: some take a second.
    match kind:
        case "osm":
            from roadgraph.network.osm import read_osm as read
        case "graphml":
            from roadgraph.network.graphml import read_graphml as read
        case "sumo":
            from roadgraph.network.sumo import read_sumo as read
        case "libcity":
            from roadgraph.network.libcity import read_libcity as read
        case _:
            from roadgraph.network.gis import read_road_layer as read
    return read


def write_import(
    imported: ImportedNetwork,
    settings: Settings,
    folder: Path,
    draw: Callable[[Network, Side, Path], None] | None = None,
) -> None:
    """Write an imported network as all of ``folder``.

    That is ``segments.parquet``, ``links.parquet``, the account ``network.json``, where something
    was cut away ``cut.csv``, and where it can be drawn ``network.png`` and what else ``draw`` puts
    beside it.

    Args:
        imported: what to write.
        settings: of the import.
        folder: where to.
        draw: draws a network that has a geometry, in a city that drives on a side, to a file; by
            default there is no picture.
    """
    with whole_folder(folder) as temporary:
        write_tables(imported.network, temporary)
        write_json(temporary / "network.json", _account(imported, settings))
        if len(imported.cut):
            imported.cut.segments.to_csv(temporary / "cut.csv", index=False)
        if draw is not None and imported.network.has_geometry:
            draw(imported.network, settings.city.drives_on, temporary / "network.png")


def stale_network(settings: Settings, folder: Path) -> tuple[str, ...]:
    """Return why the network in ``folder`` is not what an import would make now; () if it is.

    Raises:
        DataError: ``city.roads`` is missing or of no kind that is known.
    """
    roads = Path(settings.city.roads)
    now = _dependencies(_origin(settings, network_kind(roads)))
    path = folder / "network.json"
    if not path.is_file():
        return changes(None, now)
    try:
        return changes(_dependencies(json.loads(path.read_text("utf-8"))), now)
    except (ValueError, KeyError, TypeError):
        return (OLDER,)


def _dependencies(account: dict[str, Any]) -> dict[str, str]:
    """Return what an account says that a network depends on, by name."""
    chosen = account["settings"]
    return {
        **{f"roads {source['file']}": source["sha256"] for source in account["source"]},
        "city.source": chosen["source"],
        **{f"network.{name}": json.dumps(value) for name, value in chosen["network"].items()},
        **account["versions"],
    }


def _account(imported: ImportedNetwork, settings: Settings) -> dict[str, Any]:
    cut = imported.cut
    return {
        "kind": imported.kind,
        **_origin(settings, imported.kind),
        "fingerprint": imported.network.fingerprint(),
        "summary": imported.summary.to_json(),
        "cut": {
            "segments": len(cut),
            "kilometres": round(cut.kilometres, 3),
            "parts": len(cut.by_part()),
            "by road class": class_records(cut.by_class()),
        },
    }


def _origin(settings: Settings, kind: NetworkKind) -> dict[str, Any]:
    """Return what an import of a kind of network rests on."""
    return {
        # Where the files lie is no property of the network, and belongs to one machine alone.
        "source": [
            {"file": path.name, "sha256": _sha256(path)}
            for path in _source_files(Path(settings.city.roads), kind, settings)
        ],
        "settings": {"source": settings.city.source, "network": asdict(settings.network)},
        "versions": {"roadgraph": version("roadgraph")},
    }


def _source_files(roads: Path, kind: NetworkKind, settings: Settings) -> list[Path]:
    """Return every file that the network was read from."""
    if kind == "libcity":
        return libcity_files(roads).present()
    if roads.is_dir():
        return sorted(path for path in roads.rglob("*") if path.is_file())
    files = [roads]
    if roads.suffix.lower() == ".shp":  # its attributes and its projection lie beside it
        files = sorted(path for path in roads.parent.glob(f"{roads.stem}.*") if path.is_file())
    if kind in WITHOUT_GEOMETRY and settings.city.detector_ids:
        files.append(Path(settings.city.detector_ids))
    return files


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
