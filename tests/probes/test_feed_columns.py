import pytest

from roadgraph.errors import DataError
from roadgraph.probes.feed_columns import place_columns, wanted_names
from roadgraph.settings import ProbesSettings

OURS = ["vehicle_id", "timestamp", "lat", "lon"]


def refused(names: list[str], settings: ProbesSettings) -> str:
    with pytest.raises(DataError) as error:
        place_columns(names, settings, "f.csv")
    return str(error.value)


def test_columns_may_stand_in_any_order_with_others_between_them() -> None:
    names = ["note", "lon", "lat", "timestamp", "vehicle_id", "speed_kph", "note"]
    assert place_columns(names, ProbesSettings(), "f.csv") == {
        "vehicle_id": 4, "timestamp": 3, "lat": 2, "lon": 1, "speed_kph": 5,
    }  # fmt: skip


def test_columns_of_other_names_are_mapped() -> None:
    columns = {"vehicle_id": "taxi", "timestamp": "gpstime", "lat": "y", "lon": "x"}
    settings = ProbesSettings(columns={**columns, "speed_kph": "v"}, valid_column="ok")
    places = place_columns(["taxi", "gpstime", "y", "x", "v", "ok"], settings, "f.csv")
    assert places == {
        "vehicle_id": 0, "timestamp": 1, "lat": 2, "lon": 3, "speed_kph": 4, "valid": 5,
    }  # fmt: skip
    assert wanted_names(settings) == {"taxi", "gpstime", "y", "x", "v", "ok", "heading_deg"}


def test_a_mapped_column_takes_the_place_of_one_that_has_our_name() -> None:
    settings = ProbesSettings(columns={"vehicle_id": "taxi"})
    assert place_columns([*OURS, "taxi"], settings, "f.csv")["vehicle_id"] == 4


def test_two_columns_can_swap_their_names() -> None:
    settings = ProbesSettings(columns={"lat": "lon", "lon": "lat"})
    places = place_columns(OURS, settings, "f.csv")
    assert (places["lat"], places["lon"]) == (3, 2)


@pytest.mark.parametrize("column", OURS)
def test_a_missing_column_is_named_with_those_found_and_how_to_map_it(column: str) -> None:
    names = [f"{name}_x" if name == column else name for name in OURS]
    assert refused(names, ProbesSettings()) == (
        f"f.csv: column '{column}' is missing (found {', '.join(names)}); did you mean "
        f"'{column}_x'? Map it with probes.columns.{column}=NAME"
    )


def test_a_column_that_was_mapped_to_another_of_ours_is_missing() -> None:
    message = refused(OURS, ProbesSettings(columns={"speed_kph": "lat"}))
    assert message == (
        "f.csv: column 'lat' is missing (found vehicle_id, timestamp, lon). "
        "Map it with probes.columns.lat=NAME"
    )


def test_a_mapping_of_a_column_that_the_file_lacks_is_an_error_that_names_it() -> None:
    message = refused(OURS, ProbesSettings(columns={"vehicle_id": "taxi"}))
    assert "column 'taxi', which probes.columns.vehicle_id names, is missing" in message


def test_a_mapping_of_a_column_that_fixes_do_not_have_is_an_error_that_names_the_nearest() -> None:
    message = refused(OURS, ProbesSettings(columns={"sped_kph": "v"}))
    assert message.startswith("probes.columns.sped_kph: ")
    assert message.endswith("did you mean 'speed_kph'?")


def test_a_missing_validity_column_is_named_with_the_nearest() -> None:
    message = refused([*OURS, "gps_valid"], ProbesSettings(valid_column="gpsvalid"))
    assert "column 'gpsvalid', which probes.valid_column names, is missing" in message
    assert message.endswith("did you mean 'gps_valid'?")


def test_a_column_of_ours_that_is_there_twice_is_an_error_and_another_is_none() -> None:
    message = refused([*OURS, "lat"], ProbesSettings())
    assert message == "f.csv: column 'lat' is there twice; rename one of the two"
    assert len(place_columns([*OURS, "", ""], ProbesSettings(), "f.csv")) == 4
