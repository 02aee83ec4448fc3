"""From a forecast to what moved it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from roadgraph.calendar import city_zone
from roadgraph.explain.explanation import FEATURES, Account, Explanation
from roadgraph.explain.gradients import integrated_gradients
from roadgraph.explain.question import Question, asked
from roadgraph.explain.scene import Scene
from roadgraph.explain.surroundings import RELATIONS, surroundings_of
from roadgraph.schema import CONGESTION_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.explain.answers import Reading
    from roadgraph.explain.explanation import Hears, Quantity
    from roadgraph.network.network import Network
    from roadgraph.predict.forecaster import Forecaster
    from roadgraph.predict.observations import Observations

LEAST = {"speed": 1.0, "congestion": 0.01}
"""Differences in km/h and in probability of which no smaller share has to be told apart."""


def explain_forecast(
    forecaster: Forecaster,
    network: Network,
    observations: Observations,
    at: pd.Timestamp,
    segment_id: str,
    horizon_min: int | None = None,
    abstain_below: float = 0.0,
) -> Explanation:
    """Explain the forecast of one segment at one horizon.

    The number that the predictions show is compared with what the model says of an ordinary day
    (see :mod:`roadgraph.explain.ordinary`), and the difference is shared out among the observations
    of all segments that it hears by :func:`~roadgraph.explain.gradients.integrated_gradients`. How
    far that ordinary day is from the average of an ordinary week is what the time of the week
    does.

    Everything between the input channels and the number is differentiated: the model, the speed
    that it starts from, the scale and the floor of 0 km/h, the temperature of the probabilities.
    Left out are the choice of the class, which is held fixed, and the interval of the speed.

    Args:
        forecaster: the model on ``network``.
        network: the roads.
        observations: of :meth:`~roadgraph.predict.forecaster.Forecaster.observations`.
        at: a moment at which a slice ends.
        segment_id: the segment.
        horizon_min: minutes ahead; None: 30 or the nearest that the model has.
        abstain_below: as in :func:`~roadgraph.predict.predictions.predict_at`.

    Raises:
        BundleError: the model forecasts neither speed nor congestion.
        DataError: nothing was observed by then, or the model does not answer for this segment.
        SettingsError: there is no such segment or horizon.
    """
    question = asked(forecaster, network, observations, at, segment_id, horizon_min)
    if question.basis == "history":
        return _typical(question, forecaster, network, observations, abstain_below)
    scene = Scene.of(question)
    asked_for = []
    if "speed" in scene.bundle.options.tasks:
        asked_for.append(Asked("speed", None, scene.speed()))
    congestion, probabilities, abstains = None, None, False
    if "congestion" in scene.bundle.options.tasks:
        chosen, told, reading = scene.answered_class()
        congestion = CONGESTION_CLASSES[chosen]
        probabilities = dict(zip(CONGESTION_CLASSES, told.tolist(), strict=True))
        least = max(abstain_below, forecaster.bundle.settings["evaluation"]["abstain_below"])
        abstains = probabilities[congestion] < least
        asked_for.append(Asked("congestion", congestion, reading))
    accounts = _accounts(scene, asked_for)
    speeds = [account.answer for account in accounts if account.quantity == "speed"]
    return _explanation(
        question,
        network,
        speed_kph=speeds[0] if speeds else None,
        congestion=congestion,
        probabilities=probabilities,
        abstains=abstains,
        heard=_heard_table(scene, network),
        accounts=accounts,
    )


class Asked(NamedTuple):
    """A number that is to be explained.

    Attributes:
        quantity: of what.
        answered: the congestion class; None for the speed.
        reading: gives it.
    """

    quantity: Quantity
    answered: str | None
    reading: Reading


def _accounts(scene: Scene, asked_for: Sequence[Asked]) -> tuple[Account, ...]:
    """Return what moved each of the numbers."""
    x, baseline = scene.inputs(scene.grid), scene.inputs(scene.ordinary)
    channels = scene.preparation.channels
    groups = [[channels.index(name) for name in names] for names in FEATURES.values()]
    weeks = scene.week([each.reading for each in asked_for])
    accounts = []
    for (quantity, answered, reading), week in zip(asked_for, weeks, strict=True):
        answer = scene.answer(reading)
        found = integrated_gradients(answer, x, baseline, scene.at_once, LEAST[quantity])
        by_channel = found.values.sum(axis=0)  # [M, C]
        values = np.stack([by_channel[:, group].sum(axis=1) for group in groups], axis=1)
        accounts.append(
            Account(
                quantity,
                answered,
                found.answer,
                found.baseline,
                week,
                values,
                found.gap,
                found.is_rough,
                found.steps,
            )
        )
    return tuple(accounts)


def _heard_table(scene: Scene, network: Network) -> pd.DataFrame:
    """Return the table :attr:`Explanation.heard`."""
    places = scene.question.part.places[scene.heard.places]
    around = surroundings_of(network, scene.question.place)
    window = slice(-scene.bundle.window, None)
    seen = scene.grid.observed[window]
    speed = np.where(seen, scene.grid.speed_kph[window], 0)
    starts = scene.grid.slice_starts[window]
    typical = scene.preparation.history.at(starts, city_zone(scene.bundle.timezone))
    times = seen.sum(axis=0)
    some = np.maximum(times, 1)
    usual = np.where(times, (typical * seen).sum(axis=0) / some, typical.mean(axis=0))
    segments = network.segments.iloc[places]
    return pd.DataFrame(
        {
            "place": places,
            "segment_id": segments["segment_id"].to_numpy(),
            "name": segments["name"].to_numpy(),
            "relation": np.array(RELATIONS, dtype=object)[around.relations[places]],
            "links": around.links[places],
            "metres": around.metres[places],
            "observed_kph": np.where(times, speed.sum(axis=0) / some, np.nan),
            "usual_kph": usual,
            "seen": times,
        }
    )


def _typical(
    question: Question,
    forecaster: Forecaster,
    network: Network,
    observations: Observations,
    abstain_below: float,
) -> Explanation:
    """Return the explanation of a forecast that rests on what is typical."""
    table = forecaster.forecast(observations, question.at, abstain_below)
    asked_for = (pc.field("segment_id") == network.segment_ids[question.place]) & (
        pc.field("horizon_min") == question.horizon_min
    )
    row = table.filter(asked_for).to_pylist()[0]
    congestion = row["congestion"]
    return _explanation(
        question,
        network,
        speed_kph=row["speed"],
        congestion=congestion,
        probabilities=None,
        abstains="congestion" in forecaster.bundle.options.tasks and congestion is None,
        heard=pd.DataFrame(),
        accounts=(),
    )


def _explanation(
    question: Question,
    network: Network,
    *,
    speed_kph: float | None,
    congestion: str | None,
    probabilities: dict[str, float] | None,
    abstains: bool,
    heard: pd.DataFrame,
    accounts: tuple[Account, ...],
) -> Explanation:
    bundle = question.part.bundle
    segment = network.segments.iloc[question.place]
    step = pd.Timedelta(minutes=bundle.slice_minutes)
    hears: Hears = "links" if len(heard) > 1 else "nobody"
    if bundle.model.hears_all:
        hears = "all"
    return Explanation(
        segment_id=segment["segment_id"],
        name=segment["name"],
        issued_at=question.at,
        looked_until=question.origin,
        slice_start=question.at + pd.Timedelta(minutes=question.horizon_min) - step,
        horizon_min=question.horizon_min,
        slice_minutes=bundle.slice_minutes,
        window=bundle.window,
        model=bundle.title,
        hears=hears,
        basis=question.basis,
        is_new=bool(question.part.new[question.own]),
        speed_kph=speed_kph,
        congestion=congestion,
        probabilities=probabilities,
        abstains=abstains,
        heard=heard,
        accounts=accounts,
    )
