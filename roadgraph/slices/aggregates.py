"""Ready aggregates of finer slices, or of other sources, into the five measured features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from roadgraph.slices.aggregate import PER_KPH, quality, spread_kph, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.slices.aggregate import Frame

LEAST_KPH = 1.0  # who stands needs no more time for a road than at this speed: 6 min for 100 m
PER_TIME = 1_000_000_000_000  # times and ways are added up in billionths of a thousandth


def cells_of_aggregates(rows: Frame, keys: Sequence[str]) -> Frame:
    """Return the features of every cell from rows that each stand for some vehicles.

    With ``n`` vehicles, mean speed ``v``, median ``m`` and standard deviation ``s`` a row:

    * ``mean_speed = sum(n v / p) / sum(n / p)`` with ``p = max(v, 1 km/h)``: the harmonic mean,
      weighted by the vehicles. Each of them drove the same segment, so this is the whole distance
      over the whole time, the space-mean speed that ``slices_from_traversals`` has; an arithmetic
      mean would let the fast ones, who are soonest gone, count too much. Of a row that stands
      still, ``p`` bounds the time;
    * ``median_speed``: the median of the rows' medians (of ``v`` where there is none), each as
      often as it has vehicles: exact for one row, else near to it;
    * ``speed_std = sqrt(sum(n (s^2 + (v - mean(v))^2)) / sum(n))``, the spread within the rows and
      between them, with the arithmetic mean; ``s`` is 0 where it is not known;
    * ``count_probes = sum(n)``: who is in two rows counts twice;
    * ``quality_score`` as there, with the whole segment seen and no doubt.

    Args:
        rows: ``speed_kph``, ``count`` (whole), ``std_kph`` and ``median_kph`` (which may be
            missing) of each row, and ``keys``.
        keys: the columns that name a cell.

    Returns:
        ``keys``, ``rows`` (how many a cell has) and ``schema.MEASURED_FEATURES``.
    """
    count, speed = nw.col("count"), nw.col("speed_kph")
    std = nw.col("std_kph").fill_null(0.0)
    rows = rows.with_columns(
        count=count.cast(nw.Int64),
        median_kph=nw.coalesce(nw.col("median_kph"), speed),
        pace=nw.max_horizontal(speed, nw.lit(LEAST_KPH)),
        step=whole(speed * PER_KPH),
        spread=whole(std * PER_KPH),
    )
    rows = rows.with_columns(
        time=whole(count * PER_TIME / nw.col("pace")),
        way=whole(count * PER_TIME * (speed / nw.col("pace"))),
        steps=count * nw.col("step"),
        squares=count * (nw.col("step") * nw.col("step") + nw.col("spread") * nw.col("spread")),
        below=count.cum_sum().over(*keys, order_by="median_kph"),
        all=count.sum().over(*keys),
    )
    below, median = 2 * nw.col("below"), nw.col("median_kph")
    rows = rows.with_columns(
        lower=nw.when(below >= nw.col("all")).then(median),
        upper=nw.when(below > nw.col("all")).then(median),
    )
    sums = rows.group_by(*keys).agg(
        nw.len().alias("rows"),
        nw.col("count", "time", "way", "steps", "squares").sum(),
        nw.col("lower", "upper").min(),
        speed.min().alias("slowest"),
        speed.max().alias("fastest"),
    )
    harmonic = nw.col("way") / nw.col("time")
    is_even = nw.col("slowest") == nw.col("fastest")
    cells = sums.with_columns(
        # What one row says comes out as it went in, to the last digit.
        mean_speed=nw.when(is_even).then(nw.col("slowest")).otherwise(harmonic),
        median_speed=nw.col("lower") + (nw.col("upper") - nw.col("lower")) * 0.5,
        speed_std=spread_kph(nw.col("count"), nw.col("steps"), nw.col("squares")),
        count_probes=nw.col("count").cast(nw.Int32),
    )
    return cells.with_columns(quality_score=quality(nw.lit(1.0)))
