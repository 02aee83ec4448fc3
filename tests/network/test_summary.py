import pytest

from roadgraph.network.summary import summarise
from tests.toy import (
    crossroads_network,
    detector_network,
    network_of,
    straight_network,
    straight_segments,
)


def test_summary_of_the_straight_road() -> None:
    assert summarise(straight_network()).counts() == {
        "segments": 3,
        "kilometres": 0.3,
        "links": 2,
        "strongly connected parts": 3,  # no way leads back
        "segments in the largest part": 1,
        "weakly connected parts": 1,
    }


def test_summary_of_the_crossroads_where_every_segment_reaches_every_other() -> None:
    assert summarise(crossroads_network()).counts() == {
        "segments": 8,
        "kilometres": 0.8,
        "links": 16,
        "strongly connected parts": 1,
        "segments in the largest part": 8,
        "weakly connected parts": 1,
    }


def test_summary_of_detectors_has_no_lengths_and_no_limits() -> None:
    summary = summarise(detector_network())
    assert summary.kilometres == 0
    assert summary.limit_known == 0
    assert summary.by_class.loc["detector", "segments"] == 2


def test_kilometres_by_class_and_the_share_of_known_limits_are_plain_in_json() -> None:
    segments = straight_segments().assign(
        road_class=["primary", "residential", "residential"], limit_told=[True, False, False]
    )
    content = summarise(network_of(segments)).to_json()
    assert content["speed limit known"] == pytest.approx(1 / 3, abs=1e-4)
    assert content["by road class"] == [
        {"road_class": "residential", "segments": 2, "kilometres": 0.2},
        {"road_class": "primary", "segments": 1, "kilometres": 0.1},
    ]
