"""What became of every segment of a network when its map changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_array, csgraph

from roadgraph.network.line_overlap import Pieces, shared_lengths_m, stretches_along
from roadgraph.schema import CARRY_OVER, CHANGES

if TYPE_CHECKING:
    import geopandas as gpd

    from roadgraph.network.network import Network

SAME_SHARE = 0.95
"""Lines that share less of either's length have changed."""
LEAST_SHARE = 0.2
"""Two segments that share less of both lengths only touch: a junction was moved a little."""
LEAST_AGREEMENT = 0.5
"""What two segments share must have about the same length on both."""
SHARE_DECIMALS = 9
PAIR = ["old", "new"]


def diff_networks(old: Network, new: Network, tolerance_m: float) -> pa.Table:
    """Compare two networks, by the source's keys first and by their lines second.

    Segments of the same key whose lines share at least 95 % are the same. All others are compared
    by their lines: two segments belong together where one runs along the other, in its driving
    direction and within the tolerance, over at least a fifth of either; where several run side by
    side, the nearest to each other count. What then belongs together, directly or over others, has
    one change:

    * ``same``: one to one, and the lines share at least 95 % (the key may be another);
    * ``changed``: one to one, but the lines differ; also the same key where the line was moved
      farther than the tolerance, unless it was turned round;
    * ``split``, ``merged``: one to several, several to one;
    * ``rearranged``: several to several, such as two whose junction was moved;
    * ``new``, ``gone``: no counterpart.

    Networks without geometry are compared by their keys alone.

    Args:
        old: the network before.
        new: the network after.
        tolerance_m: how far apart two drawings of the same road may lie.

    Returns:
        The columns of ``schema.CARRY_OVER``: a row a pair, one for every segment without.
    """
    ids = {"old": np.array(old.segment_ids), "new": np.array(new.segment_ids)}
    if old.has_geometry and new.has_geometry:
        pairs = _pairs_by_line(old, new, ids, tolerance_m)
    else:
        pairs = _pairs_of_keys(ids).assign(share_of_old=1.0, share_of_new=1.0, change="same")
    rows = pd.DataFrame(
        {
            "old_segment": ids["old"][pairs["old"]],
            "new_segment": ids["new"][pairs["new"]],
            **{name: pairs[name] for name in ("change", "share_of_old", "share_of_new")},
        }
    )
    alone = [
        pd.DataFrame(
            {
                f"{side}_segment": np.delete(ids[side], pairs[side].unique()),
                "change": change,
                "share_of_old": 0.0,
                "share_of_new": 0.0,
            }
        )
        for side, change in (("old", "gone"), ("new", "new"))
    ]
    table = pd.concat([rows, *alone], ignore_index=True)[CARRY_OVER.columns]
    return CARRY_OVER.conform(pa.Table.from_pandas(table, preserve_index=False))


def count_changes(table: pa.Table) -> pd.DataFrame:
    """Return how many ``old`` and ``new`` segments each change concerns, in order of ``CHANGES``.

    Args:
        table: the columns of ``schema.CARRY_OVER``.
    """
    frame = table.to_pandas()
    counts = frame.groupby("change")[["old_segment", "new_segment"]].nunique()
    return counts.set_axis(PAIR, axis=1).reindex(CHANGES, fill_value=0)


def _pairs_of_keys(ids: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the places ``old`` and ``new`` of the keys that both networks have."""
    places = [pd.DataFrame({"key": ids[side], side: np.arange(len(ids[side]))}) for side in PAIR]
    return places[0].merge(places[1], on="key")[PAIR]


def _pairs_by_line(
    old: Network, new: Network, ids: dict[str, np.ndarray], tolerance_m: float
) -> pd.DataFrame:
    before, after = (Pieces.of(lines) for lines in _in_metres(old.segments, new.segments))
    along_old = stretches_along(before, after, tolerance_m)
    along_new = stretches_along(after, before, tolerance_m)

    def shares(keep_old: np.ndarray, keep_new: np.ndarray) -> pd.DataFrame:
        return _shares((before, after), along_old[keep_old], along_new[keep_new])

    by_key = _pairs_of_keys(ids)
    partner = pd.Series(-1, index=range(len(ids["old"])))
    partner[by_key["old"].to_numpy()] = by_key["new"].to_numpy()
    found = shares(
        (partner[along_old["line"]].to_numpy() == along_old["other"]).to_numpy(),
        (partner[along_new["other"]].to_numpy() == along_new["line"]).to_numpy(),
    )
    same = found[(found[["share_of_old", "share_of_new"]] >= SAME_SHARE).all(axis=1)]
    rest = shares(
        (~(along_old["line"].isin(same["old"]) | along_old["other"].isin(same["new"]))).to_numpy(),
        (~(along_new["other"].isin(same["old"]) | along_new["line"].isin(same["new"]))).to_numpy(),
    )
    rest = rest[(rest[["share_of_old", "share_of_new"]] >= LEAST_SHARE).any(axis=1)]
    moved = by_key[
        ~by_key["old"].isin([*same["old"], *rest["old"]])
        & ~by_key["new"].isin([*same["new"], *rest["new"]])
    ]
    moved = _without_turned_round(moved, old, new, tolerance_m)
    rest = pd.concat([rest, moved.assign(share_of_old=0.0, share_of_new=0.0)], ignore_index=True)
    return pd.concat([same.assign(change="same"), _named(rest, ids)], ignore_index=True)


def _in_metres(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return both networks' lines in a plane that touches the Earth in their middle."""
    bounds = np.stack([old.total_bounds, new.total_bounds])
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    plane = f"+proj=aeqd +lat_0={(south + north) / 2} +lon_0={(west + east) / 2} +datum=WGS84"
    first, second = (table.geometry.to_crs(plane).to_numpy() for table in (old, new))
    return first, second


def _shares(
    pieces: tuple[Pieces, Pieces], along_old: pd.DataFrame, along_new: pd.DataFrame
) -> pd.DataFrame:
    """Return ``share_of_old`` and ``share_of_new`` of every pair ``old``, ``new``.

    Pairs of which one is the nearest line to the other, but not the other way about, are none: a
    drive beside a road is no part of it.
    """
    metres = pd.DataFrame(
        {
            "old_m": shared_lengths_m(along_old).rename_axis(PAIR),
            "new_m": shared_lengths_m(along_new).rename_axis(PAIR[::-1]).swaplevel(),
        }
    ).fillna(0.0)
    mutual = metres.min(axis=1) >= LEAST_AGREEMENT * metres.max(axis=1)
    pairs = metres[mutual].reset_index()
    shares = {
        f"share_of_{side}": (pairs[f"{side}_m"] / item.line_lengths_m()[pairs[side]])
        .round(SHARE_DECIMALS)
        .clip(upper=1.0)
        for side, item in zip(PAIR, pieces, strict=True)
    }
    return pairs[PAIR].assign(**shares)


def _without_turned_round(
    moved: pd.DataFrame, old: Network, new: Network, tolerance_m: float
) -> pd.DataFrame:
    """Leave out pairs of one key whose lines lie on each other, the wrong way round.

    Speeds of one direction say nothing of the other.
    """
    if moved.empty:
        return moved
    lines = _in_metres(old.segments.iloc[moved["old"]], new.segments.iloc[moved["new"]])
    before, after = Pieces.of(lines[0]), Pieces.of(np.array([line.reverse() for line in lines[1]]))
    along = stretches_along(before, after, tolerance_m)
    metres = shared_lengths_m(along[along["line"] == along["other"]]).droplevel("other")
    share = metres.reindex(range(len(moved)), fill_value=0.0) / before.line_lengths_m()
    return moved[(share < LEAST_SHARE).to_numpy()]


def _named(pairs: pd.DataFrame, ids: dict[str, np.ndarray]) -> pd.DataFrame:
    """Name the change of pairs by how many segments of either network belong together."""
    olds, news = len(ids["old"]), len(ids["new"])
    ends = (pairs["old"].to_numpy(), olds + pairs["new"].to_numpy())
    graph = coo_array((np.ones(len(pairs)), ends), shape=(olds + news, olds + news))
    _, label = csgraph.connected_components(graph, directed=False)
    group = pairs.groupby(label[ends[0]])
    several_old = group["old"].transform("nunique") > 1
    several_new = group["new"].transform("nunique") > 1
    alike = (pairs[["share_of_old", "share_of_new"]] >= SAME_SHARE).all(axis=1)
    change = np.select(
        [several_old & several_new, several_old, several_new, alike],
        ["rearranged", "merged", "split", "same"],
        "changed",
    )
    return pairs.assign(change=change)
