from xml.etree import ElementTree

import pytest

from roadgraph.legend import CLASS_COLOURS, CLASS_TITLES, NO_ANSWER
from roadgraph.predict.qgis_style import DOCTYPE, predictions_style
from roadgraph.settings.roads_and_probes import Side

STYLE = predictions_style([45, 15, 30], {"speed": "speed (km/h)"}, "left")


def root_of(style: str) -> ElementTree.Element:
    assert style.startswith(DOCTYPE)
    return ElementTree.fromstring(style)


def groups() -> list[ElementTree.Element]:
    renderer = root_of(STYLE).find("renderer-v2[@type='RuleRenderer']")
    assert renderer is not None
    return renderer.findall("rules/rule")


def colour_of(symbol: str) -> str:
    found = root_of(STYLE).find(
        f"renderer-v2/symbols/symbol[@name='{symbol}'][@type='line']/layer[@class='SimpleLine']"
        "/Option[@type='Map']/Option[@name='line_color']"
    )
    assert found is not None
    *colour, alpha = (int(part) for part in found.attrib["value"].split(","))
    assert alpha == 255
    return f"#{bytes(colour).hex()}"


def test_each_horizon_is_a_group_and_the_nearest_alone_is_on() -> None:
    told = [(each.get("label"), each.get("filter"), each.get("checkstate")) for each in groups()]
    assert told == [
        ("in 15 min", '"horizon_min" = 15', None),
        ("in 30 min", '"horizon_min" = 30', "0"),
        ("in 45 min", '"horizon_min" = 45', "0"),
    ]
    assert all(each.get("symbol") is None for each in groups())


@pytest.mark.parametrize("place", range(3))
def test_in_each_group_every_class_has_its_title_and_colour(place: int) -> None:
    rules = groups()[place].findall("rule")
    told = {each.attrib["filter"]: (each.get("label"), colour_of(each.attrib["symbol"]))
            for each in rules}  # fmt: skip
    expected = {
        f"\"congestion\" = '{name}'": (CLASS_TITLES[name], colour)
        for name, colour in CLASS_COLOURS.items()
    }
    assert told == {**expected, '"congestion" IS NULL': ("no answer", NO_ANSWER)}
    assert all(each.get("checkstate") is None for each in rules)


@pytest.mark.parametrize(("side", "aside_mm"), [("left", -0.5), ("right", 0.5)])
def test_lines_lie_on_the_side_that_traffic_keeps_to(side: Side, aside_mm: float) -> None:
    """QGIS moves a line to the left of its direction where the offset is negative."""
    root = root_of(predictions_style([15], {}, side))
    offsets = [each.attrib["value"] for each in root.iter("Option") if each.get("name") == "offset"]
    assert [float(each) for each in offsets] == [aside_mm] * 5


def test_no_two_rules_have_one_key() -> None:
    keys = [each.attrib["key"] for each in root_of(STYLE).iter("rule")]
    assert len(keys) == len(set(keys)) == 3 * (1 + 5)


def test_columns_have_the_titles_that_people_see() -> None:
    (alias,) = root_of(STYLE).findall("aliases/alias")
    assert alias.attrib == {"field": "speed", "name": "speed (km/h)"}


def test_the_style_is_one_of_lines() -> None:
    assert root_of(STYLE).findtext("layerGeometryType") == "1"
    assert root_of(STYLE).get("styleCategories") == "Symbology|Fields"


def test_a_forecast_without_a_row_has_no_group() -> None:
    assert root_of(predictions_style([], {}, "left")).findall("renderer-v2/rules/rule") == []
