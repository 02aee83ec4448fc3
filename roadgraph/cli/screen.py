"""What the command prints: tables, progress, files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from rich.progress import Progress
    from rich.table import Table

MOST_COLUMNS = 1000  # wider than any table
TEXT_COLUMNS = ("model", "comparison", "against", "figure", "verdict", "diagnosis")

screen = Console()
# Progress goes to standard error, so that standard output can be kept in a file.
notes = Console(stderr=True)


def show_table(table: pd.DataFrame, title: str) -> None:
    """Print a table whose rows are of a model each, a line between two models."""
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
        shown.add_column(column, justify="left" if column in TEXT_COLUMNS else "right", width=width)
    names = table["model"].tolist()
    for place, row in enumerate(table.astype(str).itertuples(index=False)):
        first = place == 0 or names[place - 1] != names[place]
        last = place + 1 == len(names) or names[place + 1] != names[place]
        shown.add_row(row[0] if first else "", *row[1:], end_section=last)
    _print_whole(shown)


def _print_whole(table: Table) -> None:
    """Print a table without a figure cut off, also where the screen is narrower than it."""
    from rich.measure import Measurement

    needed = Measurement.get(screen, screen.options.update(width=MOST_COLUMNS), table).maximum
    Console(width=max(needed, screen.width)).print(table, soft_wrap=True)


def show_figures(table: pd.DataFrame) -> None:
    """Print a table whose first column is text and whose others are figures."""
    from rich import box
    from rich.table import Table

    shown = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for place, column in enumerate(table.columns):
        shown.add_column(str(column), justify="right" if place else "left")
    for row in table.itertuples(index=False):
        shown.add_row(str(row[0]), *(_figure(value) for value in row[1:]))
    _print_whole(shown)


def _figure(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def progress_bars() -> Progress:
    """Return bars on standard error, none of them begun."""
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


def bar_a_step(bars: Progress) -> Callable[[str, float], None]:
    """Return what takes the name of a step and how much of it is done, 0-1, and shows it."""
    tasks: dict[str, Any] = {}

    def show(step: str, share: float) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=1.0)
        bars.update(tasks[step], completed=share)

    return show


def finish(bars: Progress) -> None:
    """Fill the bars of trainings that stopped early."""
    for task in bars.tasks:
        bars.update(task.id, completed=task.total)


def show_step(state: str, step: str, partition: str, text: str) -> None:
    """Print what became of a step, a line."""
    what = f"{step} {partition}".strip()
    screen.print(f"{state}: {what}: {text}", highlight=False, soft_wrap=True, markup=False)


def written(path: Path) -> None:
    """Say that a file or folder was written."""
    screen.print(f"wrote {path}", soft_wrap=True, highlight=False, markup=False)


def escaped(content: object) -> str:
    """Return text that shows as it is, whatever brackets are in it."""
    from rich.markup import escape

    return escape(str(content))
