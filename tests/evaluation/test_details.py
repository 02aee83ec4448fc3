from dataclasses import fields

import numpy as np
import pytest

from roadgraph.dataset.labels import Labels
from roadgraph.evaluation.answers import Answers
from roadgraph.evaluation.details import BINS, Details
from roadgraph.evaluation.forecast import Forecast
from roadgraph.schema import NO_LABEL

SLICES, SEGMENTS = 60, 5
ORIGINS = np.arange(4, 50)
SILENT = 4  # the segment that is never observed


@pytest.fixture(scope="module")
def labels() -> Labels:
    """A third of the cells has no class, another third no speed."""
    chance = np.random.default_rng(0)
    congestion = chance.integers(0, 4, (SLICES, SEGMENTS)).astype(np.int8)
    speed = chance.uniform(5, 60, (SLICES, SEGMENTS))
    congestion[chance.random(congestion.shape) < 1 / 3] = NO_LABEL
    speed[chance.random(speed.shape) < 1 / 3] = np.nan
    congestion[:, SILENT], speed[:, SILENT] = NO_LABEL, np.nan
    rush = chance.integers(-1, 2, SLICES).astype(np.int8)
    return Labels(congestion, rush, speed)


@pytest.fixture(scope="module")
def forecast() -> Forecast:
    """A forecast of one horizon whose class is not always the likeliest one."""
    chance = np.random.default_rng(1)
    cells = (len(ORIGINS), 1, SEGMENTS)
    return Forecast(
        "drawn",
        ORIGINS,
        chance.integers(0, 4, cells).astype(np.int8),
        chance.dirichlet(np.ones(4), cells).astype(np.float32),
        chance.integers(0, 2, cells[:2]).astype(np.int8),
        chance.uniform(5, 60, cells).astype(np.float32),
    )


def details_of(forecast: Forecast, labels: Labels, hours: np.ndarray) -> Details:
    chosen = np.ix_(np.arange(len(ORIGINS)), np.array([0]))
    answers = Answers.of(forecast, labels, ORIGINS[:, None] + 2, chosen)
    return Details.of(answers, hours, SEGMENTS)


def by_loop(forecast: Forecast, labels: Labels, hours: np.ndarray) -> dict[str, list[list[float]]]:
    """Return the values that each group's means are of, gathered cell by cell."""
    assert forecast.congestion is not None
    assert forecast.congestion_probability is not None
    assert forecast.speed_kph is not None
    gathered: dict[str, list[list[float]]] = {
        **{name: [[] for _ in range(BINS)] for name in ("sure", "sure_right")},
        **{name: [[] for _ in range(24)] for name in ("hour_right", "hour_error")},
        **{name: [[] for _ in range(SEGMENTS)] for name in ("segment_right", "segment_error")},
    }
    for place, origin in enumerate(ORIGINS):
        target = origin + 2
        for segment in range(SEGMENTS):
            label, speed = labels.congestion[target, segment], labels.speed_kph[target, segment]
            hour = int(hours[target])
            if label != NO_LABEL:
                answer = forecast.congestion[place, 0, segment]
                sure = float(forecast.congestion_probability[place, 0, segment, answer])
                bin_ = min(int(sure * BINS), BINS - 1)
                right = float(answer == label)
                gathered["sure"][bin_].append(sure)
                gathered["sure_right"][bin_].append(right)
                gathered["hour_right"][hour].append(right)
                gathered["segment_right"][segment].append(right)
            if not np.isnan(speed):
                error = abs(float(speed) - float(forecast.speed_kph[place, 0, segment]))
                gathered["hour_error"][hour].append(error)
                gathered["segment_error"][segment].append(error)
    return gathered


def test_details_are_those_of_a_plain_loop(labels: Labels, forecast: Forecast) -> None:
    hours = (np.arange(SLICES) / 4 + 7.25) % 24
    details = details_of(forecast, labels, hours)
    gathered = by_loop(forecast, labels, hours)
    for found, name in (
        (details.confidence, "sure"),
        (details.confidence_right_share, "sure_right"),
        (details.hour_right_share, "hour_right"),
        (details.hour_speed_mae_kph, "hour_error"),
        (details.segment_right_share, "segment_right"),
        (details.segment_speed_mae_kph, "segment_error"),
    ):
        expected = [float(np.mean(values)) if values else np.nan for values in gathered[name]]
        assert found is not None
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)
    for cells, name in (
        (details.confidence_cells, "sure"),
        (details.hour_cells, "hour_right"),
        (details.segment_cells, "segment_right"),
    ):
        np.testing.assert_array_equal(cells, [len(values) for values in gathered[name]])


def test_nothing_observed_is_not_a_number(labels: Labels, forecast: Forecast) -> None:
    details = details_of(forecast, labels, np.full(SLICES, 23.75))
    assert details.hour_cells[:23].sum() == 0
    for share in (details.hour_right_share, details.hour_speed_mae_kph):
        assert share is not None
        assert np.isnan(share[:23]).all()
        assert not np.isnan(share[23])
    assert details.segment_cells[SILENT] == 0
    for share in (details.segment_right_share, details.segment_speed_mae_kph):
        assert share is not None
        assert np.isnan(share).tolist() == [False] * SILENT + [True]


def test_rush_hours_are_counted_by_label_and_answer(labels: Labels, forecast: Forecast) -> None:
    details = details_of(forecast, labels, np.zeros(SLICES))
    assert forecast.rush_hour is not None
    expected = [[0, 0], [0, 0]]
    for origin, (answer,) in zip(ORIGINS, forecast.rush_hour, strict=True):
        label = labels.rush_hour[origin + 2]
        if label != NO_LABEL:
            expected[label][answer] += 1
    assert details.rush_hour_confusion is not None
    assert details.rush_hour_confusion.tolist() == expected


def test_what_is_not_answered_has_no_details(labels: Labels, forecast: Forecast) -> None:
    silent = Forecast("silent", ORIGINS, None, None, None, None)
    hours = np.zeros(SLICES)
    details = details_of(silent, labels, hours)
    known = {field.name for field in fields(Details) if getattr(details, field.name) is not None}
    assert known == {"hour_cells", "segment_cells"}
    np.testing.assert_array_equal(
        details.segment_cells, details_of(forecast, labels, hours).segment_cells
    )


def test_classes_without_probabilities_have_no_reliability(
    labels: Labels, forecast: Forecast
) -> None:
    classes = Forecast("classes", ORIGINS, forecast.congestion, None, None, None)
    details = details_of(classes, labels, np.zeros(SLICES))
    assert details.confidence is None
    assert details.confidence_cells is None
    assert details.hour_right_share is not None
