"""Networks of LibCity: a ``.geo`` file of places or roads, a ``.rel`` file of what links them.

Source of the format: https://bigscity-libcity-docs.readthedocs.io, "Atomic Files"; what the weights
mean, that stands in ``config.json``: ``libcity/data/dataset/traffic_state_datatset.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import shapely

from roadgraph.errors import DataError
from roadgraph.network.atomic_files import LINE, numbers, read_atomic
from roadgraph.network.detectors import detector_network
from roadgraph.network.distances import DISTANCE_NAMES, gaussian_weights
from roadgraph.network.gis import directed_segments
from roadgraph.network.links import end_bearings_deg, links_at_nodes
from roadgraph.network.network import WGS84, Network, checked_network
from roadgraph.schema import LINKS

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import NetworkSettings

GEO_COLUMNS = ("geo_id", "type", "coordinates")
REL_COLUMNS = ("rel_id", "type", "origin_id", "destination_id")
ENDS = list(LINKS.key)
OUR_NAMES = {"road_class": "highway", "length_m": "length"}
"""Ours to the names that LibCity's road networks took over from OSMnx."""


@dataclass(frozen=True)
class LibCityFiles:
    """The files of one data set; ``rel`` and ``config`` may be missing."""

    geo: Path
    rel: Path | None
    config: Path | None

    def present(self) -> list[Path]:
        """Return the files that are there."""
        return [path for path in (self.geo, self.rel, self.config) if path is not None]


def libcity_files(path: Path) -> LibCityFiles:
    """Return the files of the data set that a folder, a ``.geo`` or a ``.rel`` file belongs to.

    Raises:
        DataError: there is no ``.geo`` file, or several.
    """
    if path.is_dir():
        found = sorted(path.glob("*.geo"))
        if len(found) != 1:
            names = ", ".join(item.name for item in found) or "none"
            raise DataError(f"{path}: needs one .geo file (found {names}); set city.roads to it")
        path = found[0]
    geo, rel = path.with_suffix(".geo"), path.with_suffix(".rel")
    if not geo.is_file():
        raise DataError(f"{geo} is missing; a network of LibCity needs its .geo file")
    config = path.with_name("config.json")
    return LibCityFiles(geo, rel if rel.is_file() else None, config if config.is_file() else None)


def read_libcity(path: Path, settings: NetworkSettings) -> Network:
    """Read a network of LibCity: segments with lines, or detectors without.

    A ``geo`` that is a ``LineString`` is a road in driving direction, read like one of a GIS layer
    (``network.columns`` maps its columns; ``highway`` and ``length`` are known); points and empty
    coordinates are detectors, which have no line. A ``rel`` links two of them. Its weight is the
    column that ``weight_col`` in ``config.json`` names, else the only one there is, else 1. With
    ``calculate_weight_adj`` there (or, without a ``config.json``, where the column is called cost
    or distance) it is a distance and goes through the Gaussian kernel of
    :mod:`roadgraph.network.distances`; ``set_weight_link_or_dist`` of ``link`` makes every weight
    1. Roads without a ``.rel`` file link where one ends at the node at which another begins.

    Args:
        path: folder of the data set, or its ``.geo`` or ``.rel`` file.
        settings: as for a GIS layer; ``min_link_weight`` where ``config.json`` has no
            ``weight_adj_epsilon``.

    Raises:
        DataError: a file is missing, empty or no such table, a row cannot be used, or a ``rel``
            names a ``geo`` that there is not.
    """
    files = libcity_files(path)
    geo = read_atomic(files.geo, GEO_COLUMNS)
    ids = _ids(geo, files.geo)
    links = None if files.rel is None else _relations(files.rel, files, ids, settings)
    if "LineString" in set(geo["type"]):
        return _road_network(geo, links, files.geo, settings)
    if links is None:
        raise DataError(f"{files.geo.with_suffix('.rel')} is missing; detectors need their links")
    place = {name: index for index, name in enumerate(ids)}
    sources, targets = (links[end].map(place).to_numpy() for end in ENDS)
    return detector_network(ids, sources, targets, links["weight"].to_numpy(), str(files.geo))


def _ids(geo: pl.DataFrame, path: Path) -> list[str]:
    ids = geo["geo_id"]
    if ids.is_null().any():
        raise DataError(f"{path}: row {geo[LINE].filter(ids.is_null())[0]} has no geo_id")
    if ids.is_duplicated().any():
        twice = ids.filter(ids.is_duplicated())[0]
        raise DataError(f"{path}: geo_id '{twice}' stands in it twice; make the ids unique")
    return ids.to_list()


def _road_network(
    geo: pl.DataFrame, links: pd.DataFrame | None, path: Path, settings: NetworkSettings
) -> Network:
    lines = [_line(row, path) for row in geo.select(GEO_COLUMNS).iter_rows()]
    # A geo is one direction already, whatever a column oneway says of its road.
    table = geo.drop(LINE, "type", "coordinates", "oneway", strict=False).to_pandas()
    table = table.rename(columns={"geo_id": "segment_id"})
    for ours, theirs in OUR_NAMES.items():
        known = ours in table.columns or ours in settings.columns
        if theirs in table.columns and not known and theirs not in settings.columns.values():
            table = table.rename(columns={theirs: ours})
    layer = gpd.GeoDataFrame(table, geometry=lines, crs=WGS84)
    segments = directed_segments(layer, settings, str(path))
    if links is None:
        links = links_at_nodes(segments, settings.max_turn_deg)
    else:
        links = links.assign(turn_angle_deg=_turns_deg(segments, links))
    return checked_network(segments, links, str(path))


def _line(row: tuple[str, str | None, str | None], path: Path) -> shapely.LineString:
    key, kind, coordinates = row
    try:
        if kind != "LineString":
            raise ValueError(f"it is a {kind}, while others are a LineString")
        points = np.asarray(json.loads(coordinates or "[]"), dtype=np.float64)
        if points.ndim != 2 or len(points) < 2 or not np.isfinite(points).all():
            raise ValueError(f"coordinates '{coordinates}'")
        return shapely.LineString(points[:, :2])
    except (ValueError, TypeError, IndexError, shapely.errors.ShapelyError) as error:
        raise DataError(
            f"{path}: geo_id '{key}' is no line ({error}); write [[lon, lat], [lon, lat]] or "
            "remove the row"
        ) from error


def _turns_deg(segments: gpd.GeoDataFrame, links: pd.DataFrame) -> np.ndarray:
    first, last = end_bearings_deg(segments)
    place = {name: index for index, name in enumerate(segments["segment_id"])}
    out, into = (links[end].map(place).to_numpy() for end in ENDS)
    return (first[into] - last[out] + 180) % 360 - 180


def _relations(
    path: Path, files: LibCityFiles, ids: list[str], settings: NetworkSettings
) -> pd.DataFrame:
    """Return the columns of ``schema.LINKS`` of the relations between two geos."""
    table = read_atomic(path, REL_COLUMNS).filter(pl.col("type").eq("geo"))
    if table.is_empty():
        raise DataError(f"{path}: no relation of type geo in it; is this the right file?")
    known = pl.col("origin_id").is_in(ids) & pl.col("destination_id").is_in(ids)
    strangers = table.filter(~known.fill_null(False))
    if len(strangers):
        line, start, end = strangers.select(LINE, "origin_id", "destination_id").row(0)
        raise DataError(
            f"{path}: row {line} links '{start}' to '{end}', which are not both in "
            f"{files.geo.name} ({len(strangers)} such rows)"
        )
    weights = _weights(table, path, files.config, settings)
    links = pd.DataFrame(
        {
            "from_segment": table["origin_id"].to_list(),
            "to_segment": table["destination_id"].to_list(),
            "turn_angle_deg": np.nan,
            "weight": weights,
        }
    ).drop_duplicates()
    twice = links.duplicated(ENDS)
    if twice.any():
        start, end = links[twice].iloc[0][ENDS]
        raise DataError(
            f"{path}: '{start}' is linked to '{end}' with two weights; keep one of the rows"
        )
    own = links["from_segment"] == links["to_segment"]
    return links[~own & (links["weight"] > 0)]


def _weights(
    table: pl.DataFrame, path: Path, config: Path | None, settings: NetworkSettings
) -> np.ndarray:
    info = _config_info(config)
    column = _weight_column(table, path, config, info.get("weight_col") or "")
    if not column or info.get("set_weight_link_or_dist") == "link":
        return np.ones(len(table))
    values = numbers(table, column, path).to_numpy()
    wrong = np.isnan(values) | (values < 0)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{path}: row {table[LINE][row]} has no {column} of 0 or more ({int(wrong.sum())} such "
            "rows); mend or remove it"
        )
    if not info.get("calculate_weight_adj", not info and column in DISTANCE_NAMES):
        return values
    sigma = float(values.std())
    if sigma == 0:
        raise DataError(
            f"{path}: all distances in {column} are the same, so they tell no weights; set "
            '"calculate_weight_adj": false in config.json'
        )
    return gaussian_weights(values, sigma, info.get("weight_adj_epsilon", settings.min_link_weight))


def _weight_column(table: pl.DataFrame, path: Path, config: Path | None, told: object) -> str:
    """Return the column of the weights, or nothing where there is none."""
    others = [name for name in table.columns if name not in (*REL_COLUMNS, LINE)]
    column = str(told[0] if isinstance(told, list) else told)
    if column and column not in others:
        raise DataError(
            f"{path}: column '{column}', which weight_col of {config} names, is missing "
            f"(found {', '.join(others) or 'none'})"
        )
    if not column and len(others) > 1:
        raise DataError(
            f"{path}: which of {', '.join(others)} is the weight? Name it in a config.json beside: "
            '{"info": {"weight_col": "..."}}'
        )
    return column or next(iter(others), "")


def _config_info(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        info = json.loads(path.read_text("utf-8-sig")).get("info", {})
        if not isinstance(info, dict):
            raise TypeError("info is no group")
        if "weight_adj_epsilon" in info:
            info["weight_adj_epsilon"] = float(info["weight_adj_epsilon"])
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is no configuration of LibCity ({error}); mend or remove it"
        ) from error
    return info
