"""What of a day's fixes the days beside it look at, as digests that a file's account keeps.

Trips go over midnight, so a day is matched along with the end of the day before and the beginning
of the day after. The digests tell whether these minutes have changed, without reading any fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import polars as pl

from roadgraph.schema import FIXES
from roadgraph.storage import digest_of_arrays, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

TRIP_LEAD = pd.Timedelta(minutes=60)
TRIP_TAIL = pd.Timedelta(minutes=10)
"""How much of the days around it is matched along with a day, so that its trips are whole."""

FIRST, LAST = "first", "last"
"""The first ``TRIP_TAIL`` of a day, and the last ``TRIP_LEAD`` of it."""

NUMBERS = [name for name in FIXES.columns if name not in ("vehicle_id", "timestamp")]


def edges_of(part: Path, begin: pd.Timestamp, end: pd.Timestamp) -> dict[str, str]:
    """Return the digest of the fixes of a file at either end of a local day.

    Rows count in the order in which each vehicle's came, which the rules look at, and not by their
    places in the file: fixes of other times and vehicles change nothing.

    Args:
        part: the file's rows of the day, as the store has them.
        begin: first moment of the day (UTC).
        end: the moment after its last (UTC).

    Returns:
        SHA-256 by ``first`` and ``last``; what has no fix is missing.
    """
    spans = {FIRST: (begin, begin + TRIP_TAIL), LAST: (end - TRIP_LEAD, end)}
    fixes = pl.scan_parquet(part, glob=False)
    found = {}
    for name, span in spans.items():
        inside = pl.col("timestamp").is_between(*span, closed="left")
        rows = fixes.filter(inside).sort("vehicle_id", "row").collect()
        if len(rows):
            found[name] = _digest(rows)
    return found


def _digest(rows: pl.DataFrame) -> str:
    vehicles = rows["vehicle_id"]
    numbers = [rows[name].fill_null(float("nan")).to_numpy() for name in NUMBERS]
    arrays = [vehicles.str.len_bytes().to_numpy(), rows["timestamp"].dt.epoch("us").to_numpy()]
    return fingerprint(["".join(vehicles), digest_of_arrays([*arrays, *numbers])])
