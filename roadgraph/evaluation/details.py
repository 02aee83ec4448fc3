"""Where and when a forecaster is right: by confidence, local hour and segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.evaluation import metrics
from roadgraph.schema import RUSH_HOUR_CLASSES

if TYPE_CHECKING:
    from roadgraph.evaluation.answers import Answers

BINS = 10
"""Of the confidence, from 0 to 1."""

HOURS = 24


@dataclass(frozen=True)
class Details:
    """How a forecaster did at one horizon; NaN of no cell, None where it gives no such answer.

    Cells are those with a congestion label, errors are over those with a speed.

    Attributes:
        confidence: ``[10]`` mean probability of the class that was answered, by equal bins of that
            probability from 0 to 1.
        confidence_right_share: ``[10]`` share of right classes.
        confidence_cells: ``[10]`` cells.
        hour_cells: ``[24]`` cells by the local hour in which their slice begins.
        hour_right_share: ``[24]`` share of right classes.
        hour_speed_mae_kph: ``[24]`` mean absolute error of the speed.
        segment_cells: ``[N]`` cells of each segment.
        segment_right_share: ``[N]`` share of right classes.
        segment_speed_mae_kph: ``[N]`` mean absolute error of the speed.
        rush_hour_confusion: ``[2, 2]`` counts of slices, row the label: no rush hour, rush hour.
    """

    confidence: np.ndarray | None
    confidence_right_share: np.ndarray | None
    confidence_cells: np.ndarray | None
    hour_cells: np.ndarray
    hour_right_share: np.ndarray | None
    hour_speed_mae_kph: np.ndarray | None
    segment_cells: np.ndarray
    segment_right_share: np.ndarray | None
    segment_speed_mae_kph: np.ndarray | None
    rush_hour_confusion: np.ndarray | None

    @classmethod
    def of(cls, answers: Answers, hours: np.ndarray, segments: int) -> Details:
        """Return the details of ``answers`` at one horizon.

        Args:
            answers: beside their labels.
            hours: ``[T]`` local hour of each slice, 0 up to 24, with or without its fraction.
            segments: ``N``.
        """
        whole = hours.astype(np.int64)
        cell_hour, speed_hour = whole[answers.cell_slice], whole[answers.speed_slice]
        right = None if answers.answer is None else answers.answer == answers.label
        error = (
            None if answers.speed_answer is None else np.abs(answers.speed - answers.speed_answer)
        )
        confidence, right_share, cells = None, None, None
        if answers.confidence is not None and right is not None:
            confidence, right_share, cells = metrics.reliability(answers.confidence, right, BINS)

        def mean(values: np.ndarray | None, group: np.ndarray, groups: int) -> np.ndarray | None:
            return None if values is None else metrics.mean_by_group(values, group, groups)

        return cls(
            confidence=confidence,
            confidence_right_share=right_share,
            confidence_cells=cells,
            hour_cells=np.bincount(cell_hour, minlength=HOURS),
            hour_right_share=mean(right, cell_hour, HOURS),
            hour_speed_mae_kph=mean(error, speed_hour, HOURS),
            segment_cells=np.bincount(answers.cell_segment, minlength=segments),
            segment_right_share=mean(right, answers.cell_segment, segments),
            segment_speed_mae_kph=mean(error, answers.speed_segment, segments),
            rush_hour_confusion=_rush_hour_confusion(answers),
        )


def _rush_hour_confusion(answers: Answers) -> np.ndarray | None:
    if answers.rush_answer is None:
        return None
    return metrics.confusion_matrix(answers.rush_label, answers.rush_answer, len(RUSH_HOUR_CLASSES))
