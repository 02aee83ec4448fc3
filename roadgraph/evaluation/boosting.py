"""Gradient boosting: the baseline that learns from a segment's window and its neighbours."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError
from roadgraph.evaluation.boosting_features import CellFeatures
from roadgraph.evaluation.forecast import INTERVAL_QUANTILES, Forecast
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightgbm import Booster

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.dataset.splits import Span
    from roadgraph.settings import Settings

NAME = "gradient boosting"
SEED = 1
MOST_ROWS = 100_000  # a horizon, drawn from its labelled cells
MOST_RUSH_ROWS = 20_000  # the label is one a slice, so more cells say little more
MOST_ROUNDS, PATIENCE = 300, 20
CELLS_AT_ONCE = 500_000  # in memory when forecasting
PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # horizons run side by side: threads of OpenMP would wait for each other
    "verbosity": -1,
}
CONGESTION = {"objective": "multiclass", "num_class": len(CONGESTION_CLASSES)}
RUSH_HOUR = {"objective": "binary"}
SPEED = {"objective": "huber", "alpha": 15.0}  # squares up to 15 km/h
SPEED_LOW, SPEED_HIGH = (
    {"objective": "quantile", "alpha": quantile} for quantile in INTERVAL_QUANTILES
)


@dataclass(frozen=True)
class Boosting:
    """Trained trees, ready to forecast from any origins of the city.

    Attributes:
        steps: the boosters of each horizon: congestion, rush hour, change of speed, and its 10 and
            90 % quantiles.
        features: of the dataset that they were trained on.
    """

    steps: tuple[dict[str, Booster], ...]
    features: CellFeatures

    def forecast(
        self, dataset: Dataset, origins: np.ndarray, decision_weights: np.ndarray | None = None
    ) -> Forecast:
        """Return the answers from ``origins`` ``[O]`` for every segment and horizon.

        Args:
            dataset: that the trees were trained on.
            origins: places in time; the window before each must be there.
            decision_weights: ``[4]``; the class with the largest ``probability * weight`` is
                answered, as by a model; None answers the likeliest.
        """
        segments = dataset.graph.segments
        parts = -(-len(origins) * segments // CELLS_AT_ONCE)
        blocks = [
            self._answers(block, dataset.horizons, segments)
            for block in np.array_split(origins, max(parts, 1))
        ]
        given = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        weights = np.ones(len(CONGESTION_CLASSES)) if decision_weights is None else decision_weights
        rush = given["rush_hour"].mean(axis=2)
        # Trees of their own may cross; the interval holds the forecast.
        speed = given["speed"]
        return Forecast(
            NAME,
            origins,
            (given["congestion"] * weights).argmax(axis=-1).astype(np.int8),
            given["congestion"],
            (rush > 0.5).astype(np.int8),
            speed,
            np.minimum(given["speed_low"], speed),
            np.maximum(given["speed_high"], speed),
            rush,
        )

    def _answers(
        self, origins: np.ndarray, horizons: tuple[int, ...], segments: int
    ) -> dict[str, np.ndarray]:
        origin = np.repeat(origins, segments)
        segment = np.tile(np.arange(segments), len(origins))
        last = self.features.last_kph[origin, segment]
        answers: dict[str, list[np.ndarray]] = {}
        for step, boosters in zip(horizons, self.steps, strict=True):
            table = self.features.at(origin, segment, step)
            for task, booster in boosters.items():
                answer = np.asarray(booster.predict(table), dtype=np.float32)
                if task.startswith("speed"):
                    answer = np.maximum(last + answer, 0)
                shape = (len(origins), segments, *answer.shape[1:])
                answers.setdefault(task, []).append(answer.reshape(shape))
        return {task: np.stack(each, axis=1) for task, each in answers.items()}


def fit_boosting(
    dataset: Dataset, settings: Settings, hidden: np.ndarray | None = None
) -> Boosting:
    """Train trees by LightGBM (Ke et al. 2017) on the training span, horizon by horizon.

    Every horizon has trees of its own for the four classes, rush hour, the change of the speed
    from its last observation, and the 10 and 90 % quantiles of that change. They stop where the
    validation span stops getting better. The same data gives the same trees.

    The speed is trained on Huber's loss, squares up to 15 km/h: on the validation span of Los-loop
    an hour ahead squared errors gave an MAE of 8.2 and an RMSE of 13.4 km/h, absolute errors 7.5
    and 14.4, this 7.6 and 13.9.

    Args:
        dataset: the features are its input channels over the window, the means of the segments
            up- and downstream, and the typical speed where it has that channel.
        settings: ``city`` is used.
        hidden: ``[N]`` bool, segments whose observations are not looked at; None: no segment.

    Raises:
        DataError: no cell of the training span has a label.
    """
    zone = city_zone(settings.city.timezone)
    unseen = np.zeros(dataset.graph.segments, dtype=bool) if hidden is None else hidden
    features = CellFeatures.of(dataset, zone, unseen)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        steps = pool.map(lambda step: _fit_step(dataset, features, unseen, step), dataset.horizons)
        return Boosting(tuple(steps), features)


@dataclass(frozen=True)
class _Rows:
    """Cells to learn from: features, and the labels of their targets."""

    table: np.ndarray
    congestion: np.ndarray
    rush_hour: np.ndarray
    change_kph: np.ndarray


def _fit_step(
    dataset: Dataset, features: CellFeatures, hidden: np.ndarray, step: int
) -> dict[str, Booster]:
    train = _rows(dataset, features, hidden, step, dataset.splits.train, MOST_ROWS)
    check = _rows(dataset, features, hidden, step, dataset.splits.validation, MOST_ROWS // 4)
    if not len(train.table):
        raise DataError("no cell of the training span has a label; gather more days")

    def fit(parameters: dict[str, Any], label: str, most: int = MOST_ROWS) -> Booster:
        return _fit(
            parameters,
            *((rows.table[:most], getattr(rows, label)[:most]) for rows in (train, check)),
        )

    return {
        "congestion": fit(CONGESTION, "congestion"),
        "rush_hour": fit(RUSH_HOUR, "rush_hour", MOST_RUSH_ROWS),
        "speed": fit(SPEED, "change_kph"),
        "speed_low": fit(SPEED_LOW, "change_kph"),
        "speed_high": fit(SPEED_HIGH, "change_kph"),
    }


def _rows(
    dataset: Dataset,
    features: CellFeatures,
    hidden: np.ndarray,
    step: int,
    span: Span,
    most: int,
) -> _Rows:
    """Return at most so many labelled cells of ``span``, in an order drawn by ``SEED``."""
    labels = dataset.labels
    origins = span.origins(dataset.window, max(dataset.horizons))
    labelled = (labels.congestion[origins + step] != NO_LABEL) & ~hidden
    labelled &= ~np.isnan(labels.speed_kph[origins + step])
    row, segment = np.nonzero(labelled)
    drawn = np.random.default_rng(SEED).permutation(len(row))[:most]
    origin, segment = origins[row[drawn]], segment[drawn]
    training = span == dataset.splits.train
    return _Rows(
        features.at(origin, segment, step, training),
        labels.congestion[origin + step, segment],
        labels.rush_hour[origin + step],
        labels.speed_kph[origin + step, segment] - features.last_kph[origin, segment],
    )


def _fit(
    parameters: dict[str, Any],
    train: tuple[np.ndarray, np.ndarray],
    check: tuple[np.ndarray, np.ndarray],
) -> Booster:
    import lightgbm

    options = {**PARAMETERS, **parameters}
    data = lightgbm.Dataset(*train, params=options)
    stop: list[Callable] = (
        [lightgbm.early_stopping(PATIENCE, verbose=False)] if len(check[0]) else []
    )
    watched = [lightgbm.Dataset(*check, reference=data)] if len(check[0]) else []
    return lightgbm.train(options, data, MOST_ROUNDS, valid_sets=watched, callbacks=stop)
