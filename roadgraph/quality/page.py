"""The quality report as people read it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.markdown import markdown
from roadgraph.probes.match_report import DISTANCE_EDGES_M

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.probes.match_report import MatchReport
    from roadgraph.quality.checks import Check
    from roadgraph.quality.day import QualityReport

VERDICTS = {True: "passed", False: "**failed**", None: "no verdict"}


def page_of_quality(report: QualityReport, checks: Sequence[Check]) -> str:
    """Return the quality report of a day and its checks in Markdown."""
    return "\n".join(
        [
            f"# Data of {report.day:%A}, {report.day}",
            "",
            *_summary(report),
            "",
            "## Checks",
            "",
            markdown(
                pd.DataFrame(
                    {
                        "check": [check.name for check in checks],
                        "verdict": [VERDICTS[check.passed] for check in checks],
                        "why": [check.reason for check in checks],
                    }
                )
            ),
            *_rows(report),
            *(_matching(report.matching) if report.matching is not None else ()),
            *_coverage(report),
            *_drift(report),
        ]
    )


def _summary(report: QualityReport) -> list[str]:
    coverage = report.coverage
    if not coverage.cells:
        return [f"Nothing was observed on this day; {report.rows_in:,} rows of it came in."]
    lines = [
        f"* {coverage.cells:,} cells (segment and slice) were observed, "
        f"{coverage.share:.1%} of all",
        f"* mean speed {report.mean_speed_kph:.1f} km/h, median quality score "
        f"{report.median_quality_score:.2f}",
    ]
    if report.vehicles is not None:
        lines.append(f"* {report.vehicles:,} vehicles with {report.traversals:,} traversals")
    if coverage.empty_hours:
        hours = ", ".join(f"{hour:02d}:00" for hour in coverage.empty_hours)
        lines.append(f"* hours without any observation: {hours}")
    return lines


def _rows(report: QualityReport) -> list[str]:
    if not report.inputs:
        return []
    table = pd.DataFrame(
        {
            "file": [each.name for each in report.inputs],
            "rows of the day": [f"{each.rows:,}" for each in report.inputs],
            "used": [f"{each.used:,}" for each in report.inputs],
            "quarantined": [_counts(each.refused) for each in report.inputs],
            "rows of the file": [f"{each.file_rows:,}" for each in report.inputs],
            "refused at reading": [_counts(each.file_refused) for each in report.inputs],
        }
    )
    return ["## Rows", "", markdown(table)]


def _matching(matching: MatchReport) -> list[str]:
    edges = [*DISTANCE_EDGES_M, None]
    table = pd.DataFrame(
        {
            "distance from the road, m": [
                f"over {low}" if high is None else f"{low} to {high}"
                for low, high in pairwise(edges)
            ],
            "fixes": [f"{count:,}" for count in matching.distances],
        }
    )
    if not matching.tried:
        return []
    return [
        "## Matching",
        "",
        f"{matching.match_rate:.1%} of {matching.tried:,} fixes of moving vehicles fit the "
        f"roads, {matching.mean_distance_m:.1f} m from them on average; refused: "
        f"{_counts(matching.refused)}.",
        "",
        markdown(table),
    ]


def _coverage(report: QualityReport) -> list[str]:
    def table(title: str, shares: dict[str, float]) -> str:
        texts = [f"{share:.1%}" for share in shares.values()]
        return markdown(pd.DataFrame({title: list(shares), "observed cells": texts}))

    by_hour = {f"{hour:02d}:00": share for hour, share in report.coverage.by_hour.items()}
    return [
        "## Coverage",
        "",
        table("local hour", by_hour),
        table("road class", report.coverage.by_road_class),
    ]


def _drift(report: QualityReport) -> list[str]:
    if not report.drift:
        return []
    table = pd.DataFrame(
        {
            "feature": [each.name for each in report.drift],
            "population stability index": [
                "-" if math.isnan(each.index) else f"{each.index:.3f}" for each in report.drift
            ],
        }
    )
    return ["## Drift", "", f"Against {report.reference}.", "", markdown(table)]


def _counts(refused: dict[str, int]) -> str:
    return ", ".join(f"{rule} {count:,}" for rule, count in refused.items()) or "none"
