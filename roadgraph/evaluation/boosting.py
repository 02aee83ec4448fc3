"""Gradient boosting: the baseline that learns from a segment's window and its neighbours."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadgraph.errors import DataError
from roadgraph.evaluation.boosting_features import CellFeatures
from roadgraph.evaluation.forecast import INTERVAL_QUANTILES
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

    def answers(
        self, dataset: Dataset, origins: np.ndarray, unseen: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Return the answers for every segment and horizon, in the form of a model's.

        Args:
            dataset: that the trees were trained on.
            origins: ``[O]`` places in time; the window before each must be there.
            unseen: ``[N]`` bool, segments that are treated as never observed; None: no segment.

        Returns:
            ``congestion [O, H, N, 4]`` and ``rush_hour [O, H, N, 2]`` probabilities, ``speed
            [O, H, N]`` and ``speed_interval [O, H, N, 2]`` in km/h.
        """
        segments = dataset.graph.segments
        hidden = np.zeros(segments, dtype=bool) if unseen is None else unseen
        parts = -(-len(origins) * segments // CELLS_AT_ONCE)
        blocks = [
            self._answers(block, dataset.horizons, hidden)
            for block in np.array_split(origins, max(parts, 1))
        ]
        given = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        rush, speed = given["rush_hour"], given["speed"]
        # Trees of their own may cross; the interval holds the forecast.
        low, high = np.minimum(given["speed_low"], speed), np.maximum(given["speed_high"], speed)
        return {
            "congestion": given["congestion"],
            "rush_hour": np.stack([1 - rush, rush], axis=-1),
            "speed": speed,
            "speed_interval": np.stack([low, high], axis=-1),
        }

    def _answers(
        self, origins: np.ndarray, horizons: tuple[int, ...], hidden: np.ndarray
    ) -> dict[str, np.ndarray]:
        segments = len(hidden)
        origin = np.repeat(origins, segments)
        segment = np.tile(np.arange(segments), len(origins))
        unseen = hidden[segment]
        last = self.features.last_kph(origin, segment, unseen)
        answers: dict[str, list[np.ndarray]] = {}
        for step, boosters in zip(horizons, self.steps, strict=True):
            table = self.features.at(origin, segment, step, unseen)
            for task, booster in boosters.items():
                answer = np.asarray(booster.predict(table), dtype=np.float32)
                if task.startswith("speed"):
                    answer = np.maximum(last + answer, 0)
                shape = (len(origins), segments, *answer.shape[1:])
                answers.setdefault(task, []).append(answer.reshape(shape))
        return {task: np.stack(each, axis=1) for task, each in answers.items()}


def fit_boosting(dataset: Dataset, settings: Settings) -> Boosting:
    """Train trees by LightGBM (Ke et al. 2017) on the training span, horizon by horizon.

    Every horizon has trees of its own for the four classes, rush hour, the change of the speed
    from its last observation, and the 10 and 90 % quantiles of that change. They stop where the
    validation span stops getting better. The same data gives the same trees.

    As in the training of a model, ``training.hidden_share`` of the cells are shown as those of
    segments that were never observed; all of them where such segments are to be estimated.

    The speed is trained on Huber's loss, squares up to 15 km/h: on the validation span of Los-loop
    an hour ahead squared errors gave an MAE of 8.2 and an RMSE of 13.4 km/h, absolute errors 7.5
    and 14.4, this 7.6 and 13.9.

    Args:
        dataset: the features are its input channels over the window, the means of the segments
            up- and downstream, and the typical speed where it has that channel.
        settings: ``training.hidden_share`` is used.

    Raises:
        DataError: no cell of the training span has a label.
    """
    share = 1.0 if dataset.task == "estimate_hidden" else settings.training.hidden_share
    features = CellFeatures.of(dataset)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        steps = pool.map(lambda step: _fit_step(dataset, features, share, step), dataset.horizons)
        return Boosting(tuple(steps), features)


@dataclass(frozen=True)
class _Rows:
    """Cells to learn from: features, and the labels of their targets."""

    table: np.ndarray
    congestion: np.ndarray
    rush_hour: np.ndarray
    change_kph: np.ndarray


def _fit_step(
    dataset: Dataset, features: CellFeatures, share: float, step: int
) -> dict[str, Booster]:
    train = _rows(dataset, features, share, step, dataset.splits.train, MOST_ROWS)
    check = _rows(dataset, features, share, step, dataset.splits.validation, MOST_ROWS // 4)
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
    share: float,
    step: int,
    span: Span,
    most: int,
) -> _Rows:
    """Return at most so many labelled cells of ``span``, in an order drawn by ``SEED``.

    The ``share`` of them is shown as of segments that were never observed.
    """
    labels = dataset.labels
    origins = span.origins(dataset.window, max(dataset.horizons))
    labelled = labels.congestion[origins + step] != NO_LABEL
    labelled &= ~np.isnan(labels.speed_kph[origins + step])
    row, segment = np.nonzero(labelled)
    chance = np.random.default_rng(SEED)
    drawn = chance.permutation(len(row))[:most]
    origin, segment = origins[row[drawn]], segment[drawn]
    unseen = chance.random(len(drawn)) < share
    training = span == dataset.splits.train
    return _Rows(
        features.at(origin, segment, step, unseen, training),
        labels.congestion[origin + step, segment],
        labels.rush_hour[origin + step],
        labels.speed_kph[origin + step, segment] - features.last_kph(origin, segment, unseen),
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
