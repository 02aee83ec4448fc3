from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.report.map_page.packing import (
    NONE,
    SPEED_STEPS_KPH,
    joined,
    packed,
    quantised,
    speed_step_kph,
)
from tests.report.map_page.toy import block


def test_halves_are_rounded_to_even() -> None:
    speeds = np.array([0.25, 0.75, 1.25, 40.0, 126.9])  # 0.5, 1.5, 2.5, 80, 253.8 steps
    assert quantised(speeds, 0.5).tolist() == [0, 2, 2, 80, 254]


def test_no_number_is_255_and_no_number_becomes_255() -> None:
    values = np.array([np.nan, -3.0, 127.5, 1e9, np.inf, -np.inf])
    assert quantised(values, 0.5).tolist() == [NONE, 0, 254, 254, 254, 0]


@given(st.floats(0, 254), st.sampled_from([np.float32, np.float64]))
def test_rounding_is_off_by_half_a_step_at_most(speed: float, kind: type) -> None:
    step = speed_step_kph(speed)
    value = kind(speed)
    assert abs(int(quantised(np.array([value]), step)[0]) * step - value) <= step / 2


def test_step_is_coarser_above_127_kph_alone() -> None:
    assert [speed_step_kph(fastest) for fastest in (0, 127, 127.1, 300)] == [0.5, 0.5, 1.0, 1.0]
    assert SPEED_STEPS_KPH == (0.5, 1.0)


def test_arrays_come_back_and_each_begins_where_its_type_may() -> None:
    arrays: dict[str, np.ndarray] = {
        "odd": np.array([1, 2, 3], dtype=np.uint8),
        "wide": np.array([[1.5], [-2.5]], dtype=np.float32),
        "none": np.empty((0, 3), dtype=np.uint8),
        "swapped": np.array([1, -2], dtype=">i4"),
    }
    data, described = packed(arrays)
    assert [told["offset"] for told in described.values()] == [0, 4, 12, 12]
    assert described["swapped"] == {"type": "int32", "offset": 12, "shape": [2]}
    back = block(data, described)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)


def test_same_arrays_give_the_same_bytes() -> None:
    arrays = {"a": np.arange(1000, dtype=np.uint16)}
    assert packed(arrays)[0] == packed(arrays)[0]


def test_texts_are_joined_by_line_breaks_and_have_none_of_their_own() -> None:
    assert joined(["Soi 11", "", "ถนน\nสีลม"]).tobytes().decode() == "Soi 11\n\nถนน สีลม"
