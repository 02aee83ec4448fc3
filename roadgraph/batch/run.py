"""A scheduled run: every step in its order, whatever becomes of the others."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.batch import steps
from roadgraph.batch.alarm import alert_of_run
from roadgraph.batch.asked import NOW, Asked
from roadgraph.batch.journal import add_to_journal
from roadgraph.batch.observed import observed_time
from roadgraph.batch.outcome import Outcome, RunReport
from roadgraph.batch.span import Span, refuse_days, span_of
from roadgraph.batch.words import shown_days
from roadgraph.calendar import Days, city_zone
from roadgraph.errors import LockError, RoadgraphError
from roadgraph.quality.checks import Check
from roadgraph.storage import sweep_tree
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from roadgraph.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """Who is told of a run while it goes on.

    Attributes:
        ends: called with what became of it.
        progress: called with what is being done and the share of it that is done.
        epoch: called with a run's title and the figures of every finished epoch.
    """

    ends: Callable[[Outcome], None] = lambda outcome: None
    progress: Callable[[str, float], None] = lambda what, share: None
    epoch: Callable[[str, dict[str, float]], None] = lambda title, figures: None


NOBODY = Watch()


def run_batch(
    settings: Settings, asked: Asked, now: pd.Timestamp | None = None, watch: Watch = NOBODY
) -> RunReport:
    """Make what is missing or stale, step by step.

    A step that fails does not stop those that can do without it; the forecasts above all. What
    failed, and what the checks found, is told at the end to whom the settings name.

    Args:
        settings: of the city.
        asked: days and steps.
        now: the moment; by default that of the clock.
        watch: is told while the run goes on.

    Raises:
        SettingsError: the days that were asked for make no sense.
    """
    run = _Run(settings, asked, now or pd.Timestamp.now("UTC"), watch)
    refuse_days(settings, asked, run.now)
    run.go()
    report = RunReport(tuple(run.outcomes))
    alert_of_run(report, settings, run.now)
    return report


def night_of(settings: Settings, asked: Asked, span: Span, now: pd.Timestamp) -> date | None:
    """Return the newest day that is over and whose night has come, or None.

    A run up to ``now`` waits for ``pipeline.night_hour``, so that fixes which come late are there.
    """
    days = [
        day
        for day in span.over
        if asked.last != NOW or local_hour(day, settings.pipeline.night_hour, span.zone) <= now
    ]
    return days[-1] if days else None


def local_hour(day: date, hour: int, zone: ZoneInfo) -> pd.Timestamp:
    """Return an hour of the night after a local day; one that the clock leaves out is the next."""
    night = pd.Timestamp(day) + pd.Timedelta(days=1, hours=hour)
    return night.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")


@dataclass
class _Run:
    settings: Settings
    asked: Asked
    now: pd.Timestamp
    watch: Watch
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        return Workspace.of(self.settings)

    def go(self) -> None:
        sweep_tree(self.workspace.root)
        self._do("network", "", lambda: steps.make_network(self.settings))
        if not (self.workspace.network / "segments.parquet").is_file():
            return  # nothing goes without it, and why it is missing has been told
        older = self._newest_slices()
        span = self._span()
        if span is None:
            return
        without_model = self._of_the_day(span)
        if older is not None:
            # A changed setting may make a year of days stale; the forecasts do not wait for them.
            self._slices(older)
        last = night_of(self.settings, self.asked, span, self.now)
        trained = last is not None and self._model(last)
        if without_model:
            if trained:
                self._predictions(span)
            self._evaluations(span)
        if last is not None:
            also = [*self._freshness, *_unchecked(last, self.outcomes)]
            self._do(
                "promotion",
                str(last),
                lambda: steps.make_promotion(self.settings, last, also),
            )

    def _newest_slices(self) -> Days | None:
        """Bring the slices up to date, up to now the newest days alone; return the others."""
        asked = self.asked.slices
        if self.asked.last != NOW or asked.first is not None:
            self._slices(asked)
            return None
        today = self.now.tz_convert(city_zone(self.settings.city.timezone)).date()
        first = today - timedelta(days=self.settings.pipeline.catch_up_days)
        self._slices(Days(first, None))
        return Days(None, first - timedelta(days=1))

    def _span(self) -> Span | None:
        """Return the span, or None where there are no data to tell it by."""
        try:
            observed = observed_time(self.workspace.slices, self.settings.slices.minutes)
        except (RoadgraphError, OSError) as error:
            self._add(Outcome("slices", "", "failed", _reason(error)), 0.0)
            return None
        failed = RunReport(tuple(self.outcomes)).failed
        if observed is None and self.asked.last is None and failed:
            return None  # that there are no slices has its reason there
        return span_of(self.settings, self.asked, observed, self.now)

    def _of_the_day(self, span: Span) -> bool:
        """Report, forecast, verify; return whether there is no model yet to forecast with."""
        for day in span.over:
            self._do_of_day("quality", steps.make_quality, day, span)
        if self.asked.last == NOW:
            self._do("quality", "", lambda: steps.check_freshness(self.settings, self.now))
        without_model = self._predictions(span)
        if not without_model:
            self._evaluations(span)
        return without_model

    @property
    def _freshness(self) -> list[Check]:
        """The check of the newest observation's age, if it failed."""
        checks = RunReport(tuple(self.outcomes)).failed_checks
        return [check for check in checks if check.name == "freshness"]

    def _model(self, last: date) -> bool:
        """Train the model if it is due; return whether it was."""
        outcome = self._do(
            "model",
            str(last),
            lambda: steps.make_model(self.settings, last, on_epoch=self.watch.epoch),
        )
        return outcome is not None and outcome.state == "made"

    def _evaluations(self, span: Span) -> None:
        for day in span.over:
            self._do_of_day("evaluation", steps.make_evaluation, day, span)

    def _do_of_day(
        self, step: str, make: Callable[[Settings, date], Outcome], day: date, span: Span
    ) -> None:
        """Do a step of a day that is over.

        What the checks of an older day said was told when they were made, and stops nothing now.
        """

        def made() -> Outcome:
            outcome = make(self.settings, day)
            told = outcome.state == "fresh" and day != span.over[-1]
            return replace(outcome, checks=()) if told else outcome

        self._do(step, str(day), made)

    def _slices(self, days: Days) -> None:
        self._do("slices", "", lambda: steps.make_slices(self.settings, days, self.watch.progress))

    def _predictions(self, span: Span) -> bool:
        """Issue what is missing; return whether there is no model yet to do it."""
        outcome = self._do(
            "predictions",
            shown_days(span.days),
            lambda: steps.make_predictions(self.settings, span, self.watch.progress),
        )
        return outcome is not None and outcome.state == "nothing"

    def _do(self, step: str, partition: str, make: Callable[[], Outcome]) -> Outcome | None:
        """Do one step, if it was asked for, and write down what became of it."""
        if step not in self.asked.steps:
            return None
        begun = time.monotonic()
        try:
            outcome = make()
        except LockError as error:
            outcome = Outcome(step, partition, "busy", str(error))
        except (RoadgraphError, OSError) as error:
            logger.info("%s %s failed", step, partition, exc_info=True)
            outcome = Outcome(step, partition, "failed", _reason(error))
        except Exception as error:
            # A fault of ours in one step must not cost the city its forecasts.
            logger.exception("%s %s failed", step, partition)
            outcome = Outcome(step, partition, "failed", f"{type(error).__name__}: {error}")
        self._add(outcome, time.monotonic() - begun)
        return outcome

    def _add(self, outcome: Outcome, seconds: float) -> None:
        self.outcomes.append(outcome)
        try:
            add_to_journal(self.workspace.journal, outcome, pd.Timestamp.now("UTC"), seconds)
        except OSError as error:  # such as of a full disk, which people are to be told of
            self.outcomes.append(Outcome(outcome.step, "journal", "failed", _reason(error)))
        self.watch.ends(outcome)


def _unchecked(day: date, outcomes: Sequence[Outcome]) -> list[Check]:
    """Return that a day could not be checked now, as a check that failed."""
    return [
        Check(outcome.step, day, False, f"it was not made: {outcome.reason}", {})
        for outcome in outcomes
        if outcome.step in ("quality", "evaluation")
        and outcome.partition == str(day)
        and outcome.state in ("failed", "busy")
    ]


def _reason(error: RoadgraphError | OSError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}"
    return str(error)
