"""Which forecasts are missing or stale, and issuing them with the champion."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from roadgraph.batch.clock import NEWEST, Clock, depends_on, look_back_from
from roadgraph.batch.issuer import Issuer
from roadgraph.batch.outcome import Outcome
from roadgraph.batch.words import shown_days, told
from roadgraph.errors import DataError, NothingRegisteredError, RoadgraphError
from roadgraph.network.network import read_network
from roadgraph.predict.store import forecasts_of_days, read_manifest, stored_times
from roadgraph.slices.store import read_slices
from roadgraph.staleness import NEW, changes
from roadgraph.storage import alone
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import pandas as pd

    from roadgraph.batch.span import Span
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings

PREDICTIONS = "predictions"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """A forecast to issue.

    Attributes:
        reasons: why.
        model: identity of the model that issued it before, and so issues it again; empty for one
            that was never issued.
    """

    reasons: tuple[str, ...]
    model: Mapping[str, str] = field(default_factory=dict)


def due_forecasts(settings: Settings, span: Span) -> dict[pd.Timestamp, Due]:
    """Return the times of issue whose forecasts are missing or stale, in their order.

    A forecast depends on the fixes before its time that its model looks at, on the network and on
    the model that issued it: a new champion makes none of the old ones stale. A run that catches
    up issues what is missing since the newest forecast, or the newest time alone if there is none.

    Args:
        settings: of the city.
        span: days and the moment that ends them.
    """
    workspace = Workspace.of(settings)
    network = read_network(workspace.network).fingerprint()
    clock = Clock(workspace.slices, span.first, span.last, span.slice_minutes)
    # The end may be the midnight that the next day begins with.
    last = span.end.tz_convert(span.zone).date()
    stored = forecasts_of_days(workspace.forecasts, span.first, last)
    shared = depends_on(network, settings)
    due = {}
    for time in wanted_times(span, list(stored), workspace):
        if clock.newest(time) is None:
            continue  # before the first observation there is nothing to forecast from
        if time not in stored:
            due[time] = Due((NEW,))
            continue
        try:
            manifest = read_manifest(stored[time])
        except DataError as error:
            due[time] = Due((str(error),))
            continue
        before = manifest["depends_on"]
        now = {
            **before,
            **shared,
            **clock.data_before(time, manifest["slices"]),
        }
        # When the newest one was is no matter to who reads a list of them.
        reasons = tuple(
            f"another {NEWEST}" if reason.startswith(NEWEST) else reason
            for reason in changes(before, now)
        )
        if reasons:
            due[time] = Due(reasons, manifest["model"])
    return due


def wanted_times(
    span: Span, stored: list[pd.Timestamp], workspace: Workspace
) -> list[pd.Timestamp]:
    """Return the times of issue that a run looks at, in their order.

    Args:
        span: days and the moment that ends them.
        stored: times in these days of which there are forecasts.
        workspace: where forecasts of other days are.
    """
    times = [time for day in span.days for time in span.times(day)]
    if not span.catching_up:
        return times
    # The last day may end with the newest slice, at its midnight.
    times = sorted({*times, span.end})
    earlier = stored or stored_times(workspace.forecasts, None, span.last)
    if not earlier:
        return [span.end]
    return [time for time in times if time in stored or time > max(earlier)]


def make_forecasts(
    settings: Settings,
    span: Span,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Outcome:
    """Issue the forecasts of a span that are missing or stale.

    One that was issued before is issued again by the version that issued it first, where there
    still is one, so that late fixes change what rests on them and nothing else. Where that one
    cannot forecast any more, as the network is another one, the forecast stays as it was issued.

    Args:
        settings: of the city.
        span: days and the moment that ends them.
        progress: called with what is being done and the share of it that is done.

    Raises:
        RoadgraphError: there is a model, but it cannot forecast.
        LockError: another run issues forecasts for longer than ``pipeline.patience_s``.
    """
    workspace = Workspace.of(settings)
    with alone(workspace.forecasts, settings.pipeline.patience_s):
        due = due_forecasts(settings, span)
        days = shown_days({_day(time, span) for time in due})
        if not due:
            reason = "what they rest on is as it was, or there is nothing to forecast from yet"
            return Outcome(PREDICTIONS, "", "fresh", reason)
        try:
            champion = Issuer.of(settings)
        except NothingRegisteredError as error:
            return Outcome(PREDICTIONS, days, "nothing", f"no model yet: {error}")
        work = _Work(settings, span, read_network(workspace.network))
        # What was never said comes first: nothing that is wrong with the past may hold it up.
        new = [time for time in due if not due[time].model]
        done = 0
        for _ in work.issue(champion, new):
            done += 1
            progress("forecasting", done / len(due))
        left = 0
        for identity in {tuple(sorted(each.model.items())) for each in due.values()} - {()}:
            times = [time for time in due if tuple(sorted(due[time].model.items())) == identity]
            try:
                for _ in work.issue(champion.same_as(settings, dict(identity)), times):
                    done += 1
                    progress("forecasting", done / len(due))
            except RoadgraphError as error:
                left += len(times)
                logger.warning("%d forecasts stay as they were issued: %s", len(times), error)
    reasons = tuple(dict.fromkeys(reason for each in due.values() for reason in each.reasons))
    figures: dict[str, float | int | str] = {
        "times": len(due),
        "issued again": len(due) - len(new) - left,
        **({"left as they were issued": left} if left else {}),
        "model": str(champion),
    }
    return Outcome(PREDICTIONS, days, "made", told(reasons), figures)


@dataclass(frozen=True)
class _Work:
    """Issues forecasts day by day, so that the slices of a few days alone are in memory."""

    settings: Settings
    span: Span
    network: Network

    def issue(self, issuer: Issuer, times: Sequence[pd.Timestamp]) -> Iterator[Path]:
        folder = Workspace.of(self.settings).slices
        for day in sorted({_day(time, self.span) for time in times}):
            # The clock first: what changes after it makes the forecast stale, never wrongly fresh.
            clock = Clock(folder, day, day, self.span.slice_minutes)
            slices = read_slices(folder, look_back_from(folder, day), day)
            mine = [time for time in times if _day(time, self.span) == day]
            yield from issuer.issue(self.settings, self.network, slices, mine, clock)


def _day(time: pd.Timestamp, span: Span) -> date:
    return time.tz_convert(span.zone).date()
