"""The `roadgraph` command itself: its settings, its errors and what it ends with."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from roadgraph.cli.screen import escaped, notes
from roadgraph.errors import ExitCode, LockError, RoadgraphError

if TYPE_CHECKING:
    from roadgraph.settings import Settings


class NetworkFirst(TyperGroup):
    """Lists the commands in the order in which they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands; Typer puts groups of commands last."""
        return sorted(super().list_commands(ctx), key=lambda name: name != "network")


app = typer.Typer(
    cls=NetworkFirst,
    help="From raw vehicle GPS fixes to congestion forecasts for every road segment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings, such as city=los_loop model=gcn size=enhanced training.max_epochs=20; "
        "`roadgraph settings` lists all of them.",
        show_default=False,
    ),
]


def by_default(value: str) -> str:
    """Return what ends the help of an option whose default is told in words.

    Typer takes ``[default: ...]`` in a help text for markup, and shows nothing of it.
    """
    return f"  \\[default: {value}]"


@app.callback()
def _common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")] = False,
) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


def settings_of(overrides: list[str] | None) -> Settings:
    """Return the settings of a command: those in ``conf/`` with what the line says."""
    from roadgraph.config import load_settings
    from roadgraph.training.torchrun import with_processes_of_torchrun

    return with_processes_of_torchrun(load_settings(overrides or []))


def main() -> None:
    """Run the command; an error that the user can mend is one message; see :class:`ExitCode`."""
    from roadgraph.training.torchrun import run_beside_others

    try:
        run_beside_others(app)
    except RoadgraphError as error:
        logging.getLogger(__name__).info("traceback", exc_info=error)
        notes.print(f"[bold red]error:[/] {escaped(error)}", soft_wrap=True, highlight=False)
        sys.exit(ExitCode.BUSY if isinstance(error, LockError) else ExitCode.MISTAKE)
    except OSError as error:
        logging.getLogger(__name__).info("traceback", exc_info=error)
        place = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        notes.print(
            f"[bold red]error:[/] {escaped(f'{place}{reason}')}", soft_wrap=True, highlight=False
        )
        sys.exit(ExitCode.MISTAKE)
