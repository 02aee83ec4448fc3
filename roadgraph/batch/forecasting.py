"""Which forecasts are missing or stale, and issuing them with the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.batch.clock import NEWEST, Clock, depends_on, look_back_from
from roadgraph.batch.issuer import Issuer
from roadgraph.batch.outcome import Outcome
from roadgraph.batch.words import shown_days, told
from roadgraph.errors import DataError, NothingRegisteredError
from roadgraph.network.network import read_network
from roadgraph.predict.store import forecasts_of_days, read_manifest, stored_times
from roadgraph.slices.store import read_slices
from roadgraph.staleness import NEW, changes
from roadgraph.storage import alone
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from roadgraph.batch.span import Span
    from roadgraph.settings import Settings

PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Due:
    """A forecast to issue.

    Attributes:
        reasons: why.
        version: of the registered model that issued it before, and so issues it again; "" for one
            that was never issued, or not by a registered model.
    """

    reasons: tuple[str, ...]
    version: str = ""


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
            **depends_on(network, settings),
            **clock.data_before(time, manifest["slices"]),
        }
        # When the newest one was is no matter to who reads a list of them.
        reasons = tuple(
            f"another {NEWEST}" if reason.startswith(NEWEST) else reason
            for reason in changes(before, now)
        )
        if reasons:
            due[time] = Due(reasons, manifest["version"])
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

    One that was issued before is issued again by the version that issued it first, where the
    registry still has it, so that late fixes change what rests on them and nothing else.

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
        days = sorted({time.tz_convert(span.zone).date() for time in due})
        if not due:
            return Outcome(PREDICTIONS, "", "fresh", "the fixes before them are as they were")
        try:
            champion = Issuer.of(settings)
        except NothingRegisteredError as error:
            return Outcome(PREDICTIONS, shown_days(days), "nothing", f"no model yet: {error}")
        issuers = {"": champion, champion.version: champion}
        network = read_network(workspace.network)
        done = 0
        for day in days:
            times = [time for time in due if time.tz_convert(span.zone).date() == day]
            slices = read_slices(workspace.slices, look_back_from(workspace.slices, day), day)
            clock = Clock(workspace.slices, day, day, span.slice_minutes)
            for asked in dict.fromkeys(due[time].version for time in times):
                if asked not in issuers:
                    issuers[asked] = champion.other(settings, asked)
                mine = [time for time in times if due[time].version == asked]
                for _ in issuers[asked].issue(settings, network, slices, mine, clock):
                    done += 1
                    progress("forecasting", done / len(due))
    again = sum(due[time].reasons != (NEW,) for time in due)
    reasons = tuple(dict.fromkeys(reason for each in due.values() for reason in each.reasons))
    figures: dict[str, float | int | str] = {
        "times": len(due),
        "issued again": again,
        "model": str(champion),
    }
    return Outcome(PREDICTIONS, shown_days(days), "made", told(reasons), figures)
