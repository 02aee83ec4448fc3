import numpy as np
import pytest

from roadgraph.settings import TrainingSettings
from roadgraph.training.adjustment import Adjustment, fit_adjustment
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


def test_a_model_that_is_twice_as_sure_gets_twice_the_temperature() -> None:
    settings = TrainingSettings()
    plain = fit_adjustment(answers_of_chance(), ORIGINS, DATASET, settings)
    sharp = fit_adjustment(answers_of_chance(sharpness=2.0), ORIGINS, DATASET, settings)
    ratio = sharp.congestion_temperature / plain.congestion_temperature
    assert ratio == pytest.approx(2, rel=1e-3)


def test_the_widened_interval_holds_80_percent_of_the_validation_span() -> None:
    given = answers_of_chance()
    adjustment = fit_adjustment(given, ORIGINS, DATASET, TrainingSettings())
    forecast = adjustment.forecast("toy", ORIGINS, given)
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
    forecast = adjustment.forecast("toy", ORIGINS, given)
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
    adjustment = Adjustment(1.5, 0.7, np.array([4.0, 2, 1, 1]), np.array([0.5, 1.0]))
    again = Adjustment.from_dict(adjustment.to_dict())
    assert again.to_dict() == adjustment.to_dict()


def test_a_model_without_classes_or_speed_has_none_in_its_forecast() -> None:
    given = answers_of_chance()
    of_speed = {name: given[name] for name in ("speed", "speed_interval")}
    forecast = fit_adjustment(of_speed, ORIGINS, DATASET, TrainingSettings()).forecast(
        "toy", ORIGINS, of_speed
    )
    assert forecast.congestion is None
    assert forecast.rush_hour is None
    of_rush = {"rush_hour": given["rush_hour"]}
    forecast = fit_adjustment(of_rush, ORIGINS, DATASET, TrainingSettings()).forecast(
        "toy", ORIGINS, of_rush
    )
    assert forecast.speed_kph is None
    assert forecast.rush_hour_probability is not None
    np.testing.assert_allclose(forecast.rush_hour_probability, 0.5)
