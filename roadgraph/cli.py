"""The ``roadgraph`` command: parses the line, shows progress and results."""

from __future__ import annotations

import logging
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from roadgraph.errors import ExitCode, LockError, RoadgraphError, SettingsError
from roadgraph.startup import imported_for_good

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from rich.progress import Progress
    from rich.table import Table

    from roadgraph.batch.asked import Asked
    from roadgraph.batch.outcome import Outcome
    from roadgraph.network.importing import ImportedNetwork
    from roadgraph.prediction import Given
    from roadgraph.probes.match_report import MatchReport
    from roadgraph.promotion.promoting import Promotion
    from roadgraph.settings import Settings
    from roadgraph.slices.run import SlicesReport
    from roadgraph.tracking.outbox import Left
    from roadgraph.workflow import Comparison


class NetworkFirst(TyperGroup):
    """Lists the commands in the order in which they are used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands; Typer puts groups of commands last."""
        return sorted(super().list_commands(ctx), key=lambda name: name != "network")


DEMO_MEMBERS = ("mlp-simple", "gcn-enhanced", "gcn-enhanced-self-loops", "roadnet-simple")
"""Of the demo, with one seed, so that it takes minutes."""

MOST_COLUMNS = 1000  # wider than any table
TEXT_COLUMNS = ("model", "comparison", "against", "figure", "verdict", "diagnosis")

app = typer.Typer(
    cls=NetworkFirst,
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
    from roadgraph.training.torchrun import with_processes_of_torchrun

    return with_processes_of_torchrun(load_settings(overrides or []))


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
    settings = _settings(overrides)
    _import_network(settings)


def _import_network(settings: Settings) -> None:
    with notes.status("importing the road network"):
        from roadgraph.workflow import run_network

        imported, workspace = run_network(settings)
    _show_network(imported, settings)
    _written(workspace.network)


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
    _show_figures(imported.summary.by_class.rename_axis("road class").reset_index())
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
            help="File to write, .parquet or .csv.  [default: carry_over.parquet beside NEW]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say what became of every segment, and write the table that carries data over."""
    settings = _settings(overrides)
    with notes.status("comparing the networks"):
        from roadgraph.network.diff import count_changes
        from roadgraph.workflow import run_network_diff

        table, path = run_network_diff(old, new, settings, out)
    counts = count_changes(table).reset_index()
    screen.print(f"[bold]diff[/] {old} > {new}", highlight=False, soft_wrap=True)
    _show_figures(counts.rename(columns={"old": "old segments", "new": "new segments"}))
    _written(path)


@app.command()
def slices(overrides: Overrides = None) -> None:
    """Clean and match GPS fixes, and aggregate them to time slices."""
    settings = _settings(overrides)
    _make_slices(settings)


def _make_slices(settings: Settings) -> None:
    with notes.status("loading"):
        from roadgraph.workflow import run_slices

    with _progress() as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=1.0)
            bars.update(tasks[step], completed=share)

        report, workspace = run_slices(settings, show)
    _show_account(report, settings)
    if report.matching is not None:
        _show_matching(report.matching)
    _written(workspace.slices)
    if report.matching is not None and report.matching.worst:
        _written(workspace.matching / "worst_trips.png")


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


@app.command()
def train(overrides: Overrides = None) -> None:
    """Train one model and show it beside the baselines."""
    settings = _settings(overrides)
    with notes.status("loading"):
        from roadgraph.models.registry import model_title

    title = model_title(settings.model, settings.size)
    _show_tracking(_compare(settings, [title], (settings.training.seed,)))


@app.command()
def compare(
    overrides: Overrides = None,
    models: Annotated[
        str | None,
        typer.Option(
            help="Models, separated by commas, or all.  [default: mlp-simple,gcn-enhanced,"
            "roadnet-simple]",
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
    settings = _settings(overrides)
    from roadgraph.comparison.members import DEFAULT_MEMBERS, with_controls

    titles = [name.strip() for name in models.split(",")] if models else DEFAULT_MEMBERS
    titles = with_controls(titles) if controls else list(titles)
    comparison = _compare(settings, titles, settings.evaluation.seeds, report)
    _show_tracking(comparison)
    if comparison.compared.failures:
        raise typer.Exit(ExitCode.FAILED)


def _compare(
    settings: Settings, titles: Sequence[str], seeds: Sequence[int], report: bool = False
) -> Comparison:
    with notes.status("loading"):
        from roadgraph.comparison.members import members_of
        from roadgraph.workflow import run_comparison

    members = members_of(settings, titles)
    epochs = settings.training.max_epochs
    with _progress() as bars:
        tasks: dict[str, Any] = {}

        def begin(title: str) -> None:
            _finish(bars)
            tasks[title] = bars.add_task(title, total=None)

        def show(title: str, figures: dict[str, float]) -> None:
            bars.update(
                tasks[title],
                total=epochs,
                completed=figures["epoch"] + 1,
                description=f"training {title}, validation loss {figures['val_loss']:.4f}",
            )

        comparison = run_comparison(settings, members, seeds, show, begin, report)
        _finish(bars)
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
            _show_table(
                shown_comparison(means_and_spreads(rows), city, SHORT),
                f"{city.name}: test span, {title}; speeds in {city.speed_unit}",
            )
    for part, verdicts in verdicts_of(scores).groupby("part", sort=False):
        _show_table(shown_verdicts(verdicts, city), f"better, worse or tie, {cells[str(part)]}")
    facts = shown_facts(comparison.compared)
    # The figures that a diagnosis rests on stand in results.md.
    _show_table(facts.assign(diagnosis=facts["diagnosis"].str.split(":").str[0]), "runs")
    for note in notes_of(comparison.compared, settings):
        screen.print(note, soft_wrap=True, highlight=False)
    for folder in comparison.bundles.values():
        _written(folder)
    _written(comparison.folder / "results.md")
    _written(comparison.folder / "plots")
    if comparison.page is not None:
        _written(comparison.page)


def _show_tracking(comparison: Comparison) -> None:
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
            f"({_escaped(left.reason)}); they lie beside the runs, and `roadgraph track --resend` "
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
    settings = _settings(overrides)
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
def predict(
    overrides: Overrides = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Trained bundle.  [default: that of the settings model and size where they are "
            "given here, else that of --model]",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Registered model: champion, challenger or the number of a version.  "
            "[default: champion]",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Time to forecast from: now, or a date and time on the city's clock "
            "(2026-01-18T07:15) or with its offset (2026-01-18T00:15Z). Slices that end later are "
            "not looked at, nor are later fixes of --fixes; but in stored slices the speeds of a "
            "trip under way may rest on its later fixes.  [default: the end of the newest slice]",
            show_default=False,
        ),
    ] = None,
    slices: Annotated[
        Path | None,
        typer.Option(
            help="Slices to forecast from, and no others: a .parquet or .csv file, a folder of "
            "them, or a folder as roadgraph slices writes it.",
            show_default=False,
        ),
    ] = None,
    fixes: Annotated[
        Path | None,
        typer.Option(
            help="Raw fixes to forecast from, and no others: a file or folder, read as probes "
            "says.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write: .parquet, .csv, .geojson or .geoparquet.", show_default=False
        ),
    ] = None,
    draw: Annotated[bool, typer.Option("--map/--no-map", help="Draw the map, a .png.")] = True,
) -> None:
    """Forecast every segment from the newest slices, with the champion unless told otherwise."""
    settings = _settings(overrides)
    named = [override for override in overrides or [] if _names_a_model(override)]
    if bundle is not None and model is not None:
        raise SettingsError("--bundle and --model name a model each; give one of them")
    if model is not None and named:
        raise SettingsError(f"--model and {named[0]} name a model each; give one of them")
    if slices is not None and fixes is not None:
        raise SettingsError("--slices and --fixes name data each; give one of them")
    with imported_for_good():
        from roadgraph.prediction import Given

    given = Given(at, slices, fixes)
    _predict(settings, bundle, out, model, bool(named), given, draw)


def _names_a_model(override: str) -> bool:
    key = override.partition("=")[0].lstrip("+")
    return key in ("model", "size", "model.name", "model.graph")


def _predict(
    settings: Settings,
    bundle: Path | None,
    out: Path | None,
    model: str | None = None,
    trained_here: bool = False,
    given: Given | None = None,
    draw: bool = True,
) -> None:
    with notes.status("predicting"):
        from roadgraph.prediction import NEWEST, run_prediction, trained_bundle
        from roadgraph.tracking.versions import CHAMPION

        if bundle is None and trained_here:
            bundle = trained_bundle(settings)
        predicted = run_prediction(settings, bundle, out, model or CHAMPION, given or NEWEST, draw)
    if predicted.account is not None:
        account = predicted.account
        screen.print(
            f"{account.rows_in:,} fixes = {account.rows_used:,} used + "
            f"{sum(account.refused.values()):,} refused; {account.slices:,} slices",
            highlight=False,
            soft_wrap=True,
        )
    screen.print(f"predicted with {predicted.model}", soft_wrap=True, highlight=False, markup=False)
    for path in predicted.files:
        _written(path)


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
    settings = _settings(overrides)
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
        _show_table(
            shown_promotion(promotion, figures, settings.city),
            f"{settings.city.name}: {contest.start:%Y-%m-%d %H:%M} to "
            f"{contest.end:%Y-%m-%d %H:%M} local time, means over the horizons; speeds in "
            f"{settings.city.speed_unit}",
        )
    for reason in (*promotion.decision.reasons, promotion.outcome):
        screen.print(f"{reason}.", soft_wrap=True, highlight=False, markup=False)


@app.command()
def run(
    overrides: Overrides = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DAY",
            help="Local day to begin with, such as 2026-01-05.  [default: "
            "pipeline.catch_up_days back]",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DAY|now",
            help="Local day to end with, or now: the newest slice that is over.  [default: that of "
            "the newest fixes]",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(
            help="Steps, separated by commas: network, slices, quality, predictions, evaluation, "
            "model, promotion.  [default: all]",
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
    settings = _settings(overrides)
    with notes.status("loading"):
        import pandas as pd

        from roadgraph.batch.asked import asked_for

    asked = asked_for(first, last, steps)
    if dry_run:
        with notes.status("looking"):
            from roadgraph.batch.plan import plan_batch

            tasks = plan_batch(settings, asked, pd.Timestamp.now("UTC"))
        for task in tasks:
            _show_step("would make", task.step, task.partition, task.reason)
        if not tasks:
            screen.print("nothing to do: all of it is there and as new", highlight=False)
        return
    code = _run_batch(settings, asked)
    if code:
        raise typer.Exit(code)


def _run_batch(settings: Settings, asked: Asked) -> ExitCode:
    with notes.status("loading"):
        from roadgraph.batch.run import Watch, run_batch

    with _progress() as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=share)

        def epoch(title: str, figures: dict[str, float]) -> None:
            show(f"training {title}", (figures["epoch"] + 1) / settings.training.max_epochs)

        def ends(outcome: Outcome) -> None:
            _finish(bars)
            _show_outcome(outcome)

        report = run_batch(settings, asked, watch=Watch(ends=ends, progress=show, epoch=epoch))
    for check in report.unwell:
        word = "check failed" if check.severity == "error" else "warning"
        _show_step(word, check.name, str(check.day), check.reason)
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
    _show_step(outcome.state, outcome.step, outcome.partition, text)


def _plain(value: float | int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _show_step(state: str, step: str, partition: str, text: str) -> None:
    what = f"{step} {partition}".strip()
    screen.print(f"{state}: {what}: {text}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def demo(overrides: Overrides = None) -> None:
    """Go the whole way on the sample city: network, slices, comparison, predictions."""
    settings = _settings(overrides)
    _import_network(settings)
    _make_slices(settings)
    comparison = _compare(settings, DEMO_MEMBERS, (settings.training.seed,))
    _predict(settings, comparison.bundles["gcn-enhanced"], None)
    _show_tracking(comparison)


@app.command()
def summary(overrides: Overrides = None) -> None:
    """Show the layers of a model: parameters, multiply-adds and memory."""
    settings = _settings(overrides)
    with notes.status("building the model"):
        from roadgraph.workflow import run_summary

        layers = run_summary(settings)
    _show_table(layers, f"{settings.model.name}-{settings.size} on {settings.city.name}")


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
    from roadgraph.masking import MASK, is_secret_name

    values = _settings(overrides)
    for row in all_settings():
        value: Any = values
        for part in row.key.split("."):
            value = getattr(value, part)
        if value and is_secret_name(row.key):
            value = MASK
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


def _show_figures(table: pd.DataFrame) -> None:
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
    """Run the command; an error that the user can mend is one message; see :class:`ExitCode`."""
    from roadgraph.training.torchrun import run_beside_others

    try:
        run_beside_others(app)
    except RoadgraphError as error:
        logging.getLogger(__name__).info("traceback", exc_info=error)
        notes.print(f"[bold red]error:[/] {_escaped(error)}", soft_wrap=True, highlight=False)
        sys.exit(ExitCode.BUSY if isinstance(error, LockError) else ExitCode.MISTAKE)
    except OSError as error:
        logging.getLogger(__name__).info("traceback", exc_info=error)
        place = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        notes.print(
            f"[bold red]error:[/] {_escaped(f'{place}{reason}')}", soft_wrap=True, highlight=False
        )
        sys.exit(ExitCode.MISTAKE)


def _escaped(content: object) -> str:
    from rich.markup import escape

    return escape(str(content))
