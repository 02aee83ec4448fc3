"""Settings of the pages that people look at: the map and the scorecard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from roadgraph.settings.setting import Setting


@dataclass(frozen=True)
class ReportSettings:
    """Map page and scorecard."""

    page_mb: Annotated[
        float,
        Setting(
            "size that the map page stays below by leaving out times of issue and points of lines, "
            "which the page then says; the newest forecast is always whole",
            "MB",
            2,
            500,
        ),
    ] = 9.5
    districts: Annotated[
        str,
        Setting(
            "polygons of the city's districts, any file that a GIS reads; empty: nine fields of "
            "equal width and height, named by compass"
        ),
    ] = ""
    district_name: Annotated[
        str, Setting("column of `report.districts` with the districts' names")
    ] = "name"
    worst: Annotated[
        int, Setting("segments and hours that the scorecard names as the worst", "1", 1, 100)
    ] = 10
