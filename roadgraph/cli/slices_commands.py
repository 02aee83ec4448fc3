"""`roadgraph slices`: fixes into time slices, with the account of every row."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from roadgraph.cli.app import Overrides, app, settings_of
from roadgraph.cli.screen import bar_a_step, notes, progress_bars, screen, written

if TYPE_CHECKING:
    from roadgraph.probes.match_report import MatchReport
    from roadgraph.settings import Settings
    from roadgraph.slices.run import SlicesReport


@app.command()
def slices(overrides: Overrides = None) -> None:
    """Clean and match GPS fixes, and aggregate them to time slices."""
    settings = settings_of(overrides)
    bring_slices_up_to_date(settings)


def bring_slices_up_to_date(settings: Settings) -> None:
    """Make the slices and show the account of every row."""
    with notes.status("loading"):
        from roadgraph.workflow import run_slices

    with progress_bars() as bars:
        report, workspace = run_slices(settings, bar_a_step(bars))
    _show_account(report, settings)
    if report.matching is not None:
        _show_matching(report.matching)
    written(workspace.slices)
    if report.matching is not None and report.matching.worst:
        written(workspace.matching / "worst_trips.png")


def _show_account(report: SlicesReport, settings: Settings) -> None:
    quarantined = sum(report.refused.values())
    screen.print(
        f"[bold]slices[/] {settings.city.name}: {report.rows_in:,} rows in = "
        f"{report.rows_used:,} used + {quarantined:,} quarantined; {report.slices:,} slices of "
        f"{settings.slices.minutes} minutes, {len(report.built)} days built, "
        f"{len(report.kept)} as they were",
        highlight=False,
        soft_wrap=True,
    )
    for rule, count in report.refused.items():
        screen.print(f"  quarantined {rule}: {count:,}", highlight=False)


def _show_matching(matching: MatchReport) -> None:
    from roadgraph.probes.match_report import DISTANCE_EDGES_M

    if not matching.tried:
        return
    screen.print(
        f"  matched {matching.match_rate:.1%} of {matching.tried:,} fixes, {matching.trips:,} "
        f"trips; mean distance from the road {matching.mean_distance_m:.1f} m",
        highlight=False,
    )
    edges = DISTANCE_EDGES_M
    total = max(sum(matching.distances), 1)
    spans = [f"{a}-{b}" for a, b in pairwise(edges)] + [f"over {edges[-1]}"]
    shares = zip(spans, matching.distances, strict=True)
    within = ", ".join(f"{span} m {count / total:.1%}" for span, count in shares if count)
    screen.print(f"  distances: {within}", highlight=False, soft_wrap=True)
