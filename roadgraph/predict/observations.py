"""The slices that forecasts may look at, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.dataset.grid import places_of
from roadgraph.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK_BACK = pd.Timedelta(days=1)
"""How far before a forecast's time the newest observation of a segment is looked for."""

UNKNOWN = -1
"""Stands for the age of a segment that was not observed in that time."""


@dataclass(frozen=True)
class Observations:
    """Slices by time; a forecast sees only those that ended by its own time.

    Attributes:
        slices: the columns of ``schema.SLICES``, sorted by ``slice_start``.
        starts: ``[R]`` datetime64, their ``slice_start`` in UTC.
        places: ``[R]`` place of each row's segment in the network, -1 where it has none.
        segments: ``N`` of the network.
        step: length of a slice.
    """

    slices: pa.Table
    starts: np.ndarray
    places: np.ndarray
    segments: int
    step: pd.Timedelta

    @classmethod
    def of(
        cls, slices: pa.Table, segment_ids: Sequence[str] | pa.Array, slice_minutes: int
    ) -> Observations:
        """Return the observations of a table.

        Args:
            slices: the columns of ``schema.SLICES``, in any order.
            segment_ids: the network's ``N`` segments in their order.
            slice_minutes: length of the slices.

        Raises:
            DataError: there is no slice, or one that is off the slices' clock.
        """
        if not len(slices):
            raise DataError("no slice: no vehicle was seen on any segment")
        ids = segment_ids if isinstance(segment_ids, pa.Array) else pa.array(segment_ids)
        starts = slices["slice_start"].to_numpy()
        step = pd.Timedelta(minutes=slice_minutes)
        since_1970_us = starts.astype("datetime64[us]").astype(np.int64)
        slots, beside = np.divmod(since_1970_us, step // pd.Timedelta(1, "us"))
        off = beside != 0
        if off.any():
            raise DataError(
                f"slice_start {pd.Timestamp(starts[int(off.argmax())], tz='UTC')} is off the clock "
                f"of {slice_minutes}-minute slices; are these slices of another length?"
            )
        places = places_of(slices["segment_id"], ids)
        if (slots[1:] < slots[:-1]).any():
            slots -= slots.min()
            # numpy sorts numbers of few bits several times as fast.
            order = np.argsort(slots.astype(np.min_scalar_type(slots.max())), kind="stable")
            slices, starts, places = slices.take(pa.array(order)), starts[order], places[order]
        return cls(slices, starts, places, len(ids), step)

    @property
    def newest_end(self) -> pd.Timestamp:
        """The end of the newest slice."""
        return pd.Timestamp(self.starts[-1], tz="UTC") + self.step

    def newest_end_by(self, at: pd.Timestamp) -> pd.Timestamp:
        """Return the end of the newest slice that ended by ``at``.

        Raises:
            DataError: none did.
        """
        ended = self._first_row_from(at - self.step + pd.Timedelta(1, unit="us"))
        if not ended:
            first = pd.Timestamp(self.starts[0], tz="UTC") + self.step
            raise DataError(
                f"no history before {at.isoformat()}: the first slice that there is ends at "
                f"{first.isoformat()}; predict from then on, or add the data before"
            )
        return pd.Timestamp(self.starts[ended - 1], tz="UTC") + self.step

    def between(self, first: pd.Timestamp, end: pd.Timestamp) -> tuple[pa.Table, np.ndarray]:
        """Return the slices that begin at ``first`` or later and end by ``end``, and their places.

        The places are those of :attr:`places`.
        """
        begin, stop = self._first_row_from(first), self._first_row_from(end)
        return self.slices.slice(begin, stop - begin), self.places[begin:stop]

    def segment_ages_min(self, at: pd.Timestamp) -> np.ndarray:
        """Return the age at ``at`` of each segment's newest observation, ``[N]`` int32 in minutes.

        It is counted from the end of its slice; ``UNKNOWN`` where there is none in the
        ``LOOK_BACK`` before ``at``.
        """
        rows = slice(self._first_row_from(at - LOOK_BACK), self._first_row_from(at))
        ages = (_utc(at - self.step) - self.starts[rows]).astype("timedelta64[m]").astype(np.int64)
        known = (self.places[rows] >= 0) & (ages >= 0)
        newest = np.full(self.segments, np.iinfo(np.int32).max, dtype=np.int32)
        np.minimum.at(newest, self.places[rows][known], ages[known].astype(np.int32))
        return np.where(newest == np.iinfo(np.int32).max, np.int32(UNKNOWN), newest)

    def _first_row_from(self, moment: pd.Timestamp) -> int:
        return int(np.searchsorted(self.starts, _utc(moment)))


def _utc(moment: pd.Timestamp) -> np.datetime64:
    return moment.tz_convert("UTC").tz_localize(None).to_datetime64()
