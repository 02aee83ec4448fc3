"""`roadgraph run`: the scheduled run of all steps, and the demo."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from roadgraph.cli.app import Overrides, app, by_default, settings_of
from roadgraph.cli.forecast_commands import forecast, show_report
from roadgraph.cli.model_commands import compared, show_tracking
from roadgraph.cli.network_commands import import_roads
from roadgraph.cli.screen import bar_a_step, finish, notes, progress_bars, screen, show_step
from roadgraph.cli.slices_commands import bring_slices_up_to_date
from roadgraph.errors import ExitCode

if TYPE_CHECKING:
    from roadgraph.batch.asked import Asked
    from roadgraph.batch.outcome import Outcome
    from roadgraph.settings import Settings

DEMO_MEMBERS = ("mlp-simple", "gcn-enhanced", "gcn-enhanced-self-loops", "roadnet-simple")
"""Of the demo, with one seed, so that it takes minutes."""

DEMO_STEPS = ("quality", "predictions", "evaluation")


@app.command()
def run(
    overrides: Overrides = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DAY",
            help="Local day to begin with, such as 2026-01-05."
            + by_default("pipeline.catch_up_days back"),
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DAY|now",
            help="Local day to end with, or now: the newest slice that is over."
            + by_default("that of the newest fixes"),
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(
            help="Steps, separated by commas: network, slices, quality, predictions, evaluation, "
            "model, promotion." + by_default("all"),
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be done and why; write nothing.")
    ] = False,
) -> None:
    """Make what is missing or stale: slices, reports, forecasts, a better model when there is one.

    Ends with 0 when all is well, 1 when a step failed, 2 for a mistake in settings or options, 3
    when a check failed, 75 when another run was at it.
    """
    settings = settings_of(overrides)
    with notes.status("loading"):
        import pandas as pd

        from roadgraph.batch.asked import asked_for

    asked = asked_for(first, last, steps)
    if dry_run:
        with notes.status("looking"):
            from roadgraph.batch.plan import plan_batch

            tasks = plan_batch(settings, asked, pd.Timestamp.now("UTC"))
        for task in tasks:
            show_step("would make", task.step, task.partition, task.reason)
        if not tasks:
            screen.print("nothing to do: all of it is there and as new", highlight=False)
        return
    code = _run_batch(settings, asked)
    if code:
        raise typer.Exit(code)


def _run_batch(settings: Settings, asked: Asked) -> ExitCode:
    with notes.status("loading"):
        from roadgraph.batch.run import Watch, run_batch

    with progress_bars() as bars:
        show = bar_a_step(bars)

        def epoch(title: str, figures: dict[str, float]) -> None:
            show(f"training {title}", (figures["epoch"] + 1) / settings.training.max_epochs)

        def ends(outcome: Outcome) -> None:
            finish(bars)
            _show_outcome(outcome)

        report = run_batch(settings, asked, watch=Watch(ends=ends, progress=show, epoch=epoch))
    for check in report.unwell:
        word = "check failed" if check.severity == "error" else "warning"
        show_step(word, check.name, str(check.day), check.reason)
    screen.print(
        f"{len(report.made)} made, {len(report.failed)} failed, {len(report.failed_checks)} checks "
        "failed",
        highlight=False,
    )
    return report.exit_code


def _show_outcome(outcome: Outcome) -> None:
    """Print what became of a step; what was as new already is the log's."""
    if outcome.state == "fresh":
        logging.getLogger(__name__).info("%s %s: fresh", outcome.step, outcome.partition)
        return
    figures = ", ".join(f"{name} {_plain(value)}" for name, value in outcome.figures.items())
    text = f"{outcome.reason} ({figures})" if figures else outcome.reason
    show_step(outcome.state, outcome.step, outcome.partition, text)


def _plain(value: float | int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


@app.command()
def demo(overrides: Overrides = None) -> None:
    """Go the whole way on the sample city: network, slices, comparison, predictions, report."""
    settings = settings_of(overrides)
    import_roads(settings)
    bring_slices_up_to_date(settings)
    comparison = compared(settings, DEMO_MEMBERS, (settings.training.seed,))
    forecast(settings, comparison.bundles["gcn-enhanced"], None)
    _look_back(settings)
    show_tracking(comparison)


def _look_back(settings: Settings) -> None:
    """Issue the forecasts of the newest day as its scheduled runs would have, and report on it."""
    from roadgraph.batch.asked import Asked
    from roadgraph.slices.store import stored_days
    from roadgraph.workspace import Workspace

    day = stored_days(Workspace.of(settings).slices)[-1]
    code = _run_batch(settings, Asked(day, day, DEMO_STEPS))
    if code not in (ExitCode.OK, ExitCode.CHECKS):
        raise typer.Exit(code)
    show_report(settings)
