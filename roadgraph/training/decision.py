"""Which class to answer, given its probabilities; learned on the validation span."""

from __future__ import annotations

import numpy as np

from roadgraph.evaluation.metrics import confusion_matrix, macro_f1

FACTORS = np.geomspace(1 / 8, 8, 25)
ROUNDS = 3


def decide(probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the class with the largest ``probability * weight``, int8 without the last axis.

    Args:
        probability: ``[..., classes]``.
        weights: ``[classes]``; ones answer the likeliest class.
    """
    return (probability * weights).argmax(axis=-1).astype(np.int8)


def macro_f1_weights(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the weights whose answers have the best macro F1 on these cells, ``[classes]``.

    Where classes overlap, the likeliest class is nearly always the most frequent one, and rare
    classes such as gridlock are hardly ever answered. Each weight in turn is set to the best of a
    fixed grid, three times round (coordinate ascent); of equally good ones the first wins.

    Args:
        probability: ``[M, classes]`` on the **validation span**.
        label: ``[M]`` class indices.
    """
    classes = probability.shape[1]
    weights = np.ones(classes)

    def score(candidate: np.ndarray) -> float:
        return macro_f1(confusion_matrix(label, decide(probability, candidate), classes))

    best = score(weights)
    for _ in range(ROUNDS):
        for place in range(classes):
            for factor in FACTORS:
                candidate = weights.copy()
                candidate[place] = factor
                found = score(candidate)
                if found > best:
                    best, weights = found, candidate
    return weights
