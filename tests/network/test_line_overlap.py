import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString

from roadgraph.network.line_overlap import Pieces, shared_lengths_m, stretches_along

BENT = LineString([(0, 0), (100, 0), (100, 100)])


def pieces(*lines: LineString) -> Pieces:
    return Pieces.of(np.array(lines))


def shared(line: LineString, *others: LineString, tolerance_m: float = 10.0) -> dict[int, float]:
    """Return how many metres of ``line`` each of the others runs along."""
    along = stretches_along(pieces(line), pieces(*others), tolerance_m)
    metres = shared_lengths_m(along).droplevel("line")
    return dict(zip(metres.index.to_list(), metres.to_list(), strict=True))


def moved(line: LineString, right_m: float, up_m: float) -> LineString:
    return shapely.affinity.translate(line, right_m, up_m)


def test_lines_are_taken_to_straight_pieces() -> None:
    found = pieces(BENT, LineString([(0, 5), (0, 5), (0, 8)]))
    assert found.line.tolist() == [0, 0, 1]
    assert found.length_m.tolist() == [100, 100, 3]
    assert found.direction.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert found.line_lengths_m().tolist() == [200, 3]
    assert found.geometry()[1] == LineString([(100, 0), (100, 100)])


def test_a_line_shares_all_of_itself() -> None:
    assert shared(BENT, BENT) == {0: 200.0}


def test_a_line_shares_nothing_with_the_opposite_direction() -> None:
    assert shared(BENT, BENT.reverse()) == {}


def test_a_line_shares_what_runs_beside_it_and_no_more() -> None:
    straight = LineString([(0, 0), (100, 0)])
    assert shared(straight, LineString([(30, 4), (250, 4)])) == pytest.approx({0: 70.0})
    # The next one begins where this one ends, and a crossing road goes elsewhere.
    assert shared(straight, LineString([(100, 0), (200, 0)])) == {}
    assert shared(straight, LineString([(50, -50), (50, 50)])) == {}


def test_only_what_is_within_the_tolerance_is_shared() -> None:
    straight = LineString([(0, 0), (100, 0)])
    assert shared(straight, moved(straight, 0, 9.9)) == pytest.approx({0: 100.0})
    assert shared(straight, moved(straight, 0, 10.1)) == {}
    # This one leaves by 20 m in 100: the first half is within 10 m.
    assert shared(straight, LineString([(0, 0), (100, 20)])) == pytest.approx({0: 50.0})
    # This one crosses from 30 m on the left to 30 m on the right.
    assert shared(straight, LineString([(0, 30), (100, -30)])) == pytest.approx({0: 100 / 3})


def test_of_two_lines_side_by_side_the_nearest_is_the_one() -> None:
    straight = LineString([(0, 0), (100, 0)])
    near, far = moved(straight, 0, 2), LineString([(40, -6), (200, -6)])
    assert shared(straight, far, near) == pytest.approx({1: 100.0})
    short = LineString([(0, 2), (60, 2)])
    assert shared(straight, far, short) == pytest.approx({0: 40.0, 1: 60.0})


def test_of_two_lines_in_one_place_the_first_is_the_one() -> None:
    assert shared(BENT, BENT, BENT) == {0: 200.0}


def test_a_line_drawn_with_more_points_is_the_same() -> None:
    dense = shapely.segmentize(BENT, 7.0)
    assert shared(BENT, dense) == pytest.approx({0: 200.0})
    assert shared(dense, BENT) == pytest.approx({0: 200.0})


@given(
    share=st.floats(0.01, 0.99), angle=st.floats(0, 6.28), apart_m=st.floats(-9, 9),
)  # fmt: skip
def test_a_line_shares_with_its_parts_what_they_are_long(
    share: float, angle: float, apart_m: float
) -> None:
    whole = LineString([(0, 0), (100, 0)])
    parts = [LineString([(0, apart_m), (100 * share, apart_m)]),
             LineString([(100 * share, apart_m), (100, apart_m)])]  # fmt: skip
    turned = [
        shapely.affinity.rotate(line, angle, origin=(0, 0), use_radians=True)
        for line in (whole, *parts)
    ]
    assert shared(*turned) == pytest.approx({0: 100 * share, 1: 100 * (1 - share)}, abs=1e-6)
