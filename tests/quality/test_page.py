from dataclasses import replace
from pathlib import Path

import numpy as np

from roadgraph.probes.match_report import MatchReport
from roadgraph.quality.account import InputRows
from roadgraph.quality.checks import checks_of_report
from roadgraph.quality.day import quality_of_day
from roadgraph.quality.page import page_of_quality
from roadgraph.settings import PipelineSettings
from tests.quality.toy import MONDAY, NETWORK, NEXT_MONDAY, city, waves, write_day


def test_the_page_says_what_came_in_and_what_became_of_it(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    speeds = waves(1)
    speeds[:4] = np.nan
    write_day(settings, MONDAY, waves(0))
    write_day(settings, NEXT_MONDAY, speeds)
    report = replace(
        quality_of_day(settings, NETWORK, workspace, NEXT_MONDAY),
        inputs=(InputRows("a.csv", 1000, 990, {"parked": 10}, 1005, 1000, {"bad_speed": 5}),),
        matching=MatchReport(tried=1000, on_trips=990, refused={"unmatched": 10}, metres=1980.0),
    )
    page = page_of_quality(report, checks_of_report(report, PipelineSettings()))
    assert page.startswith("# Data of Monday, 2026-01-12\n")
    assert "* 276 cells (segment and slice) were observed, 95.8% of all" in page
    assert "hours without any observation: 00:00\n" in page
    assert "| a.csv | 1,000 | 990 | parked 10 | 1,005 | bad_speed 5 |" in page
    assert "99.0% of 1,000 fixes of moving vehicles fit the roads, 2.0 m from them" in page
    assert "| coverage | passed | 95.8% of the cells were observed" in page
    assert "| 00:00 | 0.0% |\n| 01:00 | 100.0% |" in page
    assert "| residential | 95.8% |" in page
    assert "Against 2026-01-05 (Monday)." in page


def test_the_page_of_a_day_without_fixes_says_so(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    report = quality_of_day(settings, NETWORK, workspace, MONDAY)
    page = page_of_quality(report, checks_of_report(report, PipelineSettings()))
    assert "Nothing was observed on this day; 0 rows of it came in." in page
    assert "## Rows" not in page
    assert "## Matching" not in page
    assert "| account | no verdict | No row of 2026-01-05 came in. |" in page
