"""What a forecast depends on: the data before its time, the network, the libraries."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

from roadgraph.slices.store import observed_starts, read_manifest, stored_days
from roadgraph.staleness import fingerprint_of
from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from roadgraph.settings import Settings

NEWEST = "newest observation"
"""What the time of it is called among the things that a forecast depends on."""

FORECASTING = ("roadgraph", "torch")
"""The packages of which other versions may forecast otherwise."""

OF_ITS_DATA = ("fixes ", "rows", "speeds")
"""Begin the names of what a day of slices depends on of its own data."""


class Clock:
    """What was known when: the checksums of the slices of some days.

    Args:
        slices: the store.
        first: first day of the forecasts.
        last: last day of the forecasts.
        slice_minutes: length of a slice.
    """

    def __init__(self, slices: Path, first: date, last: date, slice_minutes: int) -> None:
        self._step = pd.Timedelta(minutes=slice_minutes)
        self._checksums: dict[pd.Timestamp, str] = {}
        observed: list[pd.Timestamp] = []
        begin = look_back_from(slices, first)
        for day in stored_days(slices):
            if begin <= day <= last:
                manifest = read_manifest(slices, day)
                way = way_of_making(manifest)
                for start, checksum in manifest.get("fixes_by_slice", {}).items():
                    self._checksums[pd.Timestamp(start)] = f"{checksum} {way}"
                observed.extend(observed_starts(slices, day))
        self._observed = pd.DatetimeIndex(sorted(observed))

    def newest(self, time: pd.Timestamp) -> pd.Timestamp | None:
        """Return the start of the newest observed slice that is over by ``time``, or None."""
        place = int(self._observed.searchsorted(time - self._step, side="right"))
        return self._observed[place - 1] if place else None

    def data_before(self, time: pd.Timestamp, slices: int) -> dict[str, str]:
        """Return what of the data a forecast at ``time`` depends on, by name.

        Args:
            time: of issue.
            slices: how many of the newest slices, up to the newest observed one, it looks at.
        """
        newest = self.newest(time)
        if newest is None:
            return {}
        looked_at = pd.date_range(end=newest, periods=slices, freq=self._step)
        texts = [f"{start.isoformat()} {self._checksums.get(start, '')}" for start in looked_at]
        return {NEWEST: newest.isoformat(), "data before its time": fingerprint(texts)}

    def knows_after(self, time: pd.Timestamp) -> bool:
        """Return whether there are fixes of after ``time`` already.

        Then the speeds of trips that were under way at that time rest on some of them.
        """
        return any(start >= time for start in self._checksums)


def way_of_making(manifest: Mapping[str, Any]) -> str:
    """Return the fingerprint of all that a day of slices depends on beside its own data."""
    return fingerprint_of(
        {
            name: value
            for name, value in manifest.get("depends_on", {}).items()
            if not name.startswith(OF_ITS_DATA)
        }
    )


def depends_on(network_fingerprint: str, settings: Settings) -> dict[str, str]:
    """Return what every forecast depends on beside its data and its model, by name."""
    return {
        "network": network_fingerprint,
        "slices.minutes": str(settings.slices.minutes),
        "evaluation.abstain_below": str(settings.evaluation.abstain_below),
        **{name: version(name) for name in FORECASTING},
    }


def look_back_from(slices: Path, day: date) -> date:
    """Return the stored day from which forecasts of ``day`` look: the second observed before it.

    The first forecasts of a day see the evening before, and where the newest observation lies in
    the first hours of a day, its window reaches into the one before that.
    """
    before = [day]
    for earlier in sorted((each for each in stored_days(slices) if each < day), reverse=True):
        if read_manifest(slices, earlier)["rows"]:
            before.append(earlier)
        if len(before) > 2:
            break
    return before[-1]
