import numpy as np
import pytest

from roadgraph.dataset.dataset import Dataset, build_dataset
from roadgraph.evaluation.baselines import historical_average, majority_class, persistence
from tests.dataset.toy import grid_of, path_graph, segments_of, toy_settings

NAN = np.nan


def dataset_of(speed: np.ndarray) -> Dataset:
    grid = grid_of(speed)
    return build_dataset(grid, segments_of(grid), path_graph(speed.shape[1]), toy_settings())


def test_persistence_says_the_last_observation_at_every_horizon() -> None:
    speed = np.full((200, 2), 40.0)
    speed[150] = [10, 5]
    speed[151] = [20, NAN]
    answer = persistence(dataset_of(speed), np.array([151]))
    assert answer.speed_kph is not None
    assert answer.congestion is not None
    np.testing.assert_array_equal(answer.speed_kph[0], [[20, 5]] * 4)
    # free flow is 40: 20 is half of it and so moderate, 5 is gridlock
    np.testing.assert_array_equal(answer.congestion[0], [[2, 0]] * 4)


def test_persistence_does_not_look_ahead() -> None:
    speed = np.full((200, 1), 40.0)
    later = speed.copy()
    later[151:] = 3.0
    origins = np.array([149, 150])
    first = persistence(dataset_of(speed), origins)
    second = persistence(dataset_of(later), origins)
    np.testing.assert_array_equal(first.speed_kph, second.speed_kph)
    np.testing.assert_array_equal(first.rush_hour, second.rush_hour)


def test_persistence_of_a_segment_never_seen_is_the_common_class_and_mean_speed() -> None:
    speed = np.full((200, 2), 40.0)
    speed[:, 1] = NAN
    answer = persistence(dataset_of(speed), np.array([160]))
    assert answer.speed_kph is not None
    assert answer.congestion is not None
    assert answer.speed_kph[0, 0, 1] == 40
    assert answer.congestion[0, 0, 1] == 3


def test_historical_average_says_the_mean_of_the_same_time_of_day() -> None:
    # Ten days; at 06:00 (slot 24) the training weekdays show 10, 20 and 30 km/h in turn.
    speed = np.full((960, 1), 40.0)
    speed[24::96, 0] = np.resize([10.0, 20.0, 30.0], 10)
    dataset = dataset_of(speed)
    # 0.6 of ten days: Monday to Saturday; its weekdays at 06:00 are 10, 20, 30, 10, 20
    origin = 96 * 8 + 23  # Tuesday of the second week, 05:45
    answer = historical_average(dataset, np.array([origin]), toy_settings())
    assert answer.speed_kph is not None
    np.testing.assert_allclose(answer.speed_kph[0, :, 0], [18, 40, 40, 40])


def test_majority_class_says_one_class_and_no_speed() -> None:
    speed = np.full((200, 2), 40.0)
    speed[::3] = 25.0
    answer = majority_class(dataset_of(speed), np.array([160, 161]))
    assert answer.congestion is not None
    assert answer.congestion.shape == (2, 4, 2)
    assert (answer.congestion == 3).all()
    assert answer.speed_kph is None


@pytest.mark.parametrize("name", ["persistence", "historical", "majority"])
def test_every_baseline_answers_in_the_common_shape(name: str) -> None:
    dataset = dataset_of(np.full((200, 3), 40.0))
    origins = np.array([160, 165])
    answer = {
        "persistence": lambda: persistence(dataset, origins),
        "historical": lambda: historical_average(dataset, origins, toy_settings()),
        "majority": lambda: majority_class(dataset, origins),
    }[name]()
    assert answer.congestion is not None
    assert answer.rush_hour is not None
    assert answer.congestion.shape == (2, 4, 3)
    assert answer.rush_hour.shape == (2, 4)
