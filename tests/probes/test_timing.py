import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.probes.timing import STEEPEST, share_of_time, share_of_way

WAY = np.linspace(0, 1, 21)
NAN = np.nan


def share(start_slope: float, end_slope: float, way: np.ndarray = WAY) -> np.ndarray:
    return share_of_time(way, np.full_like(way, start_slope), np.full_like(way, end_slope))


@pytest.mark.parametrize("slopes", [(1.0, 1.0), (NAN, NAN), (NAN, 1.0), (1.0, NAN)])
def test_at_a_constant_or_unknown_speed_time_passes_with_the_way(
    slopes: tuple[float, float],
) -> None:
    np.testing.assert_allclose(share(*slopes), WAY, atol=1e-8)


def test_braking_evenly_to_a_stop_has_the_waiting_at_the_end() -> None:
    # From twice the mean speed to 0: the way is 2t - t^2.
    np.testing.assert_allclose(share(2, 0), 1 - np.sqrt(1 - WAY), atol=1e-7)


def test_starting_evenly_from_a_stop_has_the_waiting_at_the_begin() -> None:
    # From 0 to twice the mean speed: the way is t^2.
    np.testing.assert_allclose(share(0, 2), np.sqrt(WAY), atol=1e-7)


def test_stopping_in_the_middle_takes_the_smooth_step() -> None:
    # From 0 to 0: the way is 3t^2 - 2t^3, half of it at half the time.
    found = share(0, 0, np.array([0.5, 3 / 16 - 2 / 64]))
    np.testing.assert_allclose(found, [0.5, 0.25], atol=1e-8)


def test_a_slope_that_would_turn_back_is_limited_and_one_below_zero_counts_as_zero() -> None:
    np.testing.assert_array_equal(share(100, 0), share(STEEPEST, 0))
    np.testing.assert_array_equal(share(-5, 1), share(0, 1))


@pytest.mark.parametrize("start", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("end", [0.0, 1.5, 3.0])
def test_time_always_rises_with_the_way_from_exactly_0_to_exactly_1(
    start: float, end: float
) -> None:
    found = share(start, end)
    assert (found[0], found[-1]) == (0.0, 1.0)
    assert (np.diff(found) > 0).all()


def test_no_steps_take_no_time() -> None:
    assert share(1, 1, np.array([])).shape == (0,)


@given(st.floats(0, 1), st.floats(0, 5), st.floats(0, 5))
def test_way_and_time_are_the_inverse_of_each_other(way: float, start: float, end: float) -> None:
    slopes = np.array([start]), np.array([end])
    time = share_of_time(np.array([way]), *slopes)
    assert share_of_way(time, *slopes)[0] == pytest.approx(way, abs=1e-6)
