"""How sure to be: temperatures of the classes and intervals of the speed, from validation."""

from __future__ import annotations

import numpy as np

from roadgraph.evaluation.forecast import INTERVAL_QUANTILES

TEMPERATURES = (0.05, 20.0)
"""Within which a temperature is sought: cells that are all right have no best one."""

HALVINGS = 40
"""Of the range of temperatures: far finer than any figure is shown."""


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature ``T`` by which ``softmax(logits / T)`` has the least log loss.

    Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks", section
    4.2): above 1 where a model is too sure. The log loss is convex in ``1 / T``, so its slope
    ``mean(E_p[z] - z_label)`` is halved down to its only root.

    Args:
        logits: ``[M, classes]`` on the **validation span**; logarithms of probabilities do as well.
        label: ``[M]`` class indices.

    Returns:
        A temperature from 0.05 to 20, 1 without a cell.
    """
    if not len(label):
        return 1.0
    logits = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = float(logits[np.arange(len(label)), label].mean())

    def slope(inverse: float) -> float:
        weight = np.exp(logits * inverse)
        return float(((weight * logits).sum(axis=1) / weight.sum(axis=1)).mean()) - chosen

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        if slope(middle) < 0:
            low = middle
        else:
            high = middle
    return 1 / float(np.sqrt(low * high))


def at_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Return ``softmax(ln(probability) / temperature)`` over the last axis, float32.

    It is what the logits behind ``probability`` give when they are divided by ``temperature``.
    """
    logits = np.log(np.maximum(probability, 1e-12)) / temperature
    weight = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (weight / weight.sum(axis=-1, keepdims=True)).astype(np.float32)


def interval_margins(p10: np.ndarray, p90: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return by how much to widen the intervals of each horizon to hold 80 %, ``[H]``.

    Conformalised quantile regression (Romano et al. 2019, eq. 6 to 8): the score of a cell is how
    far its speed lies outside the interval, below 0 within; the margin is the ``ceil(0.8 (n + 1))``
    smallest score. ``[p10 - margin, p90 + margin]`` holds at least 80 % of new cells that are
    exchangeable with these. A margin below 0 narrows:
    :meth:`~roadgraph.training.adjustment.Adjustment.applied` then takes neither end past the
    forecast, so that they cannot cross.

    Args:
        p10, p90: ``[O, H, N]`` the model's quantiles on the **validation span**.
        observed: ``[O, H, N]`` the speeds, NaN where unknown.

    Returns:
        Margins in the unit of the speeds, 0 at a horizon without a known speed.
    """
    share = INTERVAL_QUANTILES[1] - INTERVAL_QUANTILES[0]
    score = np.maximum(p10 - observed, observed - p90)
    margins = np.zeros(score.shape[1])
    for place in range(score.shape[1]):
        known = score[:, place][~np.isnan(score[:, place])]
        if len(known):
            # A few cells cannot promise the share; then the largest score has to do.
            rank = min(int(np.ceil(share * (len(known) + 1))), len(known)) - 1
            margins[place] = np.partition(known, rank)[rank]
    return margins
