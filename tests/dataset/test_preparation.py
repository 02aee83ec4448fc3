from zoneinfo import ZoneInfo

import numpy as np
import pytest

from roadgraph.dataset.history import LEAST_SEGMENTS
from roadgraph.dataset.preparation import Preparation, fit_preparation
from roadgraph.schema import FEATURES, HISTORY_CHANNELS, OBSERVED_CHANNEL, STATIC_FEATURES
from roadgraph.settings import DatasetSettings
from tests.dataset.toy import grid_of, segments_of

UTC = ZoneInfo("UTC")
NAN = np.nan


def prepared(speed: np.ndarray, train_stop: int, **settings: object) -> Preparation:
    grid = grid_of(speed).until(train_stop)
    options = DatasetSettings(**settings)  # type: ignore[arg-type]
    flow = np.full(speed.shape[1], 50.0)
    return fit_preparation(grid, segments_of(grid), flow, UTC, options, reach=1).known


def raw(speed: np.ndarray, preparation: Preparation) -> np.ndarray:
    """Return the channels before scaling."""
    return preparation.inputs(grid_of(speed), UTC) * preparation.std + preparation.mean


def test_the_ten_features_come_first_and_in_their_order() -> None:
    speed = np.full((4, 2), 30.0)
    plain = prepared(
        speed, 4, observed_channel=False, history_channels=False, static_channels=False
    )
    assert plain.channels == FEATURES
    assert FEATURES == (
        "mean_speed", "median_speed", "speed_std", "count_probes", "quality_score",
        "hour_sin", "hour_cos", "dow_sin", "dow_cos", "is_weekend",
    )  # fmt: skip
    rich = prepared(speed, 4)
    assert rich.channels == (*FEATURES, OBSERVED_CHANNEL, *HISTORY_CHANNELS, *STATIC_FEATURES)
    assert rich.inputs(grid_of(speed), UTC).shape == (4, 2, 17)


def test_scale_of_speed_is_mean_and_spread_of_the_observed_training_cells() -> None:
    speed = np.array([[10.0, NAN], [20.0, 30.0], [900.0, 900.0]])
    preparation = prepared(speed, 2)
    assert preparation.speed_mean_kph == 20
    assert preparation.speed_std_kph == pytest.approx(np.sqrt(200 / 3))


def test_a_missing_cell_shows_the_last_observation_within_the_window() -> None:
    speed = np.array([[10.0], [NAN], [NAN], [NAN], [20.0]])
    channel = raw(speed, prepared(speed, 5, window=3, fill="last"))[:, 0, 0]
    # two slices later it still stands in, three slices later the mean of 15 does
    np.testing.assert_allclose(channel, [10, 10, 10, 15, 20], rtol=1e-6)


def test_fill_mean_shows_the_training_mean_at_once() -> None:
    speed = np.array([[10.0], [NAN], [20.0]])
    channel = raw(speed, prepared(speed, 3, window=3, fill="mean"))[:, 0, 0]
    np.testing.assert_allclose(channel, [10, 15, 20], rtol=1e-6)


def test_a_segment_never_seen_shows_the_networks_mean() -> None:
    speed = np.array([[10.0, NAN], [20.0, NAN]])
    np.testing.assert_allclose(raw(speed, prepared(speed, 2))[:, 1, 0], 15, rtol=1e-6)


def test_count_quality_and_mask_of_a_missing_cell_are_zero() -> None:
    speed = np.array([[10.0], [NAN], [20.0]])
    preparation = prepared(speed, 3)
    channels = raw(speed, preparation)
    for name, expected in (("count_probes", [1, 0, 1]), ("quality_score", [0.5, 0, 0.5]),
                           (OBSERVED_CHANNEL, [1, 0, 1])):  # fmt: skip
        place = preparation.channels.index(name)
        np.testing.assert_allclose(channels[:, 0, place], expected, atol=1e-6)


def test_fill_does_not_look_ahead() -> None:
    speed = np.array([[10.0], [NAN], [50.0], [10.0]])
    later = speed.copy()
    later[2] = 99.0
    preparation = prepared(speed, 4)
    np.testing.assert_array_equal(
        preparation.inputs(grid_of(speed), UTC)[:2], preparation.inputs(grid_of(later), UTC)[:2]
    )


def test_a_channel_that_never_changes_is_not_blown_up() -> None:
    inputs = prepared(np.full((4, 2), 30.0), 4).inputs(grid_of(np.full((4, 2), 30.0)), UTC)
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() < 10


def test_fill_typical_shows_the_typical_speed_of_that_time() -> None:
    # Three days of one slot: the fourth Monday-like weekday shows their mean.
    speed = np.full((96 * 4, 1), NAN)
    speed[[0, 96, 192], 0] = [10, 20, 30]
    speed[[4, 100, 196], 0] = 50.0
    channel = raw(speed, prepared(speed, 96 * 3, fill="typical"))[:, 0, 0]
    np.testing.assert_allclose(channel[[288, 292]], [20, 50], rtol=1e-6)


def test_history_channels_show_the_typical_speed_now_and_ahead() -> None:
    speed = np.full((96 * 4, 1), NAN)
    speed[[0, 96, 192], 0] = [10, 20, 30]
    speed[[4, 100, 196], 0] = 50.0
    grid = grid_of(speed)
    fitted = fit_preparation(
        grid.until(288), segments_of(grid), np.full(1, 50.0), UTC, DatasetSettings(), reach=4
    )
    preparation = fitted.known
    place = preparation.channels.index(HISTORY_CHANNELS[0])
    channels = preparation.inputs(grid, UTC, fitted.left_out) * preparation.std + preparation.mean
    now, ahead = channels[288, 0, place : place + 2]
    assert now == pytest.approx(20, rel=1e-5)
    assert ahead == pytest.approx(50, rel=1e-5)


@pytest.mark.parametrize("fill", ["last", "mean", "typical"])
def test_inputs_from_a_slice_on_are_the_last_of_all_inputs(fill: str) -> None:
    rng = np.random.default_rng(0)
    speed = np.where(rng.random((9, 4)) < 0.5, NAN, rng.uniform(10, 50, (9, 4)))
    preparation, grid = prepared(speed, 6, window=3, fill=fill), grid_of(speed)
    np.testing.assert_array_equal(
        preparation.inputs(grid, UTC, first=5), preparation.inputs(grid, UTC)[5:]
    )


def test_some_places_are_prepared_as_they_are_among_all() -> None:
    rng = np.random.default_rng(0)
    speed = np.where(rng.random((9, 4)) < 0.5, NAN, rng.uniform(10, 50, (9, 4)))
    preparation, grid = prepared(speed, 6, fill="typical"), grid_of(speed)
    places = np.array([3, 1])
    np.testing.assert_array_equal(
        preparation.at_places(places).inputs(grid.at_places(places), UTC),
        preparation.inputs(grid, UTC)[:, places],
    )


def test_the_grid_is_left_as_it_was() -> None:
    grid = grid_of(np.array([[10.0, NAN], [20.0, 30.0]]))
    before = grid.measured.copy()
    options = DatasetSettings()
    fitted = fit_preparation(grid, segments_of(grid), np.full(2, 50.0), UTC, options, 1)
    fitted.known.inputs(grid, UTC)
    np.testing.assert_array_equal(grid.measured, before)


def test_a_segment_never_seen_shows_what_is_typical_of_its_class() -> None:
    seen = 2 * LEAST_SEGMENTS
    speed = np.full((96 * 4, seen + 1), NAN)
    speed[:, :LEAST_SEGMENTS] = 20.0
    speed[:, LEAST_SEGMENTS:seen] = 40.0
    segments = segments_of(grid_of(speed))
    segments["road_class"] = ["a"] * LEAST_SEGMENTS + ["b"] * LEAST_SEGMENTS + ["a"]
    segments["speed_limit_kph"] = [50.0] * seen + [30.0]
    flow = np.full(seen + 1, 50.0)
    fitted = fit_preparation(
        grid_of(speed), segments, flow, UTC, DatasetSettings(fill="mean"), reach=1
    )
    known = fitted.known.inputs(grid_of(speed), UTC) * fitted.known.std + fitted.known.mean
    mean_speed, typical = known[0, :, 0], known[0, :, known.shape[2] - 6]
    assert fitted.known.channels[-6] == HISTORY_CHANNELS[0]
    # Class a drives at 0.4 of its limit.
    for shown in (mean_speed, typical):
        np.testing.assert_allclose(shown[[0, LEAST_SEGMENTS, seen]], [20, 40, 12], rtol=1e-5)


def test_a_segment_alone_in_its_class_does_not_meet_its_own_observations_as_unseen() -> None:
    speed = np.full((96 * 4, 8), 30.0)
    poisoned = speed.copy()
    poisoned[:, 7] = 5.0
    shown = []
    for each in (speed, poisoned):
        grid = grid_of(each)
        segments = segments_of(grid)
        segments["road_class"] = ["a"] * 7 + ["b"]
        fitted = fit_preparation(grid, segments, each[0], UTC, DatasetSettings(), reach=1)
        nothing = grid.without(np.ones(8, dtype=bool))
        unseen = fitted.unseen.inputs(nothing, UTC, fitted.unseen_left_out)
        shown.append((unseen * fitted.unseen.std + fitted.unseen.mean)[0, 7, 0])
    # What is left of it is its eighth of the mean of all.
    assert shown == pytest.approx([30, 30 * 7 / 8 + 5 / 8], rel=1e-4)


def test_unseen_inputs_of_a_segment_do_not_depend_on_its_own_place_in_its_class() -> None:
    speed = np.full((96 * 4, 2), NAN)
    speed[:, 0] = 20.0
    speed[:, 1] = 40.0
    grid = grid_of(speed)
    flow = np.array([20.0, 40.0])
    fitted = fit_preparation(grid, segments_of(grid), flow, UTC, DatasetSettings(), reach=1)
    nothing = grid.without(np.ones(2, dtype=bool))
    unseen = fitted.unseen.inputs(nothing, UTC, fitted.unseen_left_out)
    np.testing.assert_array_equal(unseen[:, 0], unseen[:, 1])
    raw = unseen[0, 0] * fitted.unseen.std + fitted.unseen.mean
    place = fitted.known.channels.index(OBSERVED_CHANNEL)
    assert raw[0] == pytest.approx(30, rel=1e-4)
    assert raw[place] == pytest.approx(0, abs=1e-5)
    assert raw[-1] == pytest.approx(30, rel=1e-4)  # free flow: 0.6 of the limit, the median


def test_without_weekday_channels_the_clock_shows_the_hour_alone() -> None:
    speed = np.full((4, 2), 30.0)
    preparation = prepared(speed, 4, weekday_channels=False)
    assert preparation.channels[:8] == (*FEATURES[:7], OBSERVED_CHANNEL)
    shown, whole = raw(speed, preparation), raw(speed, prepared(speed, 4))
    np.testing.assert_allclose(shown[..., :7], whole[..., :7], atol=1e-5)
    np.testing.assert_allclose(shown[..., 7:], whole[..., 10:], atol=1e-5)
