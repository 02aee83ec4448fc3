from pathlib import Path

import numpy as np
import pytest

from roadgraph.errors import DataError
from roadgraph.network.detectors import (
    check_detectors,
    detector_network,
    listed_detectors,
    measured_detectors,
)
from roadgraph.settings import CitySettings

DYNA = "dyna_id,type,time,entity_id,v\n0,state,t,b,1\n1,state,u,b,1\n2,state,t,a,1\n"


def city(folder: Path, speeds: str | None = None, dyna: str | None = None) -> CitySettings:
    path = folder / ("s.csv" if dyna is None else "s.dyna")
    path.write_text(dyna or speeds or "")
    return CitySettings(source="detectors", roads="roads.csv", speeds=str(path))


def test_a_link_to_itself_and_one_of_weight_0_are_none() -> None:
    places = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    network = detector_network(["b", "a"], *places, np.array([5, 2, 0, 5]), "toy")
    assert network.links.to_dict("records")[0]["weight"] == 2.0
    assert network.links[["from_segment", "to_segment"]].to_numpy().tolist() == [["b", "a"]]


def test_two_detectors_of_one_id_are_refused() -> None:
    none = np.array([], dtype=int)
    with pytest.raises(DataError, match="toy: two segments have the id 'a'"):
        detector_network(["a", "a"], none, none, none, "toy")


def test_the_header_of_the_speeds_lists_detectors_and_a_dyna_table_does_not(tmp_path: Path) -> None:
    assert listed_detectors(city(tmp_path, "b,a\n1,2\n")) == ["b", "a"]
    assert listed_detectors(city(tmp_path, dyna=DYNA)) is None
    assert listed_detectors(CitySettings(speeds="")) is None


def test_detectors_that_have_speeds_come_in_the_order_of_the_table(tmp_path: Path) -> None:
    assert measured_detectors(city(tmp_path, "b,a\n1,2\n")) == ["b", "a"]
    assert measured_detectors(city(tmp_path, dyna=DYNA)) == ["b", "a"]


def test_speeds_of_other_detectors_are_refused_and_fewer_are_not(tmp_path: Path) -> None:
    none = np.array([], dtype=int)
    network = detector_network(["773869", "767541"], none, none, none, "toy")
    check_detectors(network, city(tmp_path, "773869\n1\n"))
    with pytest.raises(DataError) as error:
        check_detectors(network, city(tmp_path, dyna=DYNA.replace(",b,", ",77386,")))
    assert str(error.value) == (
        f"{tmp_path / 's.dyna'}: 2 of 2 detectors are not in roads.csv, such as '77386'; set "
        "city.detector_ids or network.columns.segment_id so that the ids are those of the speeds"
        "; did you mean '773869'?"
    )
