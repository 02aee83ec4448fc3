from pathlib import Path

import pytest

from roadgraph.config import settings_from_dict
from roadgraph.errors import DataError
from roadgraph.network.importing import import_network
from tests.toy import straight_network, write_road_layer


def test_a_city_of_probes_reads_its_road_layer_with_the_network_settings(tmp_path: Path) -> None:
    layer = straight_network().segments.rename(columns={"segment_id": "key"})
    path = write_road_layer(layer, tmp_path / "roads.geojson")
    settings = settings_from_dict(
        {"city": {"roads": str(path)}, "network": {"columns": {"segment_id": "key"}}}
    )
    assert import_network(settings).segment_ids == ["A", "B", "C"]


def test_a_city_of_detectors_reads_its_matrix_with_the_names_of_its_speeds(tmp_path: Path) -> None:
    (tmp_path / "adjacency.csv").write_text("0,1\n0,0\n")
    (tmp_path / "speed.csv").write_text("d1,d2\n50,60\n")
    city = {
        "source": "detectors",
        "roads": str(tmp_path / "adjacency.csv"),
        "speeds": str(tmp_path / "speed.csv"),
    }
    network = import_network(settings_from_dict({"city": city}))
    assert network.segment_ids == ["d1", "d2"]
    assert network.links["from_segment"].tolist() == ["d1"]


def test_a_missing_road_layer_is_named(tmp_path: Path) -> None:
    settings = settings_from_dict({"city": {"roads": str(tmp_path / "nothere.geojson")}})
    with pytest.raises(DataError, match=r"road layer .*nothere\.geojson is missing"):
        import_network(settings)
