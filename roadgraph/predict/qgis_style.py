"""How QGIS draws a map of predictions: its style file (``.qml``).

The elements are those that QGIS 3 writes itself, those alone that differ from its defaults
(``QgsRuleBasedRenderer::save``, ``QgsSymbolLayerUtils::saveSymbol``, https://github.com/qgis/QGIS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from roadgraph.legend import CLASS_COLOURS, CLASS_TITLES, NO_ANSWER, NO_ANSWER_TITLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadgraph.settings.roads_and_probes import Side

DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
QGIS_VERSION = "3.34.0"
LINE_GEOMETRY = "1"  # Qgis.GeometryType.Line
WIDTH_MM = 0.9
ASIDE_MM = {"left": "-0.5", "right": "0.5"}
"""Lines lie on the side that traffic keeps to, as in the plots, so that both directions show."""


def predictions_style(
    horizons_min: Sequence[int], titles: Mapping[str, str], drives_on: Side
) -> str:
    """Return the style of a layer with a row a segment and horizon.

    Lines have the colours of their congestion class. The rows of all horizons lie on each other, so
    each horizon is a group of rules that can be switched on and off; the nearest one is on.

    Args:
        horizons_min: that the layer has, minutes.
        titles: what people see in the place of a column's name, by its name.
        drives_on: side of travel that lines are moved to.
    """
    style = ElementTree.Element(
        "qgis", version=QGIS_VERSION, styleCategories="Symbology|Fields", labelsEnabled="0"
    )
    renderer = ElementTree.SubElement(
        style, "renderer-v2", type="RuleRenderer", symbollevels="0", enableorderby="0",
        forceraster="0", referencescale="-1",
    )  # fmt: skip
    rules = ElementTree.SubElement(renderer, "rules", key="predictions")
    for place, horizon in enumerate(sorted(horizons_min)):
        _add_group(rules, horizon, switched_on=place == 0)
    symbols = ElementTree.SubElement(renderer, "symbols")
    for place, colour in enumerate((*CLASS_COLOURS.values(), NO_ANSWER)):
        _add_symbol(symbols, str(place), colour, drives_on)
    aliases = ElementTree.SubElement(style, "aliases")
    for column, title in titles.items():
        ElementTree.SubElement(aliases, "alias", field=column, name=title)
    ElementTree.SubElement(style, "layerGeometryType").text = LINE_GEOMETRY
    ElementTree.indent(style)
    return DOCTYPE + ElementTree.tostring(style, encoding="unicode") + "\n"


def _add_group(rules: ElementTree.Element, horizon_min: int, switched_on: bool) -> None:
    group = ElementTree.SubElement(
        rules,
        "rule",
        key=f"horizon-{horizon_min}",
        label=f"in {horizon_min} min",
        filter=f'"horizon_min" = {horizon_min}',
    )
    if not switched_on:
        group.set("checkstate", "0")
    shown = [(title, f"\"congestion\" = '{name}'") for name, title in CLASS_TITLES.items()]
    shown.append((NO_ANSWER_TITLE, '"congestion" IS NULL'))
    for place, (title, condition) in enumerate(shown):
        ElementTree.SubElement(
            group,
            "rule",
            key=f"horizon-{horizon_min}-{place}",
            label=title,
            filter=condition,
            symbol=str(place),
        )


def _add_symbol(symbols: ElementTree.Element, name: str, colour: str, drives_on: Side) -> None:
    symbol = ElementTree.SubElement(
        symbols, "symbol", type="line", name=name, alpha="1", clip_to_extent="1", force_rhr="0"
    )
    drawn = {"class": "SimpleLine", "enabled": "1", "locked": "0", "pass": "0"}
    layer = ElementTree.SubElement(symbol, "layer", drawn)
    options = ElementTree.SubElement(layer, "Option", type="Map")
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    for key, value in {
        "capstyle": "round",
        "joinstyle": "round",
        "line_color": f"{red},{green},{blue},255",
        "line_style": "solid",
        "line_width": str(WIDTH_MM),
        "line_width_unit": "MM",
        "offset": ASIDE_MM[drives_on],
        "offset_unit": "MM",
    }.items():
        ElementTree.SubElement(options, "Option", name=key, type="QString", value=value)
