"""The cells that every forecaster of a comparison is judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import local_hours
from roadgraph.dataset.dataset import labels_of_speeds
from roadgraph.dataset.grid import speeds_on_grid
from roadgraph.errors import DataError
from roadgraph.evaluation.answers import Answers
from roadgraph.evaluation.details import Details
from roadgraph.evaluation.metrics import confusion_matrix
from roadgraph.evaluation.parts import Parts, parts_of
from roadgraph.evaluation.scores import score_forecast, score_table, scoring_origins
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL, TRUTH, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.dataset.labels import Labels
    from roadgraph.dataset.splits import Span
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.settings import EvaluationSettings, Settings


@dataclass(frozen=True)
class Verdict:
    """How a forecaster did.

    Attributes:
        scores: a row a horizon and part, on observed cells of the test span.
        truth_scores: the same against a simulation's true speeds on every segment, or None.
        confusion: ``[4, 4]`` counts at the middle horizon, row the label, or None without classes.
        validation_scores: a row a horizon, of all cells, on the validation span: for choosing. The
            epoch, temperatures, decision weights and margins were set on that span, so they are
            better than ``scores`` would be; what a refit learned there is not in them.
        details: of the test span, at the middle horizon.
    """

    scores: pd.DataFrame
    truth_scores: pd.DataFrame | None
    confusion: np.ndarray | None
    validation_scores: pd.DataFrame
    details: Details


@dataclass(frozen=True)
class Judge:
    """Judges forecasters of one dataset, always on the same cells.

    Attributes:
        dataset: whose spans they are.
        origins: ``[O]`` of the test span, from which every forecaster forecasts.
        validation_origins: ``[V]`` of the validation span.
        labels: what is asked for; with ``task=estimate_hidden`` hidden segments alone, as the
            observation of any other is among the inputs.
        truth: labels of the true speeds of a simulation, or None; of the same segments.
        parts: of the cells that have rows of their own.
        settings: how to judge.
    """

    dataset: Dataset
    origins: np.ndarray
    validation_origins: np.ndarray
    labels: Labels
    truth: Labels | None
    parts: Parts
    settings: EvaluationSettings

    @classmethod
    def of(cls, dataset: Dataset, road_class: np.ndarray, settings: Settings) -> Judge:
        """Return the judge of ``dataset``.

        Raises:
            DataError: ``city.truth`` is missing.
        """
        evaluation = settings.task_evaluation
        minutes = dataset.grid.slice_minutes
        origins, validation_origins = (
            scoring_origins(span, dataset.window, minutes, evaluation)
            for span in (dataset.splits.test, dataset.splits.validation)
        )
        parts = parts_of(dataset, road_class, dataset.zone, dataset.hidden)
        labels, truth = dataset.score_labels, _truth_labels(settings, dataset)
        if dataset.task == "estimate_hidden":
            labels = _of_segments(labels, dataset.hidden)
            truth = None if truth is None else _of_segments(truth, dataset.hidden)
        return cls(dataset, origins, validation_origins, labels, truth, parts, evaluation)

    def verdict(
        self,
        forecaster: Callable[[np.ndarray], Forecast],
        validated: Callable[[np.ndarray], Forecast] | None = None,
    ) -> Verdict:
        """Return how ``forecaster``, which forecasts from any origins, did.

        Args:
            forecaster: is judged on the test span.
            validated: the same before it learned from the validation span, judged there; None
                where ``forecaster`` did not.
        """
        test, validation = self.dataset.splits.test, self.dataset.splits.validation
        forecast = forecaster(self.origins)
        before = (validated or forecaster)(self.validation_origins)
        answers = self._middle_answers(forecast)
        return Verdict(
            self._scores(forecast, self.labels, test, self.parts),
            None if self.truth is None else self._scores(forecast, self.truth, test, self.parts),
            _confusion(answers),
            self._scores(before, self.labels, validation, Parts()),
            self._details(answers),
        )

    @property
    def middle_minutes(self) -> int:
        """The horizon of confusion and details: 30 minutes where the horizons are 15 to 60."""
        return self.dataset.horizons[self._middle] * self.dataset.grid.slice_minutes

    @property
    def _middle(self) -> int:
        return (len(self.dataset.horizons) - 1) // 2

    def _scores(self, forecast: Forecast, labels: Labels, span: Span, parts: Parts) -> pd.DataFrame:
        dataset = self.dataset
        return score_table(
            score_forecast(
                forecast,
                labels,
                span,
                dataset.horizons,
                dataset.grid.slice_minutes,
                self.settings,
                parts,
            )
        )

    def _middle_answers(self, forecast: Forecast) -> Answers:
        targets = forecast.origins + self.dataset.horizons[self._middle]
        stop = self.dataset.splits.test.stop - self.settings.leave_out_last_window
        inside = np.flatnonzero(targets < stop)
        chosen = np.ix_(inside, np.array([self._middle]))
        return Answers.of(forecast, self.labels, targets[inside, None], chosen)

    def _details(self, answers: Answers) -> Details:
        hours = local_hours(self.dataset.grid.slice_starts, self.dataset.zone)
        return Details.of(answers, hours, self.labels.congestion.shape[1])


def _confusion(answers: Answers) -> np.ndarray | None:
    if answers.answer is None:
        return None
    return confusion_matrix(answers.label, answers.answer, len(CONGESTION_CLASSES))


def _of_segments(labels: Labels, kept: np.ndarray) -> Labels:
    """Return the labels of the segments ``kept`` ``[N]`` alone; rush hours stay."""
    return replace(
        labels,
        congestion=np.where(kept, labels.congestion, NO_LABEL),
        speed_kph=np.where(kept, labels.speed_kph, np.nan),
    )


def _truth_labels(settings: Settings, dataset: Dataset) -> Labels | None:
    if not settings.city.truth:
        return None
    path = Path(settings.city.truth)
    if not path.is_file():
        raise DataError(f"truth {path} is missing; set city.truth, or empty it: city.truth=''")
    speeds = speeds_on_grid(TRUTH.conform(read_whole(path)), dataset.grid)
    return labels_of_speeds(dataset.grid, speeds, dataset.label_free_flow_kph, settings, true=True)
