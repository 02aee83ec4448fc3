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


def macro_f1(confusion: np.ndarray) -> float:
    """Return the mean of ``2 TP / (2 TP + FP + FN)`` over the classes that occur.

    A class occurs when it is among the labels or the answers, as in scikit-learn.
    """
    hits = np.diag(confusion)
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = both > 0
    return float((2 * hits[occurs] / both[occurs]).mean()) if occurs.any() else float("nan")


def log_loss(label: np.ndarray, probability: np.ndarray) -> float:
    """Return the mean of ``-ln p`` of the true class; ``probability`` is ``[M, classes]``."""
    if not len(label):
        return float("nan")
    chosen = probability[np.arange(len(label)), label]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def expected_calibration_error(label: np.ndarray, probability: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error of the likeliest class.

    The answers are sorted into equal bins by their confidence; the error is the mean distance
    between a bin's confidence and its accuracy, weighted by the bin's size (Guo et al. 2017, "On
    calibration of modern neural networks", eq. 3).
    """
    if not len(label):
        return float("nan")
    confidence = probability.max(axis=1)
    right = probability.argmax(axis=1) == label
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    size = np.bincount(place, minlength=bins)
    gap = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(gap[size > 0]).sum() / len(label))


def mean_absolute_error(truth: np.ndarray, answer: np.ndarray) -> float:
    """Return the mean of the absolute errors, in the unit of the values."""
    return float(np.abs(truth - answer).mean(dtype=np.float64)) if len(truth) else float("nan")


def root_mean_squared_error(truth: np.ndarray, answer: np.ndarray) -> float:
    """Return the root of the mean squared error, in the unit of the values."""
    if not len(truth):
        return float("nan")
    return float(np.sqrt(np.square(truth - answer).mean(dtype=np.float64)))
