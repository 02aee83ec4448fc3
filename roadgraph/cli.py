"""The ``roadgraph`` command: parses the line, shows progress and results."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from roadgraph.errors import RoadgraphError

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import Progress

    from roadgraph.settings import Settings
    from roadgraph.workflow import Comparison

app = typer.Typer(
    help="From raw vehicle GPS fixes to congestion forecasts for every road segment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
screen = Console()
# Progress goes to standard error, so that standard output can be kept in a file.
notes = Console(stderr=True)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings, such as city=los_loop model=gcn size=enhanced training.max_epochs=20; "
        "`roadgraph settings` lists all of them.",
        show_default=False,
    ),
]


@app.callback()
def _common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")] = False,
) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


def _settings(overrides: list[str] | None) -> Settings:
    from roadgraph.config import load_settings

    return load_settings(overrides or [])


@app.command()
def network(overrides: Overrides = None) -> None:
    """Import the road map of a city: segments and the links between them."""
    settings = _settings(overrides)
    _import_network(settings)


def _import_network(settings: Settings) -> None:
    from roadgraph.workflow import run_network

    with notes.status("importing the road network"):
        roads, workspace = run_network(settings)
    facts = ", ".join(f"{name} {value:,}" for name, value in roads.summary().items())
    screen.print(f"[bold]network[/] {settings.city.name}: {facts}", highlight=False)
    _written(workspace.network)


@app.command()
def slices(overrides: Overrides = None) -> None:
    """Clean and match GPS fixes, and aggregate them to time slices."""
    settings = _settings(overrides)
    _make_slices(settings)


def _make_slices(settings: Settings) -> None:
    from roadgraph.workflow import run_slices

    with _progress() as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=1.0)
            bars.update(tasks[step], completed=share)

        report, rows, workspace = run_slices(settings, show)
    screen.print(
        f"[bold]slices[/] {settings.city.name}: {report.rows_in:,} rows in, "
        f"{report.rows_used:,} used, {sum(report.refused.values()):,} refused; "
        f"{rows:,} slices of {settings.slices.minutes} minutes",
        highlight=False,
    )
    for rule, count in sorted(report.refused.items()):
        screen.print(f"  refused {rule}: {count:,}", highlight=False)
    _written(workspace.slices)


@app.command()
def train(overrides: Overrides = None) -> None:
    """Train one model and show it beside the baselines."""
    settings = _settings(overrides)
    with notes.status("loading"):
        from roadgraph.models.registry import model_title

    _show_tracking(_compare(settings, [model_title(settings.model, settings.size)]))


@app.command()
def compare(
    overrides: Overrides = None,
    models: Annotated[
        str | None,
        typer.Option(
            help="Models, separated by commas.  [default: mlp-simple, gcn-enhanced and "
            "its control gcn-enhanced-self-loops]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train several models and compare them with each other and the baselines."""
    settings = _settings(overrides)
    titles = [name.strip() for name in models.split(",")] if models else None
    _show_tracking(_compare(settings, titles))


def _compare(settings: Settings, titles: list[str] | None) -> Comparison:
    with notes.status("loading"):
        from roadgraph.workflow import DEFAULT_MEMBERS, members_of, run_comparison

    members = members_of(settings, titles or DEFAULT_MEMBERS)
    epochs = settings.training.max_epochs
    with _progress() as bars:
        tasks: dict[str, Any] = {}

        def show(title: str, figures: dict[str, float]) -> None:
            if title not in tasks:
                _finish(bars)
                tasks[title] = bars.add_task(f"training {title}", total=epochs)
            bars.update(
                tasks[title],
                completed=figures["epoch"] + 1,
                description=f"training {title}, validation loss {figures['val_loss']:.4f}",
            )

        comparison = run_comparison(settings, members, show)
        _finish(bars)
    _show_comparison(comparison, settings)
    return comparison


def _show_comparison(comparison: Comparison, settings: Settings) -> None:
    from roadgraph.report.tables import SHORT, shown_results

    unit = settings.city.speed_unit
    _show_table(
        shown_results(comparison.scores, settings.city, SHORT),
        f"{settings.city.name}: test span, cells with an observation; speeds in {unit}",
    )
    if comparison.truth_scores is not None:
        _show_table(
            shown_results(comparison.truth_scores, settings.city, SHORT),
            f"{settings.city.name}: test span, every segment, simulator's truth; speeds in {unit}",
        )
    for folder in comparison.bundles.values():
        _written(folder)
    _written(comparison.folder / "results.md")
    _written(comparison.folder / "plots")


def _show_tracking(comparison: Comparison) -> None:
    screen.print(f"MLflow store: {comparison.tracking}", soft_wrap=True, highlight=False)
    screen.print(
        f"open it with: .venv/bin/mlflow ui --backend-store-uri {comparison.tracking}",
        soft_wrap=True,
        highlight=False,
    )


@app.command()
def predict(
    overrides: Overrides = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Trained bundle.  [default: that of model and size]", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write, .parquet or .csv.", show_default=False)
    ] = None,
) -> None:
    """Forecast every segment from the newest slices."""
    settings = _settings(overrides)
    _predict(settings, bundle, out)


def _predict(settings: Settings, bundle: Path | None, out: Path | None) -> None:
    with notes.status("predicting"):
        from roadgraph.workflow import run_prediction

        path = run_prediction(settings, bundle, out)
    _written(path)
    if path.with_suffix(".png").is_file():
        _written(path.with_suffix(".png"))


@app.command()
def demo(overrides: Overrides = None) -> None:
    """Go the whole way on the sample city: network, slices, comparison, predictions."""
    settings = _settings(overrides)
    _import_network(settings)
    _make_slices(settings)
    comparison = _compare(settings, None)
    _predict(settings, comparison.bundles["gcn-enhanced"], None)
    _show_tracking(comparison)


@app.command()
def doctor() -> None:
    """Show versions, devices and what is missing for each extra."""
    from roadgraph.doctor import examine

    for title, rows in examine().items():
        screen.print(f"[bold]{title}[/]")
        for name, value in rows.items():
            screen.print(f"  {name}: {value}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def settings(
    overrides: Overrides = None,
) -> None:
    """List every setting with its meaning, unit, range and value."""
    from roadgraph.config import all_settings

    values = _settings(overrides)
    for row in all_settings():
        value: Any = values
        for part in row.key.split("."):
            value = getattr(value, part)
        screen.print(f"{row.key}={value!r}", highlight=False, soft_wrap=True, markup=False)
        screen.print(
            f"    {row.setting.describe()}; {row.kind}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )


def _show_table(table: pd.DataFrame, title: str) -> None:
    from rich import box
    from rich.table import Table

    shown = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in table.columns:
        # Titles may wrap, figures must not.
        width = int(table[column].astype(str).str.len().max())
        width = max(width, *(len(word) for word in column.split()))
        shown.add_column(column, justify="left" if column == "model" else "right", width=width)
    names = table["model"].tolist()
    for place, row in enumerate(table.astype(str).itertuples(index=False)):
        first = place == 0 or names[place - 1] != names[place]
        last = place + 1 == len(names) or names[place + 1] != names[place]
        shown.add_row(row[0] if first else "", *row[1:], end_section=last)
    screen.print(shown)


def _progress() -> Progress:
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=notes,
    )


def _finish(bars: Progress) -> None:
    """Fill the bars of trainings that stopped early."""
    for task in bars.tasks:
        bars.update(task.id, completed=task.total)


def _written(path: Path) -> None:
    screen.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)


def main() -> None:
    """Run the command; an error that the user can mend is one message and exit code 2."""
    try:
        app()
    except RoadgraphError as error:
        logging.getLogger(__name__).info("traceback", exc_info=error)
        notes.print(f"[bold red]error:[/] {_escaped(error)}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except OSError as error:
        logging.getLogger(__name__).info("traceback", exc_info=error)
        place = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        notes.print(
            f"[bold red]error:[/] {_escaped(f'{place}{reason}')}", soft_wrap=True, highlight=False
        )
        sys.exit(2)


def _escaped(content: object) -> str:
    from rich.markup import escape

    return escape(str(content))
