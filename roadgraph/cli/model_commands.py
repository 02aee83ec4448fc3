"""What trains, compares, records and promotes models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadgraph.cli.app import Overrides, app, by_default, settings_of
from roadgraph.cli.screen import (
    escaped,
    finish,
    notes,
    progress_bars,
    screen,
    show_table,
    written,
)
from roadgraph.errors import ExitCode, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.promotion.promoting import Promotion
    from roadgraph.settings import Settings
    from roadgraph.tracking.outbox import Left
    from roadgraph.workflow import Comparison


@app.command()
def train(overrides: Overrides = None) -> None:
    """Train one model and show it beside the baselines."""
    settings = settings_of(overrides)
    with notes.status("loading"):
        from roadgraph.models.registry import model_title

    title = model_title(settings.model, settings.size)
    show_tracking(compared(settings, [title], (settings.training.seed,)))


@app.command()
def compare(
    overrides: Overrides = None,
    models: Annotated[
        str | None,
        typer.Option(
            help="Models, separated by commas, or all."
            + by_default("mlp-simple,gcn-enhanced,roadnet-simple"),
            show_default=False,
        ),
    ] = None,
    controls: Annotated[
        bool,
        typer.Option(
            help="Train the control, which hears no neighbour, of every model that has a graph."
        ),
    ] = True,
    report: Annotated[
        bool,
        typer.Option("--report", help="Write one self-contained HTML page: comparison.html."),
    ] = False,
) -> None:
    """Train several models over several seeds and compare them with each other and the baselines.

    What was trained already on the same data with the same settings is not trained again.
    """
    settings = settings_of(overrides)
    from roadgraph.comparison.members import DEFAULT_MEMBERS, with_controls

    titles = [name.strip() for name in models.split(",")] if models else DEFAULT_MEMBERS
    titles = with_controls(titles) if controls else list(titles)
    comparison = compared(settings, titles, settings.evaluation.seeds, report)
    show_tracking(comparison)
    if comparison.compared.failures:
        raise typer.Exit(ExitCode.FAILED)


def compared(
    settings: Settings, titles: Sequence[str], seeds: Sequence[int], report: bool = False
) -> Comparison:
    """Compare, with a bar a training, and show the tables."""
    with notes.status("loading"):
        from roadgraph.comparison.members import members_of
        from roadgraph.workflow import run_comparison

    members = members_of(settings, titles)
    epochs = settings.training.max_epochs
    with progress_bars() as bars:
        tasks: dict[str, Any] = {}

        def begin(title: str) -> None:
            finish(bars)
            tasks[title] = bars.add_task(title, total=None)

        def show(title: str, figures: dict[str, float]) -> None:
            bars.update(
                tasks[title],
                total=epochs,
                completed=figures["epoch"] + 1,
                description=f"training {title}, validation loss {figures['val_loss']:.4f}",
            )

        comparison = run_comparison(settings, members, seeds, show, begin, report)
        finish(bars)
    _show_comparison(comparison, settings)
    return comparison


def _show_comparison(comparison: Comparison, settings: Settings) -> None:
    from roadgraph.comparison.account import notes_of, shown_facts, verdicts_of
    from roadgraph.evaluation.comparison import means_and_spreads
    from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
    from roadgraph.report.tables import SHORT, shown_comparison, shown_verdicts

    city, scores = settings.city, comparison.scores
    cells = {
        ALL: "every cell with a label",
        OBSERVED_SEGMENTS: "observed segments",
        HIDDEN_SEGMENTS: "hidden segments",
    }
    tables = {title: scores[scores["part"] == part] for part, title in cells.items()}
    if comparison.truth_scores is not None:
        truth = comparison.truth_scores
        tables["every segment, simulator's truth"] = truth[truth["part"] == ALL]
    for title, rows in tables.items():
        if len(rows):
            show_table(
                shown_comparison(means_and_spreads(rows), city, SHORT),
                f"{city.name}: test span, {title}; speeds in {city.speed_unit}",
            )
    for part, verdicts in verdicts_of(scores).groupby("part", sort=False):
        show_table(shown_verdicts(verdicts, city), f"better, worse or tie, {cells[str(part)]}")
    facts = shown_facts(comparison.compared)
    # The figures that a diagnosis rests on stand in results.md.
    show_table(facts.assign(diagnosis=facts["diagnosis"].str.split(":").str[0]), "runs")
    for note in notes_of(comparison.compared, settings):
        screen.print(note, soft_wrap=True, highlight=False)
    for folder in comparison.bundles.values():
        written(folder)
    written(comparison.folder / "results.md")
    written(comparison.folder / "plots")
    if comparison.page is not None:
        written(comparison.page)


def show_tracking(comparison: Comparison) -> None:
    """Say where MLflow has it and how to look at it."""
    recorded = comparison.recorded
    if recorded is None:
        return
    screen.print(f"MLflow store: {recorded.store}", soft_wrap=True, highlight=False)
    if recorded.registered:
        screen.print(
            f"registered: {recorded.registered}; `roadgraph promote` holds a challenger against "
            "the champion",
            soft_wrap=True,
            highlight=False,
        )
    if recorded.store.startswith("sqlite:"):
        screen.print(
            f"open it with: .venv/bin/mlflow ui --backend-store-uri {recorded.store}",
            soft_wrap=True,
            highlight=False,
        )
    if "" in recorded.pages:
        screen.print(f"page: {recorded.pages['']}", soft_wrap=True, highlight=False)
    _show_left(recorded.left)


def _show_left(left: Left) -> None:
    """Say what could not be sent, on standard error: it is no result."""
    if left.folders:
        notes.print(
            f"[bold yellow]not sent yet:[/] {len(left.folders)} records "
            f"({escaped(left.reason)}); they lie beside the runs, and `roadgraph track --resend` "
            "sends them",
            soft_wrap=True,
            highlight=False,
        )


@app.command()
def track(
    overrides: Overrides = None,
    send: Annotated[
        bool,
        typer.Option("--resend", help="Send what the MLflow store did not take, nothing twice."),
    ] = False,
) -> None:
    """Show what MLflow has of this city's runs; send what a server that was down has missed."""
    settings = settings_of(overrides)
    from roadgraph.workflow import run_resend, run_tracking

    if send:
        with notes.status("sending") as status:
            sent, left = run_resend(
                settings, lambda folder: status.update(f"sending, {folder.stem} is sent")
            )
        screen.print(f"sent {sent} records", highlight=False)
        _show_left(left)
        if left.folders:
            raise typer.Exit(ExitCode.FAILED)
        return
    tracking = run_tracking(settings)
    screen.print(
        f"[bold]track[/] {settings.city.name}: {tracking.store} has {tracking.sent} runs, "
        f"{len(tracking.waiting)} wait to be sent, {len(tracking.running)} are running or were "
        "killed",
        highlight=False,
        soft_wrap=True,
    )
    for title in tracking.waiting:
        screen.print(f"  waits: {title}", highlight=False, soft_wrap=True, markup=False)
    for title in tracking.running:
        screen.print(f"  runs: {title}", highlight=False, soft_wrap=True, markup=False)
    for store, count in tracking.elsewhere.items():
        screen.print(
            f"  {count} wait for another store, {store}; name it in tracking.uri to send them",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )


@app.command()
def promote(
    overrides: Overrides = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Make the champion before this one champion again.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and show, but change nothing.")
    ] = False,
) -> None:
    """Hold the challenger against the champion on new days; make it champion if it is better."""
    settings = settings_of(overrides)
    if rollback and dry_run:
        raise SettingsError("--rollback decides nothing; leave --dry-run out")
    if rollback:
        with notes.status("stepping back"):
            from roadgraph.workflow import run_rollback

            old, new = run_rollback(settings)
        screen.print(
            f"stepped back from {old} to version {new.number}, which is champion now",
            soft_wrap=True,
            highlight=False,
        )
        return
    with notes.status("judging champion and challenger"):
        from roadgraph.workflow import run_promotion

        promotion = run_promotion(settings, dry_run)
    _show_promotion(promotion, settings)


def _show_promotion(promotion: Promotion, settings: Settings) -> None:
    from roadgraph.promotion.shown import shown_promotion

    contest, figures = promotion.contest, promotion.decision.figures
    if contest is not None and figures is not None:
        show_table(
            shown_promotion(promotion, figures, settings.city),
            f"{settings.city.name}: {contest.start:%Y-%m-%d %H:%M} to "
            f"{contest.end:%Y-%m-%d %H:%M} local time, means over the horizons; speeds in "
            f"{settings.city.speed_unit}",
        )
    for reason in (*promotion.decision.reasons, promotion.outcome):
        screen.print(f"{reason}.", soft_wrap=True, highlight=False, markup=False)


@app.command()
def summary(overrides: Overrides = None) -> None:
    """Show the layers of a model: parameters, multiply-adds and memory."""
    settings = settings_of(overrides)
    with notes.status("building the model"):
        from roadgraph.workflow import run_summary

        layers = run_summary(settings)
    show_table(layers, f"{settings.model.name}-{settings.size} on {settings.city.name}")
