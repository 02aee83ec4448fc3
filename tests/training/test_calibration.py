import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.evaluation.metrics import (
    expected_calibration_error,
    interval_coverage,
    log_loss,
)
from roadgraph.training.calibration import (
    at_temperature,
    fit_temperature,
    interval_margins,
)

NAN = np.nan


def drawn_cells(sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are ``sharpness`` times too large for the labels drawn by them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(20_000, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (shares.cumsum(axis=1) < rng.random((len(logits), 1))).sum(axis=1)
    return logits * sharpness, label


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_is_how_much_too_sure_the_logits_are(sharpness: float) -> None:
    logits, label = drawn_cells(sharpness)
    assert fit_temperature(logits, label) == pytest.approx(sharpness, rel=0.05)


def test_the_temperature_of_probabilities_is_that_of_their_logits() -> None:
    logits, label = drawn_cells(3.0)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert fit_temperature(np.log(probability), label) == pytest.approx(
        fit_temperature(logits, label)
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), factor=st.sampled_from([0.9, 1.1]))
def test_no_other_temperature_has_a_lower_log_loss(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    logits, label = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    found = fit_temperature(logits, label)

    def loss(temperature: float) -> float:
        scores = torch.from_numpy(logits / temperature)
        return float(torch.nn.functional.cross_entropy(scores, torch.from_numpy(label)))

    other = float(np.clip(found * factor, 0.05, 20))
    assert loss(found) <= loss(other) + 1e-9


def test_temperature_scaling_mends_calibration_and_keeps_the_answers() -> None:
    logits, label = drawn_cells(3.0)
    probability = at_temperature(np.exp(logits), 1.0)
    scaled = at_temperature(probability, fit_temperature(logits, label))
    assert expected_calibration_error(label, probability) > 0.15
    assert expected_calibration_error(label, scaled) < 0.02
    assert log_loss(label, scaled) < log_loss(label, probability)
    np.testing.assert_array_equal(scaled.argmax(axis=1), probability.argmax(axis=1))


def test_cells_that_are_all_right_get_the_lowest_temperature_and_none_gets_one() -> None:
    assert fit_temperature(np.eye(3), np.arange(3)) == pytest.approx(0.05)
    assert fit_temperature(np.eye(3), np.array([1, 2, 0])) == pytest.approx(20)
    assert fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int)) == 1.0


def test_a_temperature_divides_the_logits() -> None:
    # ln(0.8 / 0.2) / 2 = ln 2
    scaled = at_temperature(np.array([[[0.8, 0.2]]]), 2.0)
    np.testing.assert_allclose(scaled, [[[2 / 3, 1 / 3]]], atol=1e-6)


def test_margins_are_the_ordered_score_by_horizon() -> None:
    # 9 known cells: ceil(0.8 * 10) = the 8th smallest score.
    observed = np.stack([np.arange(10.0), np.arange(10.0)], axis=1)[:, :, None]
    observed[9, :, 0] = NAN
    p10, p90 = np.full((10, 2, 1), -1.0), np.zeros((10, 2, 1))
    p90[:, 1] = 20.0
    # First horizon: scores 0 .. 8. Second: within [-1, 20], nearest end is -1: scores -1 .. -9.
    np.testing.assert_array_equal(interval_margins(p10, p90, observed), [7.0, -2.0])


def test_margins_make_intervals_hold_eight_of_ten_new_cells() -> None:
    rng = np.random.default_rng(0)
    seen, new = rng.normal(30, 10, (2, 4000, 1, 1))
    low, high = np.full_like(seen, 28.0), np.full_like(seen, 31.0)
    margin = interval_margins(low, high, seen)[0]
    held = interval_coverage(new.ravel(), low.ravel() - margin, high.ravel() + margin)
    assert held == pytest.approx(0.8, abs=0.02)


def test_few_cells_take_the_largest_score_and_none_no_margin() -> None:
    low, high = np.zeros((2, 2, 1)), np.ones((2, 2, 1))
    observed = np.array([[[3.0], [NAN]], [[5.0], [NAN]]])
    np.testing.assert_array_equal(interval_margins(low, high, observed), [4.0, 0.0])
