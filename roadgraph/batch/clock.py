"""What a forecast depends on: the fixes before its time, the network, the libraries."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.slices.store import read_clock, stored_days
from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from roadgraph.settings import Settings

NEWEST = "newest observation"
"""What the time of it is called among the things that a forecast depends on."""

LIBRARIES = ("roadgraph", "torch")
"""Other versions of these may forecast otherwise."""


class Clock:
    """What was known when: the checksums of the slices of some days.

    Args:
        slices: the store.
        days: first and last day of the forecasts.
        slice_minutes: length of a slice.
    """

    def __init__(self, slices: Path, first: date, last: date, slice_minutes: int) -> None:
        known = read_clock(slices, look_back_from(slices, first), last)
        self._checksums = {pd.Timestamp(start): value for start, value in known.items()}
        self._starts = pd.DatetimeIndex(sorted(self._checksums))
        self._step = pd.Timedelta(minutes=slice_minutes)

    def newest(self, time: pd.Timestamp) -> pd.Timestamp | None:
        """Return the start of the newest slice with fixes that is over by ``time``, or None."""
        place = int(self._starts.searchsorted(time - self._step, side="right"))
        return self._starts[place - 1] if place else None

    def data_before(self, time: pd.Timestamp, slices: int) -> dict[str, str]:
        """Return what of the data a forecast at ``time`` depends on, by name.

        Args:
            time: of issue.
            slices: how many of the newest slices, up to the newest one with fixes, it looks at.
        """
        newest = self.newest(time)
        if newest is None:
            return {}
        looked_at = pd.date_range(end=newest, periods=slices, freq=self._step)
        texts = [f"{start.isoformat()} {self._checksums.get(start, '')}" for start in looked_at]
        return {
            NEWEST: newest.isoformat(),
            "fixes before its time": fingerprint(texts),
        }


def depends_on(network_fingerprint: str, settings: Settings) -> dict[str, str]:
    """Return what every forecast depends on beside its data and its model, by name."""
    return {
        "network": network_fingerprint,
        "slices.minutes": str(settings.slices.minutes),
        "evaluation.abstain_below": str(settings.evaluation.abstain_below),
        **{name: version(name) for name in LIBRARIES},
    }


def look_back_from(slices: Path, day: date) -> date:
    """Return the stored day from which forecasts of ``day`` look: the second before it.

    The first forecasts of a day see the evening before, and where the newest observation lies in
    the first hours of a day, its window reaches into the one before that.
    """
    before = sorted(each for each in stored_days(slices) if each < day)
    return before[-2:][0] if before else day
