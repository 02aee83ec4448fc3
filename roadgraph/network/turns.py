"""Links where the source itself says which turns are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roadgraph.network.links import links_at_nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    import geopandas as gpd
    import pandas as pd

ANY_TURN_DEG = 180.0


def permitted_links(
    segments: gpd.GeoDataFrame, max_turn_deg: float, permits: Callable[[str, str], bool]
) -> pd.DataFrame:
    """Link each segment to those at its end that it may turn into, U-turns left out.

    Args:
        segments: columns of ``schema.SEGMENTS`` with geometry in WGS84.
        max_turn_deg: a sharper turn makes no link, unless it is the only permitted way out.
        permits: whether the source lets traffic go from one segment into another.

    Returns:
        The columns of ``schema.LINKS``; every weight is 1.
    """
    links = links_at_nodes(segments, ANY_TURN_DEG)
    pairs = zip(links["from_segment"], links["to_segment"], strict=True)
    links = links[np.array([permits(start, end) for start, end in pairs], dtype=bool)]
    # The rule of links_at_nodes, over the permitted turns: it would count forbidden ones as ways
    # out, and take the U-turn away from a segment that has nothing else.
    ways_out = links.groupby("from_segment")["to_segment"].transform("size")
    return links[(links["turn_angle_deg"].abs() <= max_turn_deg) | (ways_out == 1)]
