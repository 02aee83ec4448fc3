"""The table of a contest as people see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.promotion.decision import FIGURES
from roadgraph.report.tables import SHOWN, figure_text
from roadgraph.tracking.versions import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from roadgraph.promotion.decision import Figures
    from roadgraph.promotion.promoting import Promotion
    from roadgraph.settings import CitySettings


def shown_promotion(promotion: Promotion, figures: Figures, city: CitySettings) -> pd.DataFrame:
    """Return a row a forecaster, texts as they print; who shows it says the unit of speeds.

    Args:
        promotion: its titles and versions name the rows.
        figures: of its decision.
        city: its ``speed_unit`` says whether errors are shown in km/h or mph.
    """
    names = {
        role: f"{role}, version {version.number}: {promotion.titles[role]}"
        for role, version in ((CHAMPION, promotion.champion), (CHALLENGER, promotion.challenger))
    }
    table = figures.table
    shown = pd.DataFrame({"model": [names.get(role, role) for role in table["model"]]})
    columns = {name: (name, SHOWN[name]) for name in FIGURES}
    columns["hidden"] = (figures.metric, f"{SHOWN[figures.metric]} hidden")
    for column, (figure, title) in columns.items():
        shown[title] = [figure_text(value, figure, city) for value in table[column]]
    return shown
