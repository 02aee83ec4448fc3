import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.network.osm_tags import (
    MAX_LIMIT_KPH,
    ROAD_CLASSES,
    Road,
    directions,
    lane_count,
    limit_kph,
    parsed_limit_kph,
    reason_to_leave_out,
    road_name,
    road_of,
)

STREET = {"highway": "residential"}


@pytest.mark.parametrize(
    ("value", "kph"),
    [
        ("50", 50.0),
        (" 50 ", 50.0),
        ("48.3", 48.3),
        ("50 km/h", 50.0),
        ("50 kph", 50.0),
        ("30 mph", 48.28032),
        ("30mph", 48.28032),
        ("none", 130.0),
        ("walk", 7.0),
        ("RU:urban", 60.0),
        ("DE:urban", 50.0),
        ("DE:rural", 100.0),
        ("DE:motorway", 130.0),
        ("IT:rural", 90.0),
        ("BE-VLG:rural", 70.0),
        ("GB:nsl_single", 96.56064),
        ("GB:nsl_dual", 112.65408),
        ("DE:zone:30", 30.0),
        ("DE:zone30", 30.0),
        ("DE:30", 30.0),
        ("GB:zone20", 32.18688),
        ("DE:living_street", 7.0),
        ("RU:living_street", 20.0),
        # Of several values the lowest holds everywhere.
        ("50;30", 30.0),
        ("30|50", 30.0),
        ("60 mph; 50 mph", 80.4672),
        ("signals;80", 80.0),
    ],
)
def test_a_limit_is_read_in_kph(value: str, kph: float) -> None:
    assert parsed_limit_kph(value) == pytest.approx(kph)


@pytest.mark.parametrize(
    "value",
    ["", "signals", "variable", "implicit", "sign", "fast", "50 knots", "0", "999", "-30", "XX:on"],
)
def test_a_value_that_tells_no_limit_gives_none(value: str) -> None:
    assert parsed_limit_kph(value) is None


@given(st.text())
def test_any_text_gives_a_limit_in_range_or_none(value: str) -> None:
    limit = parsed_limit_kph(value)
    assert limit is None or 0 < limit <= MAX_LIMIT_KPH


def test_a_limit_of_one_direction_goes_before_that_of_both() -> None:
    tags = {**STREET, "maxspeed": "50", "maxspeed:forward": "30"}
    assert limit_kph(tags, forward=True) == 30.0
    assert limit_kph(tags, forward=False) == 50.0
    tags = {**STREET, "maxspeed:backward": "70"}
    assert limit_kph(tags, forward=True) is None
    assert limit_kph(tags, forward=False) == 70.0


@pytest.mark.parametrize(
    "key", ["maxspeed:type", "source:maxspeed", "zone:maxspeed", "zone:traffic"]
)
def test_the_kind_of_a_limit_tells_it_where_no_number_does(key: str) -> None:
    assert limit_kph({**STREET, key: "DE:rural"}, forward=True) == 100.0
    assert limit_kph({**STREET, "maxspeed": "70", key: "DE:rural"}, forward=True) == 70.0
    assert limit_kph({**STREET, "maxspeed": "signals", key: "DE:rural"}, forward=True) == 100.0


@pytest.mark.parametrize(
    ("road_class", "kph"),
    [("motorway", 120.0), ("living_street", 20.0), ("primary", 45.0), ("residential", 45.0)],
)
def test_without_any_limit_the_class_decides_and_then_the_setting(
    road_class: str, kph: float
) -> None:
    road = road_of({"highway": road_class}, forward=True, oneway=True, default_limit_kph=45.0)
    assert road.speed_limit_kph == kph
    assert road.road_class == road_class
    assert not road.limit_told


def test_a_road_has_class_lanes_and_limit_of_its_direction() -> None:
    tags = {"highway": "primary", "lanes": "3", "lanes:backward": "2", "maxspeed:backward": "70"}
    assert road_of(tags, True, False, 50.0) == Road("primary", 1, 50.0)
    assert road_of(tags, False, False, 50.0) == Road("primary", 2, 70.0)
    assert [road_of(tags, ahead, False, 50.0).limit_told for ahead in (True, False)] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"name": " Elm Street ", "ref": "B 27"}, "Elm Street"),
        ({"ref": "B 27;B 62"}, "B 27;B 62"),
        ({"name": " ", "ref": "B 27"}, "B 27"),
        ({"name": "", "ref": ""}, None),
        ({}, None),
    ],
)
def test_a_road_is_called_by_its_name_and_else_by_its_number(
    tags: dict[str, str], name: str | None
) -> None:
    assert road_name(tags) == name
    assert road_of({**STREET, **tags}, True, False, 50.0).name == name


@pytest.mark.parametrize(
    ("tags", "oneway", "ahead", "back"),
    [
        ({}, False, 1, 1),
        ({"lanes": "2"}, False, 1, 1),
        ({"lanes": "4"}, False, 2, 2),
        ({"lanes": "1"}, False, 1, 1),
        ({"lanes": "3"}, False, 1, 1),  # whose the middle one is, the tag does not tell
        ({"lanes": "3"}, True, 3, 3),
        ({"lanes": "3", "lanes:forward": "2"}, False, 2, 1),
        ({"lanes": "3", "lanes:forward": "2", "lanes:backward": "1"}, False, 2, 1),
        ({"lanes": "5", "lanes:both_ways": "1"}, False, 2, 2),
        ({"lanes": "3", "lanes:forward": "1", "lanes:both_ways": "1"}, False, 1, 1),
        ({"lanes": "1", "lanes:forward": "2"}, False, 2, 1),  # at least one
        ({"lanes": "3", "lanes:forward": "2", "lanes:backward": "1"}, True, 2, 1),
        ({"lanes": "3;2"}, True, 2, 2),
        ({"lanes": "1.5"}, True, 1, 1),
        ({"lanes": "many"}, True, 1, 1),
        ({"lanes": "0"}, True, 1, 1),
        ({"lanes": "4000"}, True, 1, 1),
        ({"lanes": "30 mph"}, True, 1, 1),
    ],
)
def test_lanes_are_those_of_one_direction(
    tags: dict[str, str], oneway: bool, ahead: int, back: int
) -> None:
    assert lane_count({**STREET, **tags}, True, oneway) == ahead
    assert lane_count({**STREET, **tags}, False, oneway) == back


def test_a_motorway_has_two_lanes_where_no_tag_tells() -> None:
    assert lane_count({"highway": "motorway"}, forward=True, oneway=True) == 2


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, (True, True)),
        ({"oneway": "yes"}, (True, False)),
        ({"oneway": "true"}, (True, False)),
        ({"oneway": "1"}, (True, False)),
        ({"oneway": "-1"}, (False, True)),
        ({"oneway": "reverse"}, (False, True)),
        ({"oneway": "no"}, (True, True)),
        ({"oneway": "reversible"}, (True, True)),
        ({"oneway": "alternating"}, (True, True)),
        ({"oneway": "sometimes"}, (True, True)),
        ({"junction": "roundabout"}, (True, False)),
        ({"junction": "circular"}, (True, False)),
        ({"junction": "roundabout", "oneway": "no"}, (True, True)),
        ({"junction": "roundabout", "oneway": "-1"}, (False, True)),
        ({"highway": "motorway"}, (True, False)),
        ({"highway": "motorway", "oneway": "no"}, (True, True)),
        ({"highway": "motorway", "oneway": "reversible"}, (True, True)),
        ({"highway": "motorway_link"}, (True, True)),
        ({"oneway:bicycle": "no", "oneway": "yes"}, (True, False)),
        ({"oneway": "no", "oneway:motor_vehicle": "yes"}, (True, False)),
        ({"motor_vehicle:backward": "no"}, (True, False)),
        ({"vehicle:forward": "no", "motorcar:forward": "yes"}, (True, True)),
    ],
)
def test_a_way_is_driven_along_its_nodes_against_them_or_both(
    tags: dict[str, str], expected: tuple[bool, bool]
) -> None:
    assert directions({**STREET, **tags}) == expected


@pytest.mark.parametrize("road_class", [name for name in ROAD_CLASSES if name != "service"])
def test_cars_drive_on_every_class_of_road(road_class: str) -> None:
    assert reason_to_leave_out({"highway": road_class}, service_roads=False) is None


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"highway": "footway"}, "no road for cars"),
        ({"highway": "track"}, "no road for cars"),
        ({"highway": "construction", "construction": "primary"}, "no road for cars"),
        ({"highway": "proposed"}, "no road for cars"),
        ({"highway": "residential", "construction": "yes"}, "not in use"),
        ({"highway": "residential", "area": "yes"}, "area"),
        ({"highway": "residential", "access": "no"}, "closed to cars"),
        ({"highway": "residential", "access": "private"}, "closed to cars"),
        ({"highway": "residential", "motor_vehicle": "no"}, "closed to cars"),
        ({"highway": "residential", "motorcar": "no"}, "closed to cars"),
        ({"highway": "residential", "vehicle": "no"}, "closed to cars"),
        ({"highway": "residential", "vehicle": "yes", "motorcar": "no"}, "closed to cars"),
        ({"highway": "residential", "access": "forestry;agricultural"}, "closed to cars"),
        ({"highway": "residential", "oneway": "yes", "vehicle:forward": "no"}, "closed to cars"),
        ({"highway": "residential", "access": "no", "motor_vehicle": "yes"}, None),
        ({"highway": "residential", "access": "private", "motorcar": "destination"}, None),
        ({"highway": "residential", "access": "agricultural;destination"}, None),
        ({"highway": "residential", "access": "customers"}, None),
        ({"highway": "residential", "construction": "minor"}, None),
        ({"building": "yes"}, "no road for cars"),
    ],
)
def test_only_ways_that_cars_may_use_are_taken(tags: dict[str, str], reason: str | None) -> None:
    assert reason_to_leave_out(tags, service_roads=False) == reason


def test_service_roads_are_taken_when_asked_for_but_not_car_parks() -> None:
    yard = {"highway": "service"}
    aisle = {"highway": "service", "service": "parking_aisle"}
    assert reason_to_leave_out(yard, service_roads=False) == "service road"
    assert reason_to_leave_out(yard, service_roads=True) is None
    assert reason_to_leave_out({**yard, "service": "alley"}, service_roads=True) is None
    assert reason_to_leave_out(aisle, service_roads=True) == "service road"
