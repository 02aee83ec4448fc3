"""How much of a line other lines run along, in the same direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

LEAST_COSINE = float(np.cos(np.radians(45)))
"""Straight pieces that differ more in direction do not run along each other."""
SAME_OFFSET_M = 0.001
"""Distances that differ by less are the same: the order of the lines decides, not the rounding."""


@dataclass(frozen=True)
class Pieces:
    """The straight pieces of ``N`` lines, ``P`` in all.

    Attributes:
        line: ``[P]``, place of the line.
        start: ``[P, 2]``, metres.
        direction: ``[P, 2]``, of length 1.
        length_m: ``[P]``.
        lines: ``N``.
    """

    line: np.ndarray
    start: np.ndarray
    direction: np.ndarray
    length_m: np.ndarray
    lines: int

    @classmethod
    def of(cls, lines: np.ndarray) -> Pieces:
        """Take lines, in metres of some plane, to pieces."""
        points, line = shapely.get_coordinates(lines, return_index=True)
        same = line[1:] == line[:-1]
        steps = points[1:] - points[:-1]
        length_m = np.hypot(steps[:, 0], steps[:, 1])
        kept = same & (length_m > 0)
        direction = steps[kept] / length_m[kept, None]
        return cls(line[:-1][kept], points[:-1][kept], direction, length_m[kept], len(lines))

    def geometry(self) -> np.ndarray:
        """Return the pieces as lines."""
        ends = self.start + self.direction * self.length_m[:, None]
        return shapely.linestrings(np.stack([self.start, ends], axis=1))

    def line_lengths_m(self) -> np.ndarray:
        """Return the length of every line, ``[N]``."""
        return np.bincount(self.line, self.length_m, minlength=self.lines)


def stretches_along(lines: Pieces, others: Pieces, tolerance_m: float) -> pd.DataFrame:
    """Return where pieces of ``lines`` have a piece of ``others`` beside them.

    Args:
        lines: the pieces to find company for.
        others: the pieces that may run along them.
        tolerance_m: how far apart they may be.

    Returns:
        ``piece`` and ``line`` of ``lines``, ``other`` (a line of ``others``), ``begin`` and
        ``end`` in metres along the piece, ``offset`` (m) at half of that.
    """
    tree = shapely.STRtree(others.geometry())
    piece, other = tree.query(lines.geometry(), predicate="dwithin", distance=tolerance_m)
    along, across = lines.direction[piece], lines.direction[piece][:, ::-1] * (-1, 1)
    cosine = (along * others.direction[other]).sum(axis=1)
    near = cosine >= LEAST_COSINE
    piece, other, along, across, cosine = (
        values[near] for values in (piece, other, along, across, cosine)
    )
    gap = others.start[other] - lines.start[piece]
    first = (gap * along).sum(axis=1)
    last = first + others.length_m[other] * cosine
    offset = (gap * across).sum(axis=1)
    slope = (others.direction[other] * across).sum(axis=1) / cosine
    begin, end = np.maximum(first, 0), np.minimum(last, lines.length_m[piece])
    # The offset is offset + slope * (s - first): keep the s where it is within the tolerance.
    with np.errstate(divide="ignore", invalid="ignore"):
        limits = np.sort(
            [(bound - offset) / slope + first for bound in (-tolerance_m, tolerance_m)], axis=0
        )
    straight = np.abs(slope) < 1e-12
    begin = np.where(straight, begin, np.maximum(begin, limits[0]))
    end = np.where(straight, end, np.minimum(end, limits[1]))
    found = pd.DataFrame(
        {
            "piece": piece,
            "line": lines.line[piece],
            "other": others.line[other],
            "begin": begin,
            "end": end,
            "first": first,
            "offset": offset,
            "slope": slope,
        }
    )
    within = (end > begin) & (~straight | (np.abs(offset) <= tolerance_m))
    return found[within]


def shared_lengths_m(stretches: pd.DataFrame) -> pd.Series:
    """Return how much of a line each other line runs along; where several do, the nearest one.

    Args:
        stretches: of :func:`stretches_along`, or a part of its rows.

    Returns:
        Metres, indexed by ``line`` and ``other``.
    """
    bounds = pd.concat(
        [stretches[["piece", side]].set_axis(["piece", "at"], axis=1) for side in ("begin", "end")]
    ).drop_duplicates()
    bounds = bounds.sort_values(["piece", "at"], ignore_index=True)
    bounds = bounds.assign(until=bounds.groupby("piece")["at"].shift(-1)).dropna()
    bounds = bounds.assign(part=np.arange(len(bounds)), middle=(bounds["at"] + bounds["until"]) / 2)
    pairs = bounds.merge(stretches, on="piece")
    pairs = pairs[(pairs["begin"] <= pairs["middle"]) & (pairs["middle"] <= pairs["end"])]
    apart = (pairs["offset"] + pairs["slope"] * (pairs["middle"] - pairs["first"])).abs()
    pairs = pairs.assign(apart=(apart / SAME_OFFSET_M).round(), length=pairs["until"] - pairs["at"])
    nearest = pairs.sort_values(["part", "apart", "other"]).drop_duplicates("part")
    return nearest.groupby(["line", "other"])["length"].sum()
