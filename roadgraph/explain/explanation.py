"""What moved one forecast, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from roadgraph.explain.surroundings import RELATIONS, Relation

FEATURES: dict[str, tuple[str, ...]] = {
    "speed": ("mean_speed", "median_speed"),
    "spread": ("speed_std",),
    "vehicles": ("count_probes", "quality_score"),
}
"""What is told apart of the observations, and the input channels that are each of it."""

LISTED = 50
"""Segments that the file for programs names, those that moved the forecast most."""

Quantity = Literal["speed", "congestion"]
Hears = Literal["nobody", "links", "all"]
Basis = Literal["observations", "history"]


@dataclass(frozen=True)
class Account:
    """What moved one number of a forecast.

    ``answer = week + time_of_week + values.sum()``, but for ``gap``.

    Attributes:
        quantity: ``speed`` in km/h, or ``congestion``: the probability, 0 to 1, of ``answered``.
        answered: the congestion class that is answered; None for the speed.
        answer: the number that is forecast.
        ordinary: what the model says of an ordinary day at the same time of the week.
        week: what it says of an ordinary week on average.
        values: ``[M, 3]`` how much each segment's observations moved it, in the order of
            ``FEATURES``.
        gap: by how much ``values`` miss ``answer - ordinary``.
        is_rough: the gap is larger than it should be.
        steps: of the integral.
    """

    quantity: Quantity
    answered: str | None
    answer: float
    ordinary: float
    week: float
    values: np.ndarray
    gap: float
    is_rough: bool
    steps: int

    @property
    def time_of_week(self) -> float:
        """How far an ordinary day at this time of the week is from the week's average."""
        return self.ordinary - self.week

    @property
    def of_segments(self) -> np.ndarray:
        """How much each segment moved it, ``[M]``."""
        return np.asarray(self.values.sum(axis=1))


@dataclass(frozen=True)
class Explanation:
    """A forecast for one segment and horizon, and what moved it.

    Attributes:
        segment_id: the segment.
        name: of its road, or None.
        issued_at: time of the forecast.
        looked_until: end of the newest slice with any observation, which the model looks back from.
        slice_start: of the slice that is forecast.
        horizon_min: minutes from ``issued_at`` to the end of that.
        slice_minutes: length of a slice.
        window: slices that the model looks at.
        model: its title.
        hears: whether it hears nobody but the segment, what is linked to it, or all roads.
        basis: one of ``schema.BASES``. ``history``: no model's forecast reaches that far, so it is
            what is typical, and there is no account.
        is_new: the segment was added since the model was trained, which forecasts it as one that
            had never been observed till then.
        speed_kph: that is forecast; None where the model forecasts none.
        congestion: the class that is answered, or would be if it were likely enough; None where
            the model forecasts none.
        probabilities: of all congestion classes, in the order of ``schema.CONGESTION_CLASSES``;
            None where nothing is known of them. The class that is answered need not be the
            likeliest: it is decided by weights, see :func:`~roadgraph.training.decision.decide`.
        abstains: the class is not answered, because its probability is too small.
        heard: ``[M]`` rows, the segments that the model hears for it: ``place`` in the network,
            ``segment_id``, ``name``, ``relation``, ``links`` and ``metres`` as in
            :class:`~roadgraph.explain.surroundings.Surroundings`, ``observed_kph`` (mean over the
            slices of the window that saw it; NaN: none did), ``usual_kph`` (of the same slices) and
            ``seen``, the number of these.
        accounts: of the speed and of the congestion class, what the model has of them.
    """

    segment_id: str
    name: str | None
    issued_at: pd.Timestamp
    looked_until: pd.Timestamp
    slice_start: pd.Timestamp
    horizon_min: int
    slice_minutes: int
    window: int
    model: str
    hears: Hears
    basis: Basis
    is_new: bool
    speed_kph: float | None
    congestion: str | None
    probabilities: dict[str, float] | None
    abstains: bool
    heard: pd.DataFrame
    accounts: tuple[Account, ...]

    @property
    def slice_end(self) -> pd.Timestamp:
        """The end of the slice that is forecast."""
        return self.issued_at + pd.Timedelta(minutes=self.horizon_min)

    @property
    def probability(self) -> float | None:
        """The probability of :attr:`congestion`; None where nothing is known of it."""
        if self.probabilities is None or self.congestion is None:
            return None
        return self.probabilities[self.congestion]

    def by_relation(self, account: Account) -> dict[Relation, float]:
        """Return how much the segments of each relation moved the number together."""
        relations = self.heard["relation"].to_numpy()
        return {name: float(account.of_segments[relations == name].sum()) for name in RELATIONS}

    def strongest(self, account: Account, count: int) -> list[int]:
        """Return which rows of ``heard`` moved the number most, the segment itself left out."""
        others = np.flatnonzero(self.heard["relation"].to_numpy() != "itself")
        order = np.argsort(-np.abs(account.of_segments[others]), kind="stable")
        return [int(row) for row in others[order[:count]]]

    def own(self) -> int:
        """Return the row of ``heard`` that is the segment itself."""
        return int(np.flatnonzero(self.heard["relation"].to_numpy() == "itself")[0])

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, times in UTC, speeds in km/h."""
        return {
            "segment_id": self.segment_id,
            "name": self.name,
            "issued_at": _utc(self.issued_at),
            "looked_until": _utc(self.looked_until),
            "slice_start": _utc(self.slice_start),
            "horizon_min": self.horizon_min,
            "slice_minutes": self.slice_minutes,
            "window": self.window,
            "model": self.model,
            "basis": self.basis,
            "new_segment": self.is_new,
            "hears": self.hears,
            "speed_kph": self.speed_kph,
            "congestion": self.congestion,
            "probability": self.probability,
            "probabilities": self.probabilities,
            "abstains": self.abstains,
            "accounts": [self._account(account) for account in self.accounts],
        }

    def _account(self, account: Account) -> dict[str, Any]:
        rows = [self.own(), *self.strongest(account, LISTED - 1)] if len(self.heard) else []
        return {
            "quantity": account.quantity,
            "unit": "km/h" if account.quantity == "speed" else "1",
            "answered": account.answered,
            "answer": account.answer,
            "ordinary": account.ordinary,
            "ordinary_week": account.week,
            "time_of_week": account.time_of_week,
            "by_relation": self.by_relation(account),
            "segments_heard": len(self.heard),
            "segments": [self._segment(account, row) for row in rows],
            "gap": account.gap,
            "is_rough": account.is_rough,
            "steps": account.steps,
        }

    def _segment(self, account: Account, row: int) -> dict[str, Any]:
        facts = self.heard.iloc[row].to_dict()
        return {
            "segment_id": facts["segment_id"],
            "name": facts["name"],
            "relation": facts["relation"],
            "links": None if facts["relation"] == "elsewhere" else int(facts["links"]),
            "metres": float(facts["metres"]),
            "observed_kph": float(facts["observed_kph"]),
            "usual_kph": float(facts["usual_kph"]),
            "slices_seen": int(facts["seen"]),
            "moved": float(account.of_segments[row]),
            "moved_by": dict(zip(FEATURES, account.values[row].tolist(), strict=True)),
        }


def _utc(time: pd.Timestamp) -> str:
    return time.tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
