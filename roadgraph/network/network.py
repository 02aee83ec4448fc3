"""The road network: one table of directed segments, one of the links between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roadgraph.errors import DataError
from roadgraph.schema import LINKS, SEGMENTS
from roadgraph.storage import fingerprint, whole_folder

if TYPE_CHECKING:
    from pathlib import Path

WGS84 = "EPSG:4326"
SEGMENTS_FILE = "segments.parquet"
LIMIT_TOLD = "limit_told"
"""Column that a reader may add to its segments: whether the source tells their speed limit."""


@dataclass(frozen=True)
class Network:
    """A city's roads, in the order that every other table and tensor follows.

    Attributes:
        segments: the columns of ``schema.SEGMENTS``, sorted by ``segment_id``; the geometry may be
            empty (detectors).
        links: the columns of ``schema.LINKS``, sorted by key.
        limit_told: ``[N]`` bool, whether the source tells a segment's speed limit; None where the
            reader does not say, and after a way through files.
    """

    segments: gpd.GeoDataFrame
    links: pd.DataFrame
    limit_told: np.ndarray | None = None

    @property
    def segment_ids(self) -> list[str]:
        """The ids of the ``N`` segments in their order."""
        return self.segments["segment_id"].tolist()

    @property
    def has_geometry(self) -> bool:
        """Whether every segment has a line on the map."""
        return bool(self.segments.geometry.notna().all())

    def fingerprint(self) -> str:
        """Return a SHA-256 over segment ids and links: what a trained model depends on."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        links = self.links
        # A list's texts are gone through ten times as fast as a column's.
        sources, targets = links["from_segment"].tolist(), links["to_segment"].tolist()
        weights = links["weight"].round(9).astype(str).tolist()
        ways = zip(sources, targets, weights, strict=True)
        return fingerprint([*self.segment_ids, "links", *(f"{a}>{b}:{w}" for a, b, w in ways)])

    def link_indices(self) -> pd.DataFrame:
        """Return ``links`` as places in the segments' order: columns ``source``, ``target``."""
        ids = pa.array(self.segment_ids, pa.large_string())

        def places(column: str) -> np.ndarray:
            named = pa.array(self.links[column].tolist(), pa.large_string())
            return pc.index_in(named, value_set=ids).to_numpy().astype(np.int64)

        return pd.DataFrame(
            {
                "source": places("from_segment"),
                "target": places("to_segment"),
                "weight": self.links["weight"].astype("float64"),
            }
        )


def checked_network(segments: gpd.GeoDataFrame, links: pd.DataFrame, source: str) -> Network:
    """Return the network of two raw tables after gathering every fault in them.

    Args:
        segments: columns of ``schema.SEGMENTS``; may have ``limit_told`` too, and may lack
            ``name``. A blank name is none.
        links: columns of ``schema.LINKS``.
        source: the file they came from, for the message.

    Raises:
        DataError: no segment at all, missing or repeated ids, missing nodes, lengths or limits that
            cannot be, links to segments that do not exist.
    """
    if segments.empty:
        raise DataError(f"{source}: no road segment in it; is this the right file?")
    faults = []
    ids = segments["segment_id"]
    for column in ("segment_id", "from_node", "to_node"):
        missing = segments[column].isna().to_numpy()
        if missing.any():
            faults.append(f"row {int(missing.argmax())} has no {column}")
    repeated = ids[ids.duplicated()]
    if len(repeated):
        faults.append(
            f"two segments have the id '{repeated.iloc[0]}' ({len(repeated)} repeats in all); "
            "make the ids unique or map another column with network.columns.segment_id=..."
        )
    for column in ("length_m", "speed_limit_kph", "lanes"):
        bad = segments[segments[column].notna() & ~(segments[column] > 0)]
        if len(bad):
            faults.append(
                f"segment '{bad['segment_id'].iloc[0]}' has {column} {bad[column].iloc[0]} "
                f"({len(bad)} such rows); it must be above 0"
            )
    named = {*links["from_segment"].tolist(), *links["to_segment"].tolist()}
    unknown = named - set(ids.tolist())
    if unknown:
        faults.append(f"a link names segment '{min(unknown)}', which does not exist")
    if faults:
        raise DataError(f"{source}: " + "; ".join(faults))
    order = segments.sort_values("segment_id", ignore_index=True)
    tied = links.sort_values(list(LINKS.key), ignore_index=True)
    told = order[LIMIT_TOLD].to_numpy(dtype=bool) if LIMIT_TOLD in order.columns else None
    order = order.assign(name=_road_names(order))
    return Network(order[SEGMENTS.columns], tied[LINKS.columns], told)


def _road_names(segments: gpd.GeoDataFrame) -> pd.Series:
    """Return the name of each segment's road as text, or None."""
    names = [None] * len(segments) if "name" not in segments.columns else segments["name"]
    texts = ("" if pd.isna(name) else str(name).strip() for name in names)
    return pd.Series([text or None for text in texts], index=segments.index, dtype=object)


def write_network(network: Network, folder: Path) -> None:
    """Write ``segments.parquet`` (GeoParquet) and ``links.parquet`` as all of ``folder``."""
    with whole_folder(folder) as temporary:
        write_tables(network, temporary)


def write_tables(network: Network, folder: Path) -> None:
    """Write ``segments.parquet`` (GeoParquet) and ``links.parquet`` into a folder that exists."""
    # Also where no segment has one, the file's names are texts.
    segments = network.segments.astype({"name": pd.StringDtype(na_value=np.nan)})
    segments.to_parquet(folder / SEGMENTS_FILE, index=False)
    links = LINKS.conform(pa.Table.from_pandas(network.links, preserve_index=False))
    pq.write_table(links, folder / "links.parquet")


def network_folder(folder: Path) -> Path:
    """Return the folder of the tables in ``folder``: itself, or ``network`` in that of a city.

    Raises:
        DataError: it holds no imported network.
    """
    for place in (folder, folder / "network"):
        if (place / SEGMENTS_FILE).is_file():
            return place
    raise DataError(
        f"{folder} holds no imported network ({SEGMENTS_FILE}); name the folder that roadgraph "
        "network wrote, or the city's folder above it"
    )


def read_network(folder: Path) -> Network:
    """Read what :func:`write_network` wrote.

    Raises:
        DataError: the network was not imported yet, or its files are damaged.
    """
    paths = [folder / SEGMENTS_FILE, folder / "links.parquet"]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is missing; import the roads first: roadgraph network")
    try:
        segments = gpd.read_parquet(paths[0])
        links = pd.read_parquet(paths[1])
    except (ValueError, OSError) as error:  # Arrow's errors are ValueErrors
        raise DataError(
            f"{folder} is damaged ({error}); import again: roadgraph network"
        ) from error
    return checked_network(segments, links, str(folder))
