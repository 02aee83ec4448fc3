"""What is set on the validation span once a model is trained, and how it changes its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadgraph.evaluation.forecast import Forecast
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL
from roadgraph.training.calibration import at_temperature, fit_temperature, interval_margins
from roadgraph.training.decision import decide, macro_f1_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.settings import TrainingSettings

    Ask = Callable[[np.ndarray, np.ndarray | None], dict[str, np.ndarray]]

HIDING_SEED = 1
MOST_ROUNDS = 5  # in which every segment is treated as unseen once


@dataclass(frozen=True)
class Adjustment:
    """Numbers that turn a model's answers into those that are given out.

    Attributes:
        congestion_temperature, rush_hour_temperature: the logits are divided by them.
        decision_weights: ``[4]`` by which the congestion class is decided.
        interval_margins_kph: ``[H]`` by which the speed interval is widened at both ends.
    """

    congestion_temperature: float
    rush_hour_temperature: float
    decision_weights: np.ndarray
    interval_margins_kph: np.ndarray

    @classmethod
    def none(cls, horizons: int) -> Adjustment:
        """Return the adjustment that changes nothing."""
        return cls(1.0, 1.0, np.ones(len(CONGESTION_CLASSES)), np.zeros(horizons))

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return {
            "congestion_temperature": self.congestion_temperature,
            "rush_hour_temperature": self.rush_hour_temperature,
            "decision_weights": self.decision_weights.tolist(),
            "interval_margins_kph": self.interval_margins_kph.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Adjustment:
        """Return what :meth:`to_dict` made plain."""
        return cls(
            float(content["congestion_temperature"]),
            float(content["rush_hour_temperature"]),
            np.asarray(content["decision_weights"], dtype=np.float64),
            np.asarray(content["interval_margins_kph"], dtype=np.float64),
        )

    def applied(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the adjusted answers of :func:`~roadgraph.training.inference.answers`.

        With them ``congestion_class [O, H, N]``, which is decided by the weights.
        """
        adjusted = dict(given)
        for task in ("congestion", "rush_hour"):
            temperature = getattr(self, f"{task}_temperature")
            if task in given and temperature != 1:
                adjusted[task] = at_temperature(given[task], temperature)
        if "congestion" in given:
            adjusted["congestion_class"] = decide(adjusted["congestion"], self.decision_weights)
        if "speed" in given:
            low, high = np.moveaxis(given["speed_interval"], -1, 0)
            margin = self.interval_margins_kph[:, None]
            # A margin may be below 0; the interval still holds the forecast.
            low = np.maximum(np.minimum(low - margin, given["speed"]), 0)
            high = np.maximum(high + margin, given["speed"])
            adjusted["speed_interval"] = np.stack([low, high], axis=-1).astype(np.float32)
        return adjusted


@dataclass(frozen=True)
class Adjustments:
    """The adjustments of a city's segments.

    Attributes:
        seen: of segments that were observed in the training span.
        unseen: of the others, of which a forecaster knows less.
        is_unseen: ``[N]`` bool.
    """

    seen: Adjustment
    unseen: Adjustment
    is_unseen: np.ndarray

    @classmethod
    def same(cls, adjustment: Adjustment, segments: int) -> Adjustments:
        """Return ``adjustment`` for all of so many segments."""
        return cls(adjustment, adjustment, np.zeros(segments, dtype=bool))

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return {
            "seen": self.seen.to_dict(),
            "unseen": self.unseen.to_dict(),
            "unseen_segments": np.flatnonzero(self.is_unseen).tolist(),
            "segments": len(self.is_unseen),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Adjustments:
        """Return what :meth:`to_dict` made plain."""
        is_unseen = np.zeros(content["segments"], dtype=bool)
        is_unseen[content["unseen_segments"]] = True
        return cls(
            Adjustment.from_dict(content["seen"]),
            Adjustment.from_dict(content["unseen"]),
            is_unseen,
        )

    def forecast(self, name: str, origins: np.ndarray, given: dict[str, np.ndarray]) -> Forecast:
        """Return the adjusted answers in the form in which every forecaster is judged.

        Rush hour is a property of the slice, so its probability is the mean over the segments.
        """
        adjusted = self.seen.applied(given)
        if self.is_unseen.any():
            for task, answer in self.unseen.applied(given).items():
                adjusted[task] = adjusted[task].copy()
                adjusted[task][:, :, self.is_unseen] = answer[:, :, self.is_unseen]
        rush = adjusted["rush_hour"][..., 1].mean(axis=2) if "rush_hour" in adjusted else None
        interval = adjusted.get("speed_interval")
        return Forecast(
            name,
            origins,
            adjusted.get("congestion_class"),
            adjusted.get("congestion"),
            None if rush is None else (rush > 0.5).astype(np.int8),
            adjusted.get("speed"),
            None if interval is None else interval[..., 0],
            None if interval is None else interval[..., 1],
            rush,
        )


def fit_adjustments(ask: Ask, dataset: Dataset, settings: TrainingSettings) -> Adjustments:
    """Return the adjustments that suit a forecaster's answers on the **validation span**.

    Of segments that are never observed there is no label to adjust by. Where the forecaster has
    learned to do without observations (``training.hidden_share``), observed segments stand in for
    them: in a few rounds each is treated once as if it had never been observed, and the answers
    that it gets then are what the adjustment of unseen segments is made by.

    Args:
        ask: gives the answers from ``origins [O]`` when the segments of a mask ``[N]`` (None: no
            segment) are treated as never observed.
        dataset: labels, horizons and spans.
        settings: ``temperature``, ``decision`` and ``hidden_share`` are used.
    """
    origins = dataset.splits.validation.origins(dataset.window, max(dataset.horizons))
    seen_at_all = dataset.grid.observed[: dataset.splits.train.stop].any(axis=0)
    is_unseen = np.logical_not(seen_at_all)
    share, segments = settings.hidden_share, len(is_unseen)
    if not share:
        seen = fit_adjustment(ask(origins, None), origins, dataset, settings)
        return Adjustments(seen, seen, is_unseen)
    rounds = min(max(round(1 / share), 2), MOST_ROUNDS)
    turn = np.random.default_rng(HIDING_SEED).permutation(segments) % rounds
    hidden: dict[str, np.ndarray] = {}
    for number in range(rounds):
        for task, answer in ask(origins, turn == number).items():
            hidden.setdefault(task, np.empty_like(answer))
            hidden[task][:, :, turn == number] = answer[:, :, turn == number]
    unseen = fit_adjustment(hidden, origins, dataset, settings)
    if dataset.task == "estimate_hidden":
        # What is seen is not estimated; its label is the observation that is looked at.
        return Adjustments(unseen, unseen, is_unseen)
    seen = fit_adjustment(ask(origins, None), origins, dataset, settings)
    return Adjustments(seen, unseen, is_unseen)


def fit_adjustment(
    given: dict[str, np.ndarray],
    origins: np.ndarray,
    dataset: Dataset,
    settings: TrainingSettings,
) -> Adjustment:
    """Return the adjustment that suits a model's answers on the **validation span**.

    Args:
        given: the answers of :func:`~roadgraph.training.inference.answers`.
        origins: ``[O]`` of the validation span.
        dataset: labels and horizons.
        settings: ``temperature`` and ``decision`` are used.
    """
    nothing = Adjustment.none(len(dataset.horizons))
    targets = origins[:, None] + np.asarray(dataset.horizons)
    temperatures = {"congestion": 1.0, "rush_hour": 1.0}
    weights, margins = nothing.decision_weights, nothing.interval_margins_kph
    label = dataset.labels.congestion[targets]
    rush = np.broadcast_to(dataset.labels.rush_hour[targets][..., None], label.shape)
    if settings.temperature:
        for task, of_task in (("congestion", label), ("rush_hour", rush)):
            if task in given:
                known = of_task != NO_LABEL
                if not known.any():
                    continue
                logits = np.log(np.maximum(given[task][known], 1e-12))
                temperatures[task] = fit_temperature(logits, of_task[known])
    if settings.decision == "macro_f1" and "congestion" in given:
        known = label != NO_LABEL
        if known.any():
            probability = at_temperature(given["congestion"][known], temperatures["congestion"])
            weights = macro_f1_weights(probability, label[known])
    if "speed" in given:
        low, high = np.moveaxis(given["speed_interval"], -1, 0)
        margins = interval_margins(low, high, dataset.labels.speed_kph[targets])
    return Adjustment(temperatures["congestion"], temperatures["rush_hour"], weights, margins)
