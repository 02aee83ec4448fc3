import pytest

from roadgraph.units import KPH_PER, KPH_PER_MPH


def test_each_unit_is_its_metres_in_its_time() -> None:
    assert KPH_PER_MPH == 1.609344
    assert KPH_PER["m/s"] == pytest.approx(3600 / 1000)
    assert KPH_PER["knots"] == pytest.approx(1852 / 1000)
    assert KPH_PER["km/h"] == 1
