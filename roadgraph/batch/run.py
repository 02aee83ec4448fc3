"""A scheduled run: every step in its order, whatever becomes of the others."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.batch import steps
from roadgraph.batch.alarm import alert_of_run
from roadgraph.batch.asked import NOW, Asked
from roadgraph.batch.journal import add_to_journal
from roadgraph.batch.observed import observed_time
from roadgraph.batch.outcome import Outcome, RunReport
from roadgraph.batch.span import Span, span_of
from roadgraph.batch.words import shown_days
from roadgraph.errors import LockError, RoadgraphError
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from roadgraph.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """Who is told of a run while it goes on.

    Attributes:
        begins: called with a step and its partition before it begins.
        ends: called with what became of it.
        progress: called with what is being done and the share of it that is done.
        epoch: called with a run's title and the figures of every finished epoch.
    """

    begins: Callable[[str, str], None] = lambda step, partition: None
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
    run.go()
    report = RunReport(tuple(run.outcomes))
    alert_of_run(report, settings, run.now)
    return report


def night_of(settings: Settings, asked: Asked, span: Span, now: pd.Timestamp) -> date | None:
    """Return the newest day that is over and whose night has come, or None.

    A run up to ``now`` waits for ``pipeline.night_hour``, so that fixes which come late are there.
    """
    wait = pd.Timedelta(hours=settings.pipeline.night_hour)
    days = [day for day in span.over if asked.last != NOW or span.bounds(day)[1] + wait <= now]
    return days[-1] if days else None


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
        self._do("network", "", lambda: steps.make_network(self.settings))
        if not (self.workspace.network / "segments.parquet").is_file():
            return  # nothing goes without it, and why it is missing has been told
        self._do("slices", "", self._slices)
        observed = observed_time(self.workspace.slices, self.settings.slices.minutes)
        if observed is None and self.asked.last is None and RunReport(tuple(self.outcomes)).failed:
            return
        span = span_of(self.settings, self.asked, observed, self.now)
        for day in span.over:
            self._do_of_day("quality", steps.make_quality, day, span)
        if self.asked.last == NOW:
            self._do("quality", "", lambda: steps.check_freshness(self.settings, self.now))
        without_model = self._predictions(span)
        if not without_model:
            self._evaluations(span)
        last = night_of(self.settings, self.asked, span, self.now)
        trained = None if last is None else self._model(last)
        if without_model:
            if trained is not None:
                self._predictions(span)
            self._evaluations(span)
        if last is not None:
            failed = RunReport(tuple(self.outcomes)).failed_checks
            self._do(
                "promotion",
                str(last),
                lambda: steps.make_promotion(self.settings, last, failed, trained is not None),
            )

    def _model(self, last: date) -> Outcome | None:
        """Train the model if it is due; return what became of it where it was made."""
        outcome = self._do(
            "model",
            str(last),
            lambda: steps.make_model(self.settings, last, on_epoch=self.watch.epoch),
        )
        return outcome if outcome is not None and outcome.state == "made" else None

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

    def _slices(self) -> Outcome:
        return steps.make_slices(self.settings, self.asked.slices, self.watch.progress)

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
        self.watch.begins(step, partition)
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
        self.outcomes.append(outcome)
        seconds = time.monotonic() - begun
        add_to_journal(self.workspace.journal, outcome, pd.Timestamp.now("UTC"), seconds)
        self.watch.ends(outcome)
        return outcome


def _reason(error: RoadgraphError | OSError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}"
    return str(error)
