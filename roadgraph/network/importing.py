"""The import of a city's network, whatever its kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from roadgraph.network.adjacency import read_adjacency
from roadgraph.network.gis import read_road_layer

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings


def import_network(settings: Settings) -> Network:
    """Read the network that ``city.roads`` names.

    Raises:
        DataError: the file cannot be used as it is.
    """
    roads = Path(settings.city.roads)
    if settings.city.source == "detectors":
        return read_adjacency(roads, Path(settings.city.speeds))
    return read_road_layer(roads, settings.network)
