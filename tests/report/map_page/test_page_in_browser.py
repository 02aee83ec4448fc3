"""The map page as a reader has it before them: in Chromium, from a file, without any network."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

from roadgraph.legend import CLASS_COLOURS
from roadgraph.report.map_page.data import map_page_of
from roadgraph.report.map_page.page import write_map_page
from tests.browser import PHONE, WIDE, OpenPage, opened, running_browser
from tests.report.map_page.toy import MADE, SEVEN, forecast, map_settings, slices
from tests.toy import crossroads_segments, network_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

SEGMENTS = crossroads_segments().assign(
    name=lambda table: ["High Street" if "east" in name else None for name in table["segment_id"]]
)
NETWORK = network_of(SEGMENTS)
IDS = NETWORK.segment_ids
FREE_FLOW_KPH = 45.0
EAST = [("east_in", -15, 30.0), ("east_in", 0, 25.0), ("east_in", 15, 20.0), ("east_in", 30, 14.0)]
"""Observed speeds of one segment; the last is the truth of the newest forecast's first horizon."""

DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Waits until what was asked of the map is on the screen."""

STEPPED = """() => {
  window.usual = window.setInterval;
  window.setInterval = (step, ms) => { window.step = step; window.stepMs = ms; return -1; };
}"""
"""Lets a test do the steps of the playback, however slow the machine is."""


def rows(usual: Any, **others: Any) -> list[Any]:
    """Return a column of 2 horizons of all segments; ``east_in_30`` is a segment and horizon."""
    return [others.get(f"{name}_{minutes}", usual) for minutes in (15, 30) for name in IDS]


def newest_forecast(**columns: Any) -> pa.Table:
    """Return the forecast of 07:30, in which all but a few cells have the toy's usual numbers."""
    return forecast(
        SEVEN + pd.Timedelta(minutes=30),
        IDS,
        **{
            "congestion": rows("free_flow", east_in_15="gridlock", east_in_30="congested"),
            "p_gridlock": rows(0.05, east_in_15=0.8, east_in_30=0.2),
            "p_congested": rows(0.1, east_in_15=0.1, east_in_30=0.65),
            "p_moderate": rows(0.25, east_in_15=0.05, east_in_30=0.1),
            "p_free_flow": rows(0.6, east_in_15=0.05, east_in_30=0.05),
            "speed": rows(40.0, east_in_15=10.0, east_in_30=18.0),
            "speed_p10": rows(30.0, east_in_15=5.0, east_in_30=9.0),
            "speed_p90": rows(50.0, east_in_15=20.0, east_in_30=29.0),
            "observed": rows(True, east_out_15=False, east_out_30=False),
            "segment_age_min": rows(0, east_out_15=90, east_out_30=90),
            **columns,
        },
    )


def written(
    folder: Path, predictions: pa.Table, history: pa.Table, **groups: dict[str, Any]
) -> Path:
    path = folder / "map.html"
    flow = np.full(len(IDS), FREE_FLOW_KPH)
    settings = map_settings(**groups)
    page = map_page_of(settings, NETWORK, predictions, history, MADE, free_flow_kph=flow)
    write_map_page(page, path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the forecasts of 07:00, 07:15 and 07:30, of which some have their truth."""
    earlier = [forecast(SEVEN + pd.Timedelta(minutes=15 * k), IDS) for k in range(2)]
    predictions = pa.concat_tables([*earlier, newest_forecast()])
    return written(tmp_path_factory.mktemp("morning"), predictions, slices(EAST))


@pytest.fixture(scope="module")
def open_morning(browser: Browser, morning: Path) -> Iterator[OpenPage]:
    with opened(browser, morning) as seen:
        shown(seen)
        yield seen


@pytest.fixture
def page(open_morning: OpenPage, morning: Path) -> Iterator[Page]:
    """The page as it is when it is opened; it asks for nothing and complains of nothing."""
    page = open_morning.page
    page.mouse.move(5, 500)
    page.keyboard.press("Escape")
    page.get_by_label("Congestion", exact=True).check()
    page.locator("#horizon").fill("0")
    page.locator("#issue").fill("2")
    page.get_by_role("button", name="Whole city").click()
    yield page
    assert open_morning.messages == []
    assert open_morning.requests == [morning.as_uri()]


def shown(seen: OpenPage) -> None:
    seen.page.locator("#loading").wait_for(state="hidden")


def asked(page: Page, question: str) -> Any:
    """Return what the page's own interface answers, such as ``state()``."""
    return page.evaluate(f"window.roadgraph.{question}")


def hovered(page: Page, segment: str) -> str:
    """Return the tooltip of a segment, as one line."""
    place = asked(page, f"pick('{segment}')")
    page.mouse.move(place["x"] - 3, place["y"])
    page.mouse.move(place["x"], place["y"])
    page.locator("#tooltip", has_text=segment).wait_for()  # not that of the segment before
    return " ".join(page.locator("#tooltip").inner_text().split())


def edges(page: Page, selector: str) -> dict[str, float]:
    """Return left, top, right and bottom of an element in pixels of the window."""
    found = page.locator(selector).evaluate("e => e.getBoundingClientRect().toJSON()")
    assert isinstance(found, dict)
    return found


def pixel(page: Page, segment: str) -> tuple[int, ...]:
    """Return the colour that is seen in the middle of a segment."""
    page.evaluate(DRAWN)
    place = asked(page, f"pick('{segment}')")
    clip = {"x": round(place["x"] - 0.5), "y": round(place["y"] - 0.5), "width": 1, "height": 1}
    with Image.open(io.BytesIO(page.screenshot(clip=clip))) as shot:  # type: ignore[arg-type]
        return tuple(shot.convert("RGB").tobytes())


def colour(name: str) -> list[int]:
    return list(bytes.fromhex(CLASS_COLOURS[name][1:]))


def contrast(one: list[int], other: list[int]) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.1, 1.4.3)."""

    def light(rgb: list[int]) -> float:
        parts = [v / 255 for v in rgb]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05

    low, high = sorted((light(one), light(other)))
    return high / low


def test_page_opens_with_the_newest_forecast_and_says_its_times(page: Page) -> None:
    state = asked(page, "state()")
    assert (state["issuedAt"], state["horizonMin"]) == ("2026-01-05T00:30:00Z", 15)
    assert state["layer"] == "congestion"
    told = page.locator("#target").inner_text()
    assert told == "Forecast for 07:30 to 07:45, 15 minutes ahead"
    assert "issued Mon 05 Jan 2026, 07:30" in page.locator("#issued").inner_text()
    assert "rush hour 20 %" in page.locator("#issued").inner_text()


def test_slider_changes_the_colours_that_are_seen(page: Page) -> None:
    assert asked(page, "colourOf('east_in')") == colour("gridlock")
    assert pixel(page, "east_in") == pytest.approx(colour("gridlock"), abs=3)
    page.locator("#horizon").press("ArrowRight")
    assert asked(page, "state()")["horizonMin"] == 30
    assert page.locator("#horizon").get_attribute("aria-valuetext") == (
        "30 minutes ahead, 07:45 to 08:00"
    )
    assert asked(page, "colourOf('east_in')") == colour("congested")
    assert pixel(page, "east_in") == pytest.approx(colour("congested"), abs=3)
    assert pixel(page, "west_in") == pytest.approx(colour("free_flow"), abs=3)


def test_tooltip_has_the_numbers_of_the_segment_under_the_mouse(page: Page) -> None:
    assert hovered(page, "east_in") == (
        "High Street east_in gridlock 80 % 10 km/h, 80 % between 5 and 20 km/h "
        "Observed 14 km/h, error \u22124 km/h"
    )
    assert "free flow 60 % 40 km/h" in hovered(page, "east_out")
    page.locator("#horizon").fill("1")
    assert "congested 65 % 18 km/h, 80 % between 9 and 29 km/h" in hovered(page, "east_in")


def test_search_finds_a_segment_by_id_flies_there_and_opens_its_card(page: Page) -> None:
    for _ in range(3):
        page.get_by_role("button", name="Farther").click()
    before = asked(page, "state()")["zoom"]
    page.locator("#search").fill("EAST_IN")
    page.locator("#search").press("Enter")
    state = asked(page, "state()")
    assert state["selected"] == "east_in"
    assert state["zoom"] > before
    place = asked(page, "pick('east_in')")
    assert 290 < place["x"] < WIDE[0] - 370
    card = page.locator("#card")
    text = " ".join(card.inner_text().split())
    assert "High Street east_in, residential, 100 m, limit 50 km/h, free flow 45 km/h" in text
    assert "gridlock 80 % congested 10 % moderate 5 % free flow 5 %" in text
    assert "Observed right before the time of issue" in text
    assert "likelier" not in text


def test_chart_shows_the_last_day_and_the_forecast_with_units_and_local_hours(page: Page) -> None:
    page.locator("#search").fill("east_in")
    page.locator("#search").press("Enter")
    chart = page.locator("#card svg.chart")
    assert chart.locator("circle.seen").count() == len(EAST)
    assert chart.locator("circle.step, circle.shown").count() == 2
    assert chart.locator("path.band").count() == 1
    texts = chart.locator("text").all_text_contents()
    assert texts[:4] == ["km/h", "0", "30", "60"]
    assert texts[4:] == ["issued 07:30", "08:00", "12:00", "18:00", "00:00", "06:00"]


def test_address_says_what_to_begin_with(page: Page) -> None:
    page.evaluate("() => { location.hash = 'segment=east_out&layer=error&minutes=30'; }")
    page.locator("#card").wait_for()
    state = asked(page, "state()")
    assert (state["selected"], state["layer"], state["horizonMin"]) == ("east_out", "error", 30)
    page.evaluate("() => { location.hash = 'layer=speed'; }")
    page.wait_for_function("() => window.roadgraph.state().layer === 'speed'")
    assert asked(page, "state()")["horizonMin"] == 30
    page.evaluate("() => { location.hash = ''; }")


def test_address_of_a_segment_that_is_gone_offers_those_like_it(page: Page) -> None:
    page.evaluate("() => { location.hash = 'segment=east'; }")
    page.locator("#found").wait_for()
    assert page.locator("#found li small").all_inner_texts() == ["east_in", "east_out"]
    assert page.locator("#search").input_value() == "east"
    assert asked(page, "state()")["selected"] is None
    page.evaluate("() => { location.hash = ''; }")


def test_search_finds_roads_by_a_part_of_their_name(page: Page) -> None:
    page.locator("#search").fill("gh str")
    found = page.locator("#found li")
    assert found.all_inner_texts() == ["High Street\neast_in", "High Street\neast_out"]
    page.locator("#search").press("ArrowDown")
    page.locator("#search").press("ArrowDown")
    page.locator("#search").press("Enter")
    assert asked(page, "state()")["selected"] == "east_out"


def test_search_reads_over_accents_and_finds_a_misspelt_road(page: Page) -> None:
    page.locator("#search").fill("HÍGH")
    assert page.locator("#found li").count() == 2
    page.locator("#search").fill("Hihg Streat")
    assert page.locator("#not-found").is_visible()
    assert "High Street" in page.locator("#found li").first.inner_text()
    page.locator("#search").press("Tab")
    assert page.locator("#found").is_hidden()
    page.locator("#search").fill("  ")
    assert page.locator("#found").is_hidden()
    assert page.locator("#not-found").is_hidden()


def test_unknown_segment_gives_the_nearest_ones_to_choose_from(page: Page) -> None:
    page.locator("#search").fill("eats_in")
    page.locator("#search").press("Enter")
    assert "No segment \u201ceats_in\u201d; nearest:" in page.locator("#not-found").inner_text()
    page.locator("#found li").first.click()
    assert asked(page, "state()")["selected"] == "east_in"
    page.get_by_role("button", name="Close", exact=True).click()
    assert asked(page, "state()")["selected"] is None
    focused = "document.activeElement.matches('#map canvas')"
    assert page.evaluate(focused), "the next key does nothing"


def test_layers_colour_by_what_their_legends_say(page: Page) -> None:
    ramp_end = {}
    for title in ("Probability of gridlock", "Speed, share of free flow", "Uncertainty"):
        page.get_by_label(title, exact=True).check()
        ramp_end[title] = asked(page, "colourOf('east_in')")
        assert ramp_end[title] != asked(page, "colourOf('west_in')")
    assert len(set(map(tuple, ramp_end.values()))) == 3
    page.get_by_label("Speed in km/h").check()
    assert page.locator("#legend .unit").inner_text() == "km/h"
    page.get_by_label("Observed or estimated").check()
    assert asked(page, "colourOf('east_in')") != asked(page, "colourOf('east_out')")
    legend = " ".join(page.locator("#legend").inner_text().split())
    assert "in the last slice 7 (88 %) within the hour 0 within 6 hours 1 (13 %)" in legend


def test_keys_show_where_they_are_on_the_map(page: Page) -> None:
    page.locator("#search").press("Shift+Tab")
    canvas = page.locator("#map canvas")
    assert canvas.evaluate("e => e.matches(':focus-visible')")
    assert canvas.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_keys_choose_a_layer(page: Page) -> None:
    page.get_by_label("Congestion", exact=True).press("ArrowDown")
    assert asked(page, "state()")["layer"] == "gridlock"


def test_error_is_shown_where_the_truth_has_come_in(page: Page) -> None:
    page.get_by_label("Error", exact=True).check()
    too_slow, unknown = asked(page, "colourOf('east_in')"), asked(page, "colourOf('west_in')")
    assert too_slow[0] > too_slow[2] + 40  # brown
    assert max(unknown) - min(unknown) < 10  # grey
    page.locator("#horizon").fill("1")
    assert asked(page, "colourOf('east_in')") == unknown
    assert "has not come in yet" in page.locator("#layer-note").inner_text()
    assert asked(page, "segment('east_in')")["errorKph"] is None


def test_playback_goes_over_the_times_of_issue(page: Page) -> None:
    page.evaluate(STEPPED)
    page.get_by_role("button", name="Play the times of issue").click()
    page.evaluate("() => { window.setInterval = window.usual; }")
    assert 500 <= page.evaluate("window.stepMs") <= 2000
    assert asked(page, "state()")["issue"] == 0
    assert asked(page, "colourOf('east_in')") == colour("free_flow")
    page.evaluate("window.step()")
    assert "07:15" in page.locator("#issue-value").inner_text()
    page.get_by_role("button", name="Pause").click()
    state = asked(page, "state()")
    assert (state["issue"], state["playing"]) == (1, False)
    page.locator("#issue").press("ArrowRight")
    assert asked(page, "colourOf('east_in')") == colour("gridlock")


def test_playback_rests_while_nobody_looks(page: Page) -> None:
    page.get_by_role("button", name="Play the times of issue").click()
    assert asked(page, "state()")["playing"]
    page.evaluate("""() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
      delete document.hidden;
    }""")
    assert not asked(page, "state()")["playing"]


def test_about_tells_what_was_done_to_the_data(page: Page) -> None:
    page.get_by_role("button", name="About this page").click()
    text = page.locator("#about").inner_text()
    assert "gcn-simple" in text
    assert "Probabilities are rounded" in text
    page.locator("#about").get_by_role("button", name="Close", exact=True).click()


def test_dark_colours_are_seen_and_the_button_brings_light_ones(page: Page) -> None:
    button = page.get_by_role("button", name="Dark colours")
    button.click()
    assert asked(page, "state()")["theme"] == "dark"
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = [int(part) for part in re.findall(r"\d+", paper)]
    assert contrast(asked(page, "colourOf('east_in')"), dark) >= 3
    assert contrast(asked(page, "colourOf('west_in')"), dark) >= 3
    button.click()
    assert asked(page, "colourOf('east_in')") == colour("gridlock")


def test_phone_has_a_sheet_and_targets_for_a_thumb_and_no_sideways_scrolling(
    browser: Browser, tmp_path: Path
) -> None:
    no_speed = {"speed": None, "speed_p10": None, "speed_p90": None}
    path = written(tmp_path, newest_forecast(**no_speed), slices(EAST))
    with opened(browser, path, PHONE, scheme="dark", touch=True) as seen:
        shown(seen)
        page = seen.page
        assert asked(page, "state()")["theme"] == "dark"
        heights = page.locator("button:visible, #layers label, input:visible").evaluate_all(
            "all => all.filter(e => e.type !== 'radio').map(e => e.getBoundingClientRect().height)"
        )
        assert min(heights) >= 40
        place = asked(page, "pick('east_in')")
        page.touchscreen.tap(place["x"], place["y"] + 12)  # a finger does not hit a line
        page.locator("#card").wait_for()
        assert page.locator("#tooltip").is_hidden()
        sheet = page.locator("#card").bounding_box()
        assert sheet is not None
        assert sheet["y"] > PHONE[1] / 3
        assert sheet["x"] + sheet["width"] <= PHONE[0]
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        assert "gridlock 80 %" in " ".join(page.locator("#card-lines").inner_text().split())
        # A model without speeds says so, and is as unsure as its answer is unlikely.
        layers = {layer["name"]: layer["missing"] for layer in asked(page, "state()")["layers"]}
        assert layers["speed"] == "the model gives no speeds"
        assert layers["uncertainty"] == ""
        assert seen.messages == []
        assert seen.requests == [path.as_uri()]


def test_panels_leave_each_other_room_however_the_screen_is_held(
    browser: Browser, morning: Path
) -> None:
    with opened(browser, morning, PHONE, touch=True) as seen:
        shown(seen)
        page = seen.page
        for width, height in [(320, 568), (568, 320), (844, 390), (820, 1180), (920, 700)]:
            page.set_viewport_size({"width": width, "height": height})
            page.locator("#search").fill("east_in")
            page.locator("#search").press("Enter")
            top, card, dock = (edges(page, f"#{name}") for name in ("top", "card", "dock"))
            search, value = edges(page, "#search"), edges(page, "#issue-value")
            assert search["right"] - search["left"] > 100
            assert top["bottom"] < 0.3 * height
            assert top["bottom"] <= card["top"]
            assert card["bottom"] - card["top"] > 100
            assert dock["bottom"] <= height
            assert dock["right"] <= width
            assert value["right"] <= dock["right"]
            assert edges(page, "#issues label")["right"] <= value["left"] + 1
            page.locator("#card-close").click()  # nothing lies on it
            assert asked(page, "state()")["selected"] is None


def test_error_is_refused_with_the_reason_and_speeds_are_in_the_citys_unit(
    browser: Browser, tmp_path: Path
) -> None:
    path = written(tmp_path, newest_forecast(), slices(EAST[:3]), city={"speed_unit": "mph"})
    with opened(browser, path) as seen:
        shown(seen)
        error = seen.page.locator("#layer-error")
        assert error.is_disabled()
        label = seen.page.locator("#layers label", has=error).inner_text()
        assert "no truth yet: nothing has been observed of the times forecast" in label
        assert "25 mph, 80 % between 19 and 31 mph" in hovered(seen.page, "east_out")
        assert seen.page.locator("#issues").is_hidden()


@pytest.mark.parametrize(("side", "south"), [("left", "east_in"), ("right", "east_out")])
def test_a_segment_lies_on_the_side_that_traffic_keeps_to(
    browser: Browser, tmp_path: Path, side: str, south: str
) -> None:
    """East of the middle, west-bound traffic that keeps to the left is the one in the south."""
    path = written(tmp_path, newest_forecast(), slices(EAST), city={"drives_on": side})
    with opened(browser, path) as seen:
        shown(seen)
        below = {name: asked(seen.page, f"pick('{name}')")["y"] for name in ("east_in", "east_out")}
        assert max(below, key=lambda name: below[name]) == south
        assert south in hovered(seen.page, south)


def test_card_says_where_another_class_is_likelier_and_tells_nothing_of_what_has_no_row(
    browser: Browser, tmp_path: Path
) -> None:
    weighed = newest_forecast(congestion=rows("free_flow", east_in_15="congested"))
    shown_ids = [name for name in IDS if name != "east_out"]
    table = weighed.filter(pc.is_in(weighed["segment_id"], pa.array(shown_ids)))
    path = written(tmp_path, table, slices(EAST).slice(0, 0))
    with opened(browser, path) as seen:
        shown(seen)
        page = seen.page
        for segment, told, not_told in (
            ("east_in", "Gridlock is likelier; the model weighs the classes", "no answer"),
            ("east_out", "The model gives no answer for this segment.", "bserved"),
        ):
            page.locator("#search").fill(segment)
            page.locator("#search").press("Enter")
            text = " ".join(page.locator("#card-lines").inner_text().split())
            assert told in text
            assert not_told not in text
        page.get_by_label("Observed or estimated").check()
        assert "no answer" in page.locator("#legend").inner_text()
        assert seen.messages == []


def test_data_cut_off_is_said_in_a_sentence(
    browser: Browser, morning: Path, tmp_path: Path
) -> None:
    html = morning.read_text("utf-8")
    damaged = tmp_path / "map.html"
    damaged.write_text(re.sub(r'(id="data">.{200})[^<]*', r"\1", html), "utf-8")
    with opened(browser, damaged) as seen:
        shown(seen)
        trouble = seen.page.get_by_role("alert").inner_text()
    assert "The data of this page cannot be read, the file is cut off or damaged" in trouble
    assert seen.messages == []


def test_page_whose_graphics_are_taken_away_says_so(browser: Browser, morning: Path) -> None:
    with opened(browser, morning) as seen:
        shown(seen)
        seen.page.evaluate("""() => {
          const canvas = document.querySelector('#map canvas');
          canvas.getContext('webgl2').getExtension('WEBGL_lose_context').loseContext();
        }""")
        trouble = seen.page.get_by_role("alert")
        trouble.wait_for()
        assert "took the graphics memory away from this page; load it again" in trouble.inner_text()


def test_scale_of_uncertainty_is_that_of_the_horizons_with_a_range(
    browser: Browser, tmp_path: Path
) -> None:
    none = {f"{name}_30": None for name in IDS}
    columns = {
        "basis": rows("observations", **dict.fromkeys(none, "history")),
        "speed_p10": rows(30.0, **none),
        "speed_p90": rows(50.0, **none),
    }
    path = written(tmp_path, newest_forecast(**columns), slices(EAST))
    with opened(browser, path) as seen:
        shown(seen)
        seen.page.get_by_label("Uncertainty", exact=True).check()
        ticks = seen.page.locator("#legend .ticks span").all_inner_texts()
        assert ticks == ["0", "5", "10", "15", "20"]
        seen.page.locator("#horizon").fill("1")
        assert "typical only" in seen.page.locator("#issued").inner_text()


def test_browser_without_webgl_says_what_is_needed(browser: Browser, morning: Path) -> None:
    lacking = "HTMLCanvasElement.prototype.getContext = () => null"
    with opened(browser, morning, first=lacking) as seen:
        shown(seen)
        assert "This map needs WebGL 2" in seen.page.get_by_role("alert").inner_text()
