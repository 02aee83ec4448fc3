from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.errors import DataError
from roadgraph.network.network import Network
from roadgraph.predict.predictions import signed
from roadgraph.predict.store import forecasts_of_days, write_forecast
from roadgraph.report.html_page import MB
from roadgraph.report.map_page.data import map_page_of, refuse_map
from roadgraph.report.map_page.forecasts import PROBABILITIES, SPEEDS
from roadgraph.report.map_page.page import MapPage, write_map_page
from roadgraph.settings import ReportSettings
from tests.report.map_page.toy import MADE, SEVEN, block, forecast, map_settings, read_page, slices
from tests.toy import detector_network, segments_table, straight_network

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import Settings

NETWORK = straight_network()
BANGKOK = ZoneInfo("Asia/Bangkok")
HISTORY = slices([("B", -15, 30.0), ("C", 0, 20.0)])
NONE = 255


def page_of(
    predictions: pa.Table, history: pa.Table = HISTORY, network: Network = NETWORK, **groups: dict
) -> MapPage:
    return map_page_of(map_settings(**groups), network, predictions, history, MADE)


def arrays_of(page: MapPage) -> dict[str, np.ndarray]:
    return block(page.data, page.header["arrays"])


def quarters(count: int) -> list[pd.Timestamp]:
    return [SEVEN + pd.Timedelta(minutes=15 * i) for i in range(count)]


def street(segments: int) -> Network:
    """Return so many segments that go up and down again, a kilometre of noise each."""
    lon = 100.6 + 0.01 * np.arange(segments * 20) / 20
    lat = 13.8 + np.random.default_rng(0).uniform(0, 0.001, len(lon))
    points = list(zip(lon, lat, strict=True))
    table = segments_table(
        {f"s{i:04d}": (f"n{i}", f"n{i + 1}", points[20 * i : 20 * i + 20]) for i in range(segments)}
    )
    no_links = straight_network().links.iloc[:0]
    return Network(table, no_links)


def noisy(network: Network, issued_at: pd.Timestamp) -> pa.Table:
    """Return a forecast that hardly compresses."""
    cells = 2 * len(network.segment_ids)
    rng = np.random.default_rng(int(issued_at.timestamp()))
    columns: dict[str, Any] = {name: rng.uniform(0, 1, cells) for name in PROBABILITIES}
    columns |= {name: rng.uniform(0, 120, cells) for name in SPEEDS}
    return forecast(issued_at, network.segment_ids, **columns)


def small_page(kilobytes: float) -> Settings:
    """Return settings of a page smaller than their bounds let a user ask for."""
    return replace(map_settings(), report=ReportSettings(page_mb=kilobytes / 1000))


def test_page_read_back_has_the_numbers(tmp_path: Path) -> None:
    table = forecast(
        congestion=["gridlock", "congested", "moderate", "free_flow", None, "free_flow"],
        p_gridlock=[0.9, 0.005, 0.0, 0.0, np.nan, 1.0],
        speed=[3.0, 40.25, 60.0, 5.0, np.nan, 7.5],
    )
    page = page_of(table)
    write_map_page(page, tmp_path / "map.html")
    header, arrays = read_page(tmp_path / "map.html")
    assert arrays["congestion"].tolist() == [[[0, 1, 2], [3, NONE, 3]]]
    assert arrays["p_gridlock"].tolist() == [[[180, 1, 0], [0, NONE, 200]]]
    assert arrays["speed"].tolist() == [[[6, 80, 120], [10, NONE, 15]]]
    assert arrays["observed"].shape == (97, 3)
    assert arrays["observed"][95:].tolist() == [[NONE, 60, NONE], [NONE, NONE, 40]]
    assert arrays["target_slice"].tolist() == [[96, -1]]
    assert arrays["line_start"].tolist() == [0, 2, 4, 6]
    assert arrays["ids_text"].tobytes() == b"A\nB\nC"
    assert header["title"] == "Congestion in toy"
    assert header["city"] == "toy"
    assert header["segments"] == 3
    assert header["road_classes"] == ["residential"]
    assert (header["speed_unit"], header["speed_unit_kph"]) == ("km/h", 1.0)
    assert header["speed_step_kph"] == 0.5
    assert header["models"] == ["gcn-simple"]
    assert header["interval"] == "80 %"
    assert header["left_drive_offset"] is True
    right = page_of(table, city={"drives_on": "right"})
    assert right.header["left_drive_offset"] is False
    west, _, east, _ = header["bounds"]
    assert west < header["origin"][0] < east


def test_arrays_have_the_types_that_the_page_reads() -> None:
    told = page_of(forecast()).header["arrays"]
    wide = {
        "line_start": "uint32",
        "points": "float32",
        "length_m": "float32",
        "age_min": "uint16",
        "target_slice": "int32",
    }
    assert {name: told[name]["type"] for name in wide} == wide
    assert {entry["type"] for name, entry in told.items() if name not in wide} == {"uint8"}


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_map_page(page_of(forecast()), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_speeds_above_127_kph_make_the_step_of_all_speeds_coarser() -> None:
    fast = page_of(forecast(speed_p90=[130.0, 50, 50, 50, 50, 50]))
    assert fast.header["speed_step_kph"] == 1
    assert arrays_of(fast)["speed"].tolist() == [[[40] * 3] * 2]
    assert arrays_of(fast)["observed"][95, 1] == 30
    observed = page_of(forecast(), slices([("B", -15, 127.5)]))
    assert observed.header["speed_step_kph"] == 1
    assert arrays_of(observed)["observed"][95, 1] == 128


def test_segments_without_a_row_have_no_answer_but_may_be_observed() -> None:
    """B was observed in the slice that ended at SEVEN; A was hidden and is estimated."""
    page = page_of(forecast(segments=["A"], horizons_min=[0], observed=False, segment_age_min=None))
    arrays = arrays_of(page)
    assert arrays["congestion"].tolist() == [[[3, NONE, NONE]]]
    assert arrays["seen"].tolist() == [[0, 1, 0]]
    assert arrays["age_min"].tolist() == [[65535, 0, 65535]]
    assert "2 of 3 segments have no answer in the newest forecast." in page.header["notes"]


def test_without_slices_there_is_no_truth() -> None:
    arrays = arrays_of(page_of(forecast(), HISTORY.slice(0, 0)))
    assert arrays["observed"].shape == (0, 3)
    assert arrays["target_slice"].tolist() == [[-1, -1]]


def test_free_flow_is_what_was_given_in_whole_kilometres_an_hour() -> None:
    flow = np.array([44.6, np.nan, 60.2])
    page = map_page_of(map_settings(), NETWORK, forecast(), HISTORY, MADE, free_flow_kph=flow)
    assert arrays_of(page)["free_flow_kph"].tolist() == [45, NONE, 60]
    assert "free_flow_kph" not in page_of(forecast()).header["arrays"]


def test_forecasts_for_slices_of_several_lengths_are_refused() -> None:
    longer = forecast(quarters(3)[2], horizons_min=(30, 60))
    later = pd.Timedelta("15min")
    start = pa.array(
        [time - later for time in longer["slice_start"].to_pylist()],
        longer.schema.field("slice_start").type,
    )
    place = longer.column_names.index("slice_start")
    longer = longer.set_column(place, longer.schema.field(place), start)
    with pytest.raises(DataError, match=r"slices of 15 and 30 minutes.*another day \(--day\)"):
        page_of(pa.concat_tables([forecast(), longer]), HISTORY.slice(0, 0))


def test_the_page_says_which_times_were_forecast_afterwards(tmp_path: Path) -> None:
    for time, manifest in zip(
        quarters(2), ({"hindsight": True}, {"hindsight": False}), strict=True
    ):
        write_forecast(tmp_path, BANGKOK, forecast(time), manifest)
    page = map_page_of(map_settings(), NETWORK, forecasts_of_days(tmp_path), HISTORY, MADE)
    assert page.header["notes"][0].startswith(
        "1 of 2 times of issue were, or may have been, forecast"
    )


def test_without_classes_the_page_is_about_speed() -> None:
    table = forecast()
    for name in ("congestion", *PROBABILITIES):
        field = table.schema.field(name)
        place = table.column_names.index(name)
        table = table.set_column(place, field, pa.nulls(len(table), field.type))
    page = page_of(table)
    assert page.title == "Speed in toy"
    assert "congestion" not in page.header["arrays"]
    assert "speed" in page.header["arrays"]


def test_all_times_of_issue_are_on_a_page_that_can_hold_them() -> None:
    page = page_of(pa.concat_tables(forecast(time) for time in quarters(5)))
    assert [time["local"][-5:] for time in page.header["issued_at"]] == [
        "07:00",
        "07:15",
        "07:30",
        "07:45",
        "08:00",
    ]
    assert arrays_of(page)["speed"].shape == (5, 2, 3)
    assert page.header["arrays"]["observed"]["shape"] == [97, 3]


def test_speeds_are_told_in_the_citys_unit() -> None:
    header = page_of(forecast(), city={"speed_unit": "mph"}).header
    assert (header["speed_unit"], header["speed_unit_kph"]) == ("mph", 1.609344)


def test_files_of_the_store_give_the_page_of_their_rows(tmp_path: Path) -> None:
    for time in quarters(3):
        write_forecast(tmp_path, ZoneInfo("Asia/Bangkok"), forecast(time), {})
    whole = pa.concat_tables(forecast(time) for time in quarters(3))
    page = map_page_of(map_settings(), NETWORK, forecasts_of_days(tmp_path), HISTORY, MADE)
    assert page == page_of(whole)


def test_times_are_left_out_until_the_page_is_small_enough(tmp_path: Path) -> None:
    network = street(200)
    table = pa.concat_tables(noisy(network, time) for time in quarters(9))
    whole = map_page_of(map_settings(), network, table, HISTORY.slice(0, 0), MADE)
    assert len(whole.header["issued_at"]) == 9
    settings = small_page(whole.size / 1000 - 5)
    page = map_page_of(settings, network, table, HISTORY.slice(0, 0), MADE)
    write_map_page(page, tmp_path / "map.html")
    size = (tmp_path / "map.html").stat().st_size
    assert size == page.size < settings.report.page_mb * MB
    shown = [time["local"][-5:] for time in page.header["issued_at"]]
    assert shown == ["07:00", "07:30", "08:00", "08:30", "09:00"]
    assert page.header["notes"][0].startswith("5 of 9 times of issue")
    np.testing.assert_array_equal(arrays_of(page)["speed"], arrays_of(whole)["speed"][::2])


def test_history_and_lines_become_coarser_before_the_newest_forecast_does() -> None:
    network = street(200)
    table = noisy(network, SEVEN)
    speeds = np.random.default_rng(1).uniform(0, 120, (96, 200))
    history = slices(
        (network.segment_ids[place], -15 * (back + 1), speed)
        for (back, place), speed in np.ndenumerate(speeds)
    )
    whole = map_page_of(map_settings(), network, table, history, MADE)
    lighter = map_page_of(small_page(whole.size / 1000 - 1), network, table, history, MADE)
    assert any("every 30 minutes alone" in note for note in lighter.header["notes"])
    observed = arrays_of(lighter)["observed"]
    assert (observed[95::-2] != NONE).all()
    assert (observed[94::-2] == NONE).all()
    lightest = map_page_of(small_page(100), network, table, history, MADE)
    assert lightest.header["notes"][0].startswith("One forecast of 200 segments does not fit into")
    assert "simplified by up to 50 m" in lightest.header["notes"][-1]
    assert len(arrays_of(lightest)["points"]) < len(arrays_of(whole)["points"]) / 2
    for name in ("congestion", "p_gridlock", "speed"):
        np.testing.assert_array_equal(arrays_of(lightest)[name], arrays_of(whole)[name])


def test_a_network_without_geometry_has_no_map() -> None:
    with pytest.raises(DataError, match=r"network of 'toy' has no geometry.*scorecard.*\.csv"):
        page_of(forecast(), network=detector_network())


def test_predictions_for_another_network_are_refused() -> None:
    with pytest.raises(DataError, match=r"another network: 2 of their 3 .* of 'toy' .*'x', 'y'"):
        page_of(forecast(segments=["A", "x", "y"]))


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(DataError, match=r"no prediction of 'toy'.* roadgraph predict"):
        page_of(forecast().slice(0, 0))
    with pytest.raises(DataError, match="no prediction of 'toy'"):
        map_page_of(map_settings(), NETWORK, {}, HISTORY, MADE)


def test_a_map_can_be_refused_before_it_is_made() -> None:
    refuse_map(map_settings(), NETWORK)
    refuse_map(map_settings(), NETWORK, forecast(segments=["B"]))
    with pytest.raises(DataError, match="no geometry"):
        refuse_map(map_settings(), detector_network())
    with pytest.raises(DataError, match="no prediction"):
        refuse_map(map_settings(), NETWORK, forecast().slice(0, 0))
    with pytest.raises(DataError, match="another network: 1 of their 2 segments"):
        refuse_map(map_settings(), NETWORK, forecast(segments=["A", "x"]))


def test_the_page_says_of_which_times_the_error_flatters() -> None:
    table = pa.concat_tables([forecast(), forecast(quarters(2)[1])])
    until = {"seen_until": quarters(2)[1].isoformat()}
    note = page_of(signed(table, until)).header["notes"][0]
    assert note.startswith("1 of 2 times of issue are times that the model was made from")
    assert not any("flatters" in note for note in page_of(table).header["notes"])
