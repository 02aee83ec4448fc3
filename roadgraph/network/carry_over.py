"""Slices and embeddings of an old network for a new one, by the table that compares the two."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.errors import DataError, SettingsError
from roadgraph.schema import CARRY_OVER, SLICES, read_whole
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

TEXT_COLUMNS = ("old_segment", "new_segment", "change")


def check_carry_over_path(path: Path) -> None:
    """Refuse a file of another kind.

    Raises:
        SettingsError: it is neither Parquet nor CSV.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise SettingsError(f"--out {path}: write a .parquet or a .csv file")


def write_carry_over(table: pa.Table, path: Path) -> None:
    """Write the columns of ``schema.CARRY_OVER`` as Parquet or CSV, by the name's suffix.

    Raises:
        SettingsError: the suffix is another.
    """
    check_carry_over_path(path)
    with whole_file(path) as temporary:
        if path.suffix == ".csv":
            table.to_pandas().to_csv(temporary, index=False)
        else:
            pq.write_table(table, temporary, compression="zstd")


def read_carry_over(path: Path) -> pa.Table:
    """Read what :func:`write_carry_over` wrote.

    Raises:
        DataError: the file is missing, damaged, or no such table.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; write it with roadgraph network diff OLD NEW")
    if path.suffix != ".csv":
        return CARRY_OVER.conform(read_whole(path))
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values=[""]
        )
    except ValueError as error:  # pandas' own errors for broken tables are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be read as a carry-over table: {reason}") from error
    return CARRY_OVER.conform(pa.Table.from_pandas(frame, preserve_index=False))


def carry_slices(slices: pa.Table, table: pa.Table) -> pa.Table:
    """Return the slices of the new network's segments.

    With the weights ``w``, the share of the new segment that an old one covers, over all old ones
    that were observed in a slice (``sum(w) = 1``):

    * ``mean_speed = sum(w m)``. Old segments one behind the other would have the harmonic mean as
      their space-mean speed; the arithmetic one is never below it, and is the same where their
      speeds are;
    * ``median_speed = sum(w median)``, which only stands for the median: the speeds themselves are
      not in the table;
    * ``speed_std = sqrt(sum(w (s^2 + (m - mean_speed)^2)))``: the spread within the old segments
      and between them;
    * ``count_probes``: the largest count, because a vehicle that drove on all is counted on each;
    * ``quality_score = sum(w q)`` with the weights over all old segments, observed or not, so that
      a segment of which only a part was seen has less.

    Every part of a split segment has its values. Slices of segments that are gone are left out;
    :func:`count_dropped` says how many.

    Args:
        slices: the columns of ``schema.SLICES``, of the old network.
        table: the columns of ``schema.CARRY_OVER``.

    Raises:
        DataError: the slices name a segment that the table does not have as an old one.
    """
    _check_known(slices, table)
    weights = _weights(table)
    rows = pl.DataFrame(pl.from_arrow(slices)).join(
        weights.rename({"old_segment": "segment_id"}), on="segment_id"
    )
    cell = ("new_segment", "slice_start")
    # Weights first made to sum to 1 leave the values of a single old segment as they were.
    share = pl.col("weight") / pl.col("weight").sum().over(cell)
    mean = (share * pl.col("mean_speed")).sum().over(cell)
    apart = pl.col("mean_speed") - mean
    rows = rows.with_columns(
        share.alias("share"), (share * (pl.col("speed_std") ** 2 + apart**2)).alias("variance")
    )
    new = rows.group_by(cell).agg(
        (pl.col("share") * pl.col("mean_speed")).sum().alias("mean_speed"),
        (pl.col("share") * pl.col("median_speed")).sum().alias("median_speed"),
        pl.col("variance").sum().sqrt().alias("speed_std"),
        pl.col("count_probes").max(),
        (pl.col("weight") * pl.col("quality_score")).sum().alias("quality_score"),
    )
    dropped = count_dropped(slices, table)
    if dropped:
        logger.info("%d slices of segments that are gone were left out", dropped)
    return SLICES.conform(new.rename({"new_segment": "segment_id"}).to_arrow())


def count_dropped(slices: pa.Table, table: pa.Table) -> int:
    """Return how many slices belong to segments that are gone.

    Args:
        slices: the columns of ``schema.SLICES``, of the old network.
        table: the columns of ``schema.CARRY_OVER``.
    """
    gone = pl.DataFrame(pl.from_arrow(table)).filter(pl.col("new_segment").is_null())
    ids = pl.Series(pl.from_arrow(slices["segment_id"]))
    return int(ids.is_in(gone["old_segment"].to_list()).sum())


def carry_embedding(
    embedding: np.ndarray, table: pa.Table, old_ids: Sequence[str], new_ids: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return an embedding of the new network's segments, and which of them are known.

    A new segment has the mean of the old ones that it covers, by the share of its length that each
    does; the parts of a split segment have that segment's. A segment without any has zeros.

    Args:
        embedding: ``[N_old, F]``.
        table: the columns of ``schema.CARRY_OVER``.
        old_ids: the old network's segments in the order of ``embedding``.
        new_ids: the new network's segments in the order wanted.

    Returns:
        ``[N_new, F]`` of the same type, and ``[N_new]`` bool.

    Raises:
        DataError: the shapes do not fit, or the table names a segment that is in neither list.
    """
    if embedding.ndim != 2 or len(embedding) != len(old_ids):
        raise DataError(
            f"the embedding needs shape [{len(old_ids)}, F], a row an old segment "
            f"(found {list(embedding.shape)})"
        )
    weights = _weights(table)
    places = []
    for column, ids in (("old_segment", old_ids), ("new_segment", new_ids)):
        place = {name: index for index, name in enumerate(ids)}
        strangers = [name for name in weights[column] if name not in place]
        if strangers:
            raise DataError(
                f"the carry-over table names {column} '{strangers[0]}' ({len(strangers)} such "
                "rows), which the network does not have; compare the networks again: roadgraph "
                "network diff"
            )
        places.append(np.array([place[name] for name in weights[column]], dtype=np.int64))
    carried = np.zeros((len(new_ids), embedding.shape[1]), dtype=np.float64)
    np.add.at(carried, places[1], embedding[places[0]] * weights["weight"].to_numpy()[:, None])
    known = np.zeros(len(new_ids), dtype=bool)
    known[places[1]] = True
    return carried.astype(embedding.dtype), known


def _weights(table: pa.Table) -> pl.DataFrame:
    """Return ``old_segment``, ``new_segment`` and ``weight``, which sums to 1 for a new segment."""
    pairs = pl.DataFrame(pl.from_arrow(table)).drop_nulls(["old_segment", "new_segment"])
    # A segment that was moved farther than the tolerance shares nothing with itself.
    none = pl.col("share_of_new").sum().over("new_segment") <= 0
    share = pl.when(none).then(1.0).otherwise("share_of_new")
    pairs = pairs.with_columns(share.alias("weight")).filter(pl.col("weight") > 0)
    whole = pl.col("weight").sum().over("new_segment")
    return pairs.select("old_segment", "new_segment", pl.col("weight") / whole)


def _check_known(slices: pa.Table, table: pa.Table) -> None:
    known = set(table["old_segment"].to_pylist())
    strangers = [name for name in slices["segment_id"].unique().to_pylist() if name not in known]
    if strangers:
        raise DataError(
            f"slices name segment '{strangers[0]}' ({len(strangers)} such segments), which is no "
            "old segment of the carry-over table; was it made for another network?"
        )
