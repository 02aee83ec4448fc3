"""`roadgraph network`: the import of roads and the comparison of two imports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from roadgraph.cli.app import Overrides, app, by_default, settings_of
from roadgraph.cli.screen import notes, screen, show_figures, written

if TYPE_CHECKING:
    from roadgraph.network.importing import ImportedNetwork
    from roadgraph.settings import Settings


class ImportByDefault(TyperGroup):
    """Takes ``roadgraph network city=x`` for ``roadgraph network import city=x``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the import where the first argument is no command and no misspelt one."""
        if not args or "=" in args[0]:
            args = ["import", *args]
        return super().parse_args(ctx, args)


network_app = typer.Typer(cls=ImportByDefault)
app.add_typer(network_app, name="network")


@network_app.callback()
def network() -> None:
    """Import the road map of a city, or compare two imports.

    Without a command it imports: `roadgraph network city=mycity`.
    """


@network_app.command("import")
def network_import(overrides: Overrides = None) -> None:
    """Import the road map of a city: segments and the links between them (the default)."""
    settings = settings_of(overrides)
    import_roads(settings)


def import_roads(settings: Settings) -> None:
    """Import the roads and say what they are."""
    with notes.status("importing the road network"):
        from roadgraph.workflow import run_network

        imported, workspace = run_network(settings)
    _show_network(imported, settings)
    written(workspace.network)


def _show_network(imported: ImportedNetwork, settings: Settings) -> None:
    counts = imported.summary.counts()
    known = counts.pop("speed limit known", None)
    facts = [f"{name} {value:,}" for name, value in counts.items()]
    facts += [] if known is None else [f"speed limit known {known:.0%}"]
    screen.print(
        f"[bold]network[/] {settings.city.name} ({imported.kind}): {', '.join(facts)}",
        highlight=False,
        soft_wrap=True,
    )
    show_figures(imported.summary.by_class.rename_axis("road class").reset_index())
    if len(imported.cut):
        from roadgraph.network.connectivity import first_names

        names = first_names(imported.cut.segments["segment_id"].tolist())
        screen.print(
            f"  cut away {len(imported.cut):,} segments, {imported.cut.kilometres:,.1f} km, that "
            f"traffic cannot get to and back from: {names}; all are in cut.csv",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )


@network_app.command()
def diff(
    old: Annotated[
        Path, typer.Argument(help="Network before: its folder, or that of a city.", metavar="OLD")
    ],
    new: Annotated[Path, typer.Argument(help="Network after.", metavar="NEW")],
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write, .parquet or .csv." + by_default("carry_over.parquet beside NEW"),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say what became of every segment, and write the table that carries data over."""
    settings = settings_of(overrides)
    with notes.status("comparing the networks"):
        from roadgraph.network.diff import count_changes
        from roadgraph.workflow import run_network_diff

        table, path = run_network_diff(old, new, settings, out)
    counts = count_changes(table).reset_index()
    screen.print(f"[bold]diff[/] {old} > {new}", highlight=False, soft_wrap=True)
    show_figures(counts.rename(columns={"old": "old segments", "new": "new segments"}))
    written(path)
