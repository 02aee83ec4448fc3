"""What a scheduled run would do, and why; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from roadgraph.batch.forecasting import Due, due_forecasts
from roadgraph.batch.observed import observed_time
from roadgraph.batch.promoting import STOPPED, decided
from roadgraph.batch.run import night_of
from roadgraph.batch.span import refuse_days, span_of
from roadgraph.batch.training import model_due
from roadgraph.batch.words import told
from roadgraph.network.importing import stale_network
from roadgraph.network.network import read_network
from roadgraph.quality.report import stale_quality
from roadgraph.slices.run import stale_slices
from roadgraph.verification.verification import stale_verification
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from roadgraph.batch.asked import Asked
    from roadgraph.batch.span import Span
    from roadgraph.settings import Settings


@dataclass(frozen=True)
class Task:
    """Something that a run would make.

    Attributes:
        step: one of :data:`~roadgraph.batch.outcome.STEPS`.
        partition: local days, or "" for a step without any.
        reason: why.
    """

    step: str
    partition: str
    reason: str


def plan_batch(settings: Settings, asked: Asked, now: pd.Timestamp) -> list[Task]:
    """Return what :func:`~roadgraph.batch.run.run_batch` would make, in its order.

    What a new file holds is not known before it is read, so days that only such files bring are
    not among the tasks; that they are to be read is one.

    Args:
        settings: of the city.
        asked: days and steps.
        now: the moment.

    Raises:
        RoadgraphError: the inputs or what is there already cannot be used.
    """
    refuse_days(settings, asked, now)
    workspace = Workspace.of(settings)
    tasks = []
    reasons = stale_network(settings, workspace.network)
    if reasons:
        tasks.append(Task("network", "", told(reasons)))
    if not (workspace.network / "segments.parquet").is_file():
        tasks.append(Task("slices", "", "the network is imported first; the rest follows from it"))
        return _asked(tasks, asked)
    network = read_network(workspace.network)
    stale = stale_slices(settings, network, workspace)
    if stale.files:
        tasks.append(Task("slices", "files to read", told(stale.files)))
    days = {day: why for day, why in stale.days.items() if day in asked.slices}
    tasks += [Task("slices", str(day), told(why)) for day, why in days.items()]
    observed = observed_time(workspace.slices, settings.slices.minutes)
    if observed is None and asked.last is None:
        return _asked(tasks, asked)
    span = span_of(settings, asked, observed, now)

    def follows(step: str, why_stale: Callable[[date], tuple[str, ...]], made: set[date]) -> None:
        for day in span.over:
            why = why_stale(day)
            if why or day in made:
                text = told(why) if why else "what it rests on is made again"
                tasks.append(Task(step, str(day), text))

    follows("quality", lambda day: stale_quality(settings, workspace, day), set(days))
    due = due_forecasts(settings, span)
    tasks += _forecasts(due, span, days)
    # Forecasts are judged as they were first issued; those of a day's first slices, the day before.
    new = (time.tz_convert(span.zone).date() for time, each in due.items() if not each.model)
    issued = set(new)
    follows(
        "evaluation",
        lambda day: stale_verification(settings, workspace, day),
        {*days, *issued, *(day + timedelta(days=1) for day in issued)},
    )
    tasks += _night(settings, asked, span, now)
    return _asked(tasks, asked)


def _forecasts(
    due: dict[pd.Timestamp, Due], span: Span, days: dict[date, tuple[str, ...]]
) -> list[Task]:
    by_day: dict[date, list[str]] = {}
    for time, why in due.items():
        by_day.setdefault(time.tz_convert(span.zone).date(), []).append(told(why.reasons))
    tasks = []
    for day in sorted({*span.days, *by_day}):
        if day in by_day:
            counts = {why: by_day[day].count(why) for why in dict.fromkeys(by_day[day])}
            text = "; ".join(f"{count} times: {why}" for why, count in counts.items())
            tasks.append(Task("predictions", str(day), text))
        elif day in days:
            text = "its slices are made again: the times before which fixes have changed"
            tasks.append(Task("predictions", str(day), text))
    return tasks


def _night(settings: Settings, asked: Asked, span: Span, now: pd.Timestamp) -> list[Task]:
    last = night_of(settings, asked, span, now)
    if last is None:
        return []
    tasks = []
    reasons, _ = model_due(settings, last)
    if reasons:
        tasks.append(Task("model", str(last), told(reasons)))
    before = decided(Workspace.of(settings), last)
    if settings.tracking.enabled and (reasons or before is None):
        tasks.append(Task("promotion", str(last), "not decided yet for this day"))
    elif before is not None and before["outcome"] == STOPPED:
        tasks.append(Task("promotion", str(last), f"it was {STOPPED}, unless that is well now"))
    return tasks


def _asked(tasks: list[Task], asked: Asked) -> list[Task]:
    return [task for task in tasks if task.step in asked.steps]
