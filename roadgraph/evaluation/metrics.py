"""Scores of forecasts against labels; a cell without a label counts nowhere."""

from __future__ import annotations

import numpy as np


def confusion_matrix(label: np.ndarray, answer: np.ndarray, classes: int) -> np.ndarray:
    """Return counts ``[classes, classes]``: row the label, column the answer."""
    return np.bincount(
        label.astype(np.int64) * classes + answer.astype(np.int64), minlength=classes**2
    ).reshape(classes, classes)


def accuracy(confusion: np.ndarray) -> float:
    """Return the share of right answers, NaN of nothing."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Return the share of each class that was found, NaN for a class without labels."""
    labels = confusion.sum(axis=1)
    return np.where(labels > 0, np.diag(confusion) / np.maximum(labels, 1), np.nan)


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Return the share of each class's answers that was right, NaN where it was never answered."""
    answers = confusion.sum(axis=0)
    return np.where(answers > 0, np.diag(confusion) / np.maximum(answers, 1), np.nan)


def f1s(confusion: np.ndarray) -> np.ndarray:
    """Return ``2 TP / (2 TP + FP + FN)`` of each class, NaN for one that does not occur.

    A class occurs when it is among the labels or the answers, as in scikit-learn.
    """
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    return np.where(both > 0, 2 * np.diag(confusion) / np.maximum(both, 1), np.nan)


def macro(by_class: np.ndarray, confusion: np.ndarray) -> float:
    """Return the mean of a figure over the classes that occur, NaN of nothing.

    Args:
        by_class: ``[classes]`` precision, recall or F1; NaN counts as 0, as in scikit-learn.
        confusion: ``[classes, classes]``; a class occurs among its labels or its answers.
    """
    occurs = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    return float(np.nan_to_num(by_class[occurs]).mean()) if occurs.any() else float("nan")


def macro_f1(confusion: np.ndarray) -> float:
    """Return the mean of the F1 over the classes that occur."""
    return macro(f1s(confusion), confusion)


def micro_f1(confusion: np.ndarray) -> float:
    """Return the F1 of all classes' hits and misses added up.

    Where every cell gets one class, each wrong answer is one false positive and one false
    negative, so micro precision, recall and F1 are all the accuracy.
    """
    hits, total = np.trace(confusion), confusion.sum()
    return float(2 * hits / (2 * total)) if total else float("nan")


def roc_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the area under the ROC curve: how likely a positive has the higher score.

    It is the Mann-Whitney statistic over the number of pairs, a tie counting half (Hanley and
    McNeil 1982), so that ranks are enough: ``score`` may be on any scale.

    Args:
        positive: ``[M]`` bool.
        score: ``[M]``; higher means more likely positive.

    Returns:
        0-1, NaN when all or none are positive.
    """
    high, low = score[positive], np.sort(score[~positive])
    pairs = len(high) * len(low)
    if not pairs:
        return float("nan")
    high = np.sort(high)  # neighbours fall on neighbours: far quicker in the search below
    below = np.searchsorted(low, high, side="left").sum(dtype=np.float64)
    not_above = np.searchsorted(low, high, side="right").sum(dtype=np.float64)
    return float((below + not_above) / 2 / pairs)


def macro_roc_auc(label: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean ROC AUC of one class against the rest, over the classes that occur.

    Args:
        label: ``[M]`` class indices.
        probability: ``[M, classes]``.
    """
    areas = [
        roc_auc(label == place, probability[:, place]) for place in range(probability.shape[1])
    ]
    known = [area for area in areas if not np.isnan(area)]
    return float(np.mean(known)) if known else float("nan")


def log_loss(label: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean of ``-ln p`` of the true class; ``probability`` is ``[M, classes]``."""
    if not len(label):
        return float("nan")
    chosen = probability[np.arange(len(label)), label]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def mean_by_group(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return the mean of the ``values`` of each group, ``[groups]``, NaN of nothing.

    Args:
        values: ``[M]``.
        group: ``[M]`` place of each value's group.
        groups: how many there are.
    """
    size = np.bincount(group, minlength=groups)
    total = np.bincount(group, weights=values, minlength=groups)
    return total / np.where(size > 0, size, np.nan)


def reliability(
    confidence: np.ndarray, right: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how sure the answers are and how often they are right, by equal bins.

    Args:
        confidence: ``[M]`` probability of each answer.
        right: ``[M]`` bool.
        bins: of the confidence, from 0 to 1.

    Returns:
        ``[bins]`` mean confidence, share of right answers (both NaN in an empty bin), cells.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return (
        mean_by_group(confidence, place, bins),
        mean_by_group(right, place, bins),
        np.bincount(place, minlength=bins),
    )


def expected_calibration_error(label: np.ndarray, probability: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error of the likeliest class.

    The answers are sorted into equal bins by their confidence; the error is the mean distance
    between a bin's confidence and its accuracy, weighted by the bin's size (Guo et al. 2017, "On
    calibration of modern neural networks", eq. 3).
    """
    if not len(label):
        return float("nan")
    right = probability.argmax(axis=1) == label
    confidence, share, size = reliability(probability.max(axis=1), right, bins)
    return float(np.nansum(np.abs(confidence - share) * size) / len(label))


def mean_absolute_error(truth: np.ndarray, answer: np.ndarray) -> float:
    """Return the mean of the absolute errors, in the unit of the values."""
    return float(np.abs(truth - answer).mean(dtype=np.float64)) if len(truth) else float("nan")


def root_mean_squared_error(truth: np.ndarray, answer: np.ndarray) -> float:
    """Return the root of the mean squared error, in the unit of the values."""
    if not len(truth):
        return float("nan")
    return float(np.sqrt(np.square(truth - answer).mean(dtype=np.float64)))


def interval_coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Return the share of ``truth`` within ``[low, high]``, both ends included; NaN of nothing."""
    return float(((low <= truth) & (truth <= high)).mean()) if len(truth) else float("nan")


def interval_width(low: np.ndarray, high: np.ndarray) -> float:
    """Return the mean width of the intervals, in the unit of the values."""
    return float((high - low).mean(dtype=np.float64)) if len(low) else float("nan")


def pinball_loss(truth: np.ndarray, answer: np.ndarray, quantile: float) -> float:
    """Return the mean pinball loss of a quantile, in the unit of the values.

    ``max(q (y - a), (q - 1) (y - a))``: least when ``answer`` is the ``quantile`` of ``truth``
    (Koenker and Bassett 1978).
    """
    if not len(truth):
        return float("nan")
    above = truth - answer
    return float(np.maximum(quantile * above, (quantile - 1) * above).mean(dtype=np.float64))
