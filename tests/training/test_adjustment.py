import json
from dataclasses import replace

import numpy as np
import pytest

from roadgraph.evaluation.forecast import Forecast
from roadgraph.settings import TrainingSettings
from roadgraph.training.adjustment import (
    Adjustment,
    Adjustments,
    fit_adjustment,
    fit_adjustments,
)
from tests.dataset.toy import toy_dataset, toy_settings

DATASET = toy_dataset(toy_settings())
ORIGINS = DATASET.splits.validation.origins(DATASET.window, max(DATASET.horizons))


def answers_of_chance(seed: int = 0, sharpness: float = 1.0) -> dict[str, np.ndarray]:
    """Return probabilities that lean to the label, and an interval 2 km/h around the speed."""
    rng = np.random.default_rng(seed)
    targets = ORIGINS[:, None] + np.asarray(DATASET.horizons)
    label = np.maximum(DATASET.labels.congestion[targets], 0)
    logits = rng.normal(size=(*label.shape, 4)) + 1.5 * np.eye(4)[label]
    chance = np.exp(sharpness * logits)
    rush = np.full((*label.shape, 2), 0.5, dtype=np.float32)
    speed = np.nan_to_num(DATASET.labels.speed_kph[targets]) + rng.normal(0, 5, label.shape)
    return {
        "congestion": (chance / chance.sum(-1, keepdims=True)).astype(np.float32),
        "rush_hour": rush,
        "speed": speed.astype(np.float32),
        "speed_interval": np.stack([speed - 2, speed + 2], axis=-1).astype(np.float32),
    }


def forecast_of(adjustment: Adjustment, given: dict[str, np.ndarray]) -> Forecast:
    same = Adjustments.same(adjustment, DATASET.graph.segments)
    return same.forecast("toy", ORIGINS, given)


def test_a_model_that_is_twice_as_sure_gets_twice_the_temperature() -> None:
    settings = TrainingSettings()
    plain = fit_adjustment(answers_of_chance(), ORIGINS, DATASET, settings)
    sharp = fit_adjustment(answers_of_chance(sharpness=2.0), ORIGINS, DATASET, settings)
    ratio = sharp.congestion_temperature / plain.congestion_temperature
    assert ratio == pytest.approx(2, rel=1e-3)


def test_the_widened_interval_holds_80_percent_of_the_validation_span() -> None:
    given = answers_of_chance()
    adjustment = fit_adjustment(given, ORIGINS, DATASET, TrainingSettings())
    forecast = forecast_of(adjustment, given)
    truth = DATASET.labels.speed_kph[ORIGINS[:, None] + np.asarray(DATASET.horizons)]
    assert forecast.speed_p10_kph is not None
    assert forecast.speed_p90_kph is not None
    known = ~np.isnan(truth)
    inside = (truth >= forecast.speed_p10_kph) & (truth <= forecast.speed_p90_kph)
    assert inside[known].mean() == pytest.approx(0.8, abs=0.02)
    assert (adjustment.interval_margins_kph > 2).all()


def test_without_temperature_and_with_the_likeliest_class_answers_stay_as_they_are() -> None:
    settings = TrainingSettings(temperature=False, decision="likeliest")
    given = answers_of_chance()
    adjustment = fit_adjustment(given, ORIGINS, DATASET, settings)
    forecast = forecast_of(adjustment, given)
    np.testing.assert_array_equal(forecast.congestion_probability, given["congestion"])
    np.testing.assert_array_equal(forecast.congestion, given["congestion"].argmax(-1))


def test_a_margin_below_zero_narrows_the_interval_to_the_forecast_at_most() -> None:
    given = answers_of_chance()
    margins = np.full(len(DATASET.horizons), -3.0)
    adjusted = Adjustment(1.0, 1.0, np.ones(4), margins).applied(given)
    speed = np.maximum(given["speed"], 0)
    np.testing.assert_array_equal(adjusted["speed_interval"][..., 0], speed)
    np.testing.assert_array_equal(adjusted["speed_interval"][..., 1], given["speed"])


def test_an_adjustment_comes_back_from_plain_types_as_it_went_in() -> None:
    seen = Adjustment(1.5, 0.7, np.array([4.0, 2, 1, 1]), np.array([0.5, 1.0]))
    adjustments = Adjustments(seen, Adjustment.none(2), np.array([False, True, False]))
    again = Adjustments.from_dict(json.loads(json.dumps(adjustments.to_dict())))
    assert again.to_dict() == adjustments.to_dict()
    np.testing.assert_array_equal(again.is_unseen, adjustments.is_unseen)


def test_segments_never_seen_have_an_adjustment_of_their_own() -> None:
    given = answers_of_chance()
    margins = [np.full(len(DATASET.horizons), width) for width in (1.0, 5.0)]
    seen, unseen = (
        Adjustment(temperature, 1.0, weights, margin)
        for temperature, weights, margin in zip(
            (1.0, 2.0), (np.ones(4), np.array([1e9, 1, 1, 1])), margins, strict=True
        )
    )
    mixed = Adjustments(seen, unseen, np.array([False, True, False]))
    forecast = mixed.forecast("toy", ORIGINS, given)
    for place, adjustment in enumerate((seen, unseen, seen)):
        alone = forecast_of(adjustment, given)
        for name in ("congestion", "congestion_probability", "speed_p10_kph", "speed_p90_kph"):
            np.testing.assert_array_equal(
                getattr(forecast, name)[:, :, place], getattr(alone, name)[:, :, place]
            )
    assert forecast.congestion is not None
    assert (forecast.congestion[:, :, 1] == 0).all()


def test_without_hiding_in_training_all_segments_share_an_adjustment() -> None:
    given = answers_of_chance()
    asked = []

    def ask(origins: np.ndarray, unseen: np.ndarray | None) -> dict[str, np.ndarray]:
        asked.append(unseen)
        np.testing.assert_array_equal(origins, ORIGINS)
        return given

    found = fit_adjustments(ask, DATASET, TrainingSettings())
    assert asked == [None]
    expected = fit_adjustment(given, ORIGINS, DATASET, TrainingSettings())
    assert found.seen.to_dict() == found.unseen.to_dict() == expected.to_dict()
    assert not found.is_unseen.any()


def test_each_segment_is_treated_as_unseen_once_for_the_adjustment_of_unseen_ones() -> None:
    given = answers_of_chance()
    hidden = np.zeros(DATASET.graph.segments, dtype=int)

    def ask(origins: np.ndarray, unseen: np.ndarray | None) -> dict[str, np.ndarray]:
        # A model that is far off for those that it does not see, and sharp for the others.
        spread = np.where(np.zeros(3, dtype=bool) if unseen is None else unseen, 9.0, 0.5)
        if unseen is not None:
            hidden[unseen] += 1
        interval = given["speed"][..., None] + spread[:, None] * np.array([-1, 1])
        wrong = given["speed"] + np.where(spread > 1, 20, 0).astype(np.float32)
        return {"speed": wrong, "speed_interval": interval + (wrong - given["speed"])[..., None]}

    settings = TrainingSettings(hidden_share=0.3)
    found = fit_adjustments(ask, DATASET, settings)
    assert hidden.tolist() == [1, 1, 1]
    assert (found.unseen.interval_margins_kph > found.seen.interval_margins_kph + 5).all()
    estimated = fit_adjustments(ask, replace(DATASET, task="estimate_hidden"), settings)
    assert estimated.seen is estimated.unseen


def test_a_model_without_classes_or_speed_has_none_in_its_forecast() -> None:
    given = answers_of_chance()
    of_speed = {name: given[name] for name in ("speed", "speed_interval")}
    adjustment = fit_adjustment(of_speed, ORIGINS, DATASET, TrainingSettings())
    forecast = forecast_of(adjustment, of_speed)
    assert forecast.congestion is None
    assert forecast.rush_hour is None
    of_rush = {"rush_hour": given["rush_hour"]}
    adjustment = fit_adjustment(of_rush, ORIGINS, DATASET, TrainingSettings())
    forecast = forecast_of(adjustment, of_rush)
    assert forecast.speed_kph is None
    assert forecast.rush_hour_probability is not None
    np.testing.assert_allclose(forecast.rush_hour_probability, 0.5)
