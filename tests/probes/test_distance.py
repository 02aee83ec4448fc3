import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from roadgraph.probes.distance import distance_m


@given(st.floats(-70, 70), st.floats(-179, 179), st.floats(-0.03, 0.03), st.floats(-0.03, 0.03))
def test_distances_within_a_city_are_those_of_the_ellipsoid_to_a_percent(
    lat: float, lon: float, north_deg: float, east_deg: float
) -> None:
    ours = distance_m(*(np.array([v]) for v in (lat, lon, lat + north_deg, lon + east_deg)))[0]
    _, _, theirs = Geod(ellps="WGS84").inv(lon, lat, lon + east_deg, lat + north_deg)
    assert ours == pytest.approx(theirs, rel=0.01, abs=0.01)


def test_a_degree_of_latitude_is_111_195_m() -> None:
    one = distance_m(np.array([10.0]), np.array([5.0]), np.array([11.0]), np.array([5.0]))
    assert one[0] == pytest.approx(111_195, abs=1)
