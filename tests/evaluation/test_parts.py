import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone, local_hours
from roadgraph.evaluation.parts import HIDDEN_SEGMENTS, OBSERVED_SEGMENTS, TIMES_OF_DAY, parts_of
from tests.dataset.toy import toy_dataset, toy_settings

DATASET = toy_dataset(toy_settings(), slices=400)
CLASSES = np.array(["primary", "residential", "primary"])
UTC = city_zone("UTC")


def test_every_segment_is_in_its_road_class() -> None:
    parts = parts_of(DATASET, CLASSES, UTC)
    assert list(parts.segments) == ["road class primary", "road class residential"]
    np.testing.assert_array_equal(parts.segments["road class primary"], [True, False, True])


def test_hidden_segments_are_apart_from_observed_ones_where_there_are_some() -> None:
    hidden = np.array([False, True, False])
    parts = parts_of(DATASET, CLASSES, UTC, hidden)
    np.testing.assert_array_equal(parts.segments[HIDDEN_SEGMENTS], hidden)
    np.testing.assert_array_equal(parts.segments[OBSERVED_SEGMENTS], ~hidden)
    assert HIDDEN_SEGMENTS not in parts_of(DATASET, CLASSES, UTC, hidden & False).segments


def test_every_slice_is_in_one_time_of_the_local_day() -> None:
    bangkok = city_zone("Asia/Bangkok")
    parts = parts_of(DATASET, CLASSES, bangkok)
    assert list(parts.slices) == list(TIMES_OF_DAY)
    assert (np.sum(list(parts.slices.values()), axis=0) == 1).all()
    hours = local_hours(DATASET.grid.slice_starts, bangkok)
    assert set(hours[parts.slices["evening 16-20"]].astype(int)) == {16, 17, 18, 19}
    # 00:00 UTC is seven in the morning in Bangkok.
    assert DATASET.grid.slice_starts[0] == pd.Timestamp("2026-01-05T00:00Z")
    assert parts.slices["morning 6-10"][0]
