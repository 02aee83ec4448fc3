"""Labels of one horizon beside a forecaster's answers, cell by cell, and the figures of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadgraph.evaluation import metrics
from roadgraph.evaluation.forecast import INTERVAL_QUANTILES
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL, RUSH_HOUR_CLASSES

if TYPE_CHECKING:
    from roadgraph.dataset.labels import Labels
    from roadgraph.evaluation.forecast import Forecast


@dataclass(frozen=True)
class Answers:
    """Labels at one horizon and the answers to them, a flat array a task.

    Attributes:
        cell_slice, cell_segment: ``[M]`` place of every labelled cell.
        label, answer: ``[M]`` congestion; probability ``[M, 4]``; confidence ``[M]``, the
            probability of the answer; what is not answered is None.
        rush_slice: ``[K]`` slice of every known rush hour label; rush_label ``[K]``, and the
            answers to it or None.
        speed_slice, speed_segment, speed: ``[S]`` every known speed, and the answers to it.
    """

    cell_slice: np.ndarray
    cell_segment: np.ndarray
    label: np.ndarray
    answer: np.ndarray | None
    probability: np.ndarray | None
    confidence: np.ndarray | None
    rush_slice: np.ndarray
    rush_label: np.ndarray
    rush_answer: np.ndarray | None
    rush_probability: np.ndarray | None
    speed_slice: np.ndarray
    speed_segment: np.ndarray
    speed: np.ndarray
    speed_answer: np.ndarray | None
    speed_low: np.ndarray | None
    speed_high: np.ndarray | None

    @classmethod
    def of(
        cls,
        forecast: Forecast,
        labels: Labels,
        targets: np.ndarray,
        chosen: tuple[np.ndarray, ...],
    ) -> Answers:
        """Gather the cells of ``targets`` ``[O, P]``, answered at ``chosen``, that have labels."""
        congestion, rush = labels.congestion[targets], labels.rush_hour[targets]
        speed = labels.speed_kph[targets]
        labelled, known, seen = congestion != NO_LABEL, rush != NO_LABEL, ~np.isnan(speed)

        def at(answers: np.ndarray | None, cells: np.ndarray) -> np.ndarray | None:
            return None if answers is None else answers[chosen][cells]

        def places(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            origin, step, segment = np.nonzero(cells)
            return targets[origin, step], segment

        return cls(
            *places(labelled),
            congestion[labelled],
            at(forecast.congestion, labelled),
            at(forecast.congestion_probability, labelled),
            at(forecast.confidence, labelled),
            targets[known],
            rush[known],
            at(forecast.rush_hour, known),
            at(forecast.rush_hour_probability, known),
            *places(seen),
            speed[seen],
            at(forecast.speed_kph, seen),
            at(forecast.speed_p10_kph, seen),
            at(forecast.speed_p90_kph, seen),
        )

    def figures(
        self, segments: np.ndarray | None, slices: np.ndarray | None, abstain_below: float
    ) -> dict[str, Any]:
        """Return the figures on the segments and slices of these masks (None: on all)."""

        def inside(slice_: np.ndarray, segment: np.ndarray | None) -> slice | np.ndarray:
            if slices is not None:
                return slices[slice_]
            if segments is not None and segment is not None:
                return segments[segment]
            return slice(None)

        cells = inside(self.cell_slice, self.cell_segment)
        speeds = inside(self.speed_slice, self.speed_segment)
        values: dict[str, Any] = {"cells": len(self.label[cells])}
        values |= self._congestion(cells, abstain_below)
        values |= self._speed(speeds)
        if segments is None:
            values |= self._rush_hour(inside(self.rush_slice, None))
        return values

    def _congestion(self, cells: slice | np.ndarray, abstain_below: float) -> dict[str, float]:
        if self.answer is None:
            return {}
        label, answer = self.label[cells], self.answer[cells]
        confusion = metrics.confusion_matrix(label, answer, len(CONGESTION_CLASSES))
        by_class = {
            "precision": metrics.precisions(confusion),
            "recall": metrics.recalls(confusion),
            "f1": metrics.f1s(confusion),
        }
        values = {
            "accuracy": metrics.accuracy(confusion),
            "micro_f1": metrics.micro_f1(confusion),
        }
        for figure, each in by_class.items():
            values[f"macro_{figure}"] = metrics.macro(each, confusion)
            for name, value in zip(CONGESTION_CLASSES, each, strict=True):
                values[f"{name}_{figure}"] = float(value)
        answered = np.ones(len(label), dtype=bool)
        if self.probability is not None:
            probability = self.probability[cells]
            values["macro_auc"] = metrics.macro_roc_auc(label, probability)
            values["log_loss"] = metrics.log_loss(label, probability)
            values["calibration_error"] = metrics.expected_calibration_error(label, probability)
        if self.confidence is not None:
            answered = self.confidence[cells] >= abstain_below
        if not answered.all():
            confusion = metrics.confusion_matrix(
                label[answered], answer[answered], len(CONGESTION_CLASSES)
            )
        values["answered_share"] = float(answered.mean()) if len(answered) else float("nan")
        values["accuracy_answered"] = metrics.accuracy(confusion)
        values["macro_f1_answered"] = metrics.macro_f1(confusion)
        return values

    def _rush_hour(self, chosen: slice | np.ndarray) -> dict[str, float]:
        if self.rush_answer is None:
            return {}
        label = self.rush_label[chosen]
        confusion = metrics.confusion_matrix(
            label, self.rush_answer[chosen], len(RUSH_HOUR_CLASSES)
        )
        values = {
            "rush_hour_accuracy": metrics.accuracy(confusion),
            "rush_hour_precision": float(metrics.precisions(confusion)[1]),
            "rush_hour_recall": float(metrics.recalls(confusion)[1]),
            "rush_hour_f1": metrics.macro_f1(confusion),
        }
        if self.rush_probability is not None:
            values["rush_hour_auc"] = metrics.roc_auc(label == 1, self.rush_probability[chosen])
        return values

    def _speed(self, chosen: slice | np.ndarray) -> dict[str, float]:
        if self.speed_answer is None:
            return {}
        truth, answer = self.speed[chosen], self.speed_answer[chosen]
        values = {
            "speed_mae_kph": metrics.mean_absolute_error(truth, answer),
            "speed_rmse_kph": metrics.root_mean_squared_error(truth, answer),
        }
        if self.speed_low is not None and self.speed_high is not None:
            low, high = self.speed_low[chosen], self.speed_high[chosen]
            values["interval_coverage"] = metrics.interval_coverage(truth, low, high)
            values["interval_width_kph"] = metrics.interval_width(low, high)
            values["pinball_p10_kph"] = metrics.pinball_loss(truth, low, INTERVAL_QUANTILES[0])
            values["pinball_p90_kph"] = metrics.pinball_loss(truth, high, INTERVAL_QUANTILES[1])
        return values
