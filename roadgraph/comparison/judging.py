"""The cells that every forecaster of a comparison is judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.dataset.dataset import labels_of_speeds
from roadgraph.dataset.grid import speeds_on_grid
from roadgraph.errors import DataError
from roadgraph.evaluation.metrics import confusion_matrix
from roadgraph.evaluation.parts import Parts, parts_of
from roadgraph.evaluation.scores import score_forecast, score_table, scoring_origins
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL, TRUTH, read_whole

if TYPE_CHECKING:
    import pandas as pd

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.dataset.labels import Labels
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.settings import EvaluationSettings, Settings


@dataclass(frozen=True)
class Verdict:
    """How a forecaster did.

    Attributes:
        scores: a row a horizon and part, on observed cells of the test span.
        truth_scores: the same against a simulation's true speeds on every segment, or None.
        confusion: ``[4, 4]`` counts at the middle horizon, row the label, or None without classes.
    """

    scores: pd.DataFrame
    truth_scores: pd.DataFrame | None
    confusion: np.ndarray | None


@dataclass(frozen=True)
class Judge:
    """Judges forecasts of one dataset's test span, always on the same cells.

    Attributes:
        dataset: whose test span it is.
        origins: ``[O]`` from which every forecaster forecasts.
        labels: what is asked for; with ``task=estimate_hidden`` hidden segments alone, as the
            observation of any other is among the inputs.
        truth: labels of the true speeds of a simulation, or None; of the same segments.
        parts: of the cells that have rows of their own.
        settings: how to judge.
    """

    dataset: Dataset
    origins: np.ndarray
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
        origins = scoring_origins(dataset.splits.test, dataset.window, minutes, evaluation)
        parts = parts_of(dataset, road_class, dataset.zone, dataset.hidden)
        labels, truth = dataset.score_labels, _truth_labels(settings, dataset)
        if dataset.task == "estimate_hidden":
            labels = _of_segments(labels, dataset.hidden)
            truth = None if truth is None else _of_segments(truth, dataset.hidden)
        return cls(dataset, origins, labels, truth, parts, evaluation)

    def verdict(self, forecast: Forecast) -> Verdict:
        """Return how ``forecast``, from ``origins``, did."""
        truth = None if self.truth is None else self._scores(forecast, self.truth)
        scores = self._scores(forecast, self.labels)
        return Verdict(scores, truth, self._confusion(forecast))

    @property
    def confusion_minutes(self) -> int:
        """The horizon of the confusion matrix: 30 minutes where the horizons are 15 to 60."""
        return self.dataset.horizons[self._middle] * self.dataset.grid.slice_minutes

    @property
    def _middle(self) -> int:
        return (len(self.dataset.horizons) - 1) // 2

    def _scores(self, forecast: Forecast, labels: Labels) -> pd.DataFrame:
        dataset = self.dataset
        return score_table(
            score_forecast(
                forecast,
                labels,
                dataset.splits.test,
                dataset.horizons,
                dataset.grid.slice_minutes,
                self.settings,
                self.parts,
            )
        )

    def _confusion(self, forecast: Forecast) -> np.ndarray | None:
        if forecast.congestion is None:
            return None
        targets = forecast.origins + self.dataset.horizons[self._middle]
        stop = self.dataset.splits.test.stop - self.settings.leave_out_last_window
        inside = targets < stop
        label = self.labels.congestion[targets[inside]]
        known = label != NO_LABEL
        answer = forecast.congestion[inside, self._middle]
        return confusion_matrix(label[known], answer[known], len(CONGESTION_CLASSES))


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
