"""What forecasts and shows forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from roadgraph.cli.app import Overrides, app, by_default, settings_of
from roadgraph.cli.screen import notes, screen, written
from roadgraph.errors import SettingsError
from roadgraph.startup import imported_for_good

if TYPE_CHECKING:
    from datetime import date

    from roadgraph.prediction import Given
    from roadgraph.settings import Settings

MODEL_KEYS = ("model", "size", "model.name", "model.graph")
"""Settings that, on the line of a forecast, ask for the model trained with them."""

TrainedBundle = Annotated[
    Path | None,
    typer.Option(
        help="Trained bundle."
        + by_default(
            "that of the settings model and size where they are given here, else that of --model"
        ),
        show_default=False,
    ),
]
RegisteredModel = Annotated[
    str | None,
    typer.Option(
        help="Registered model: champion, challenger or the number of a version."
        + by_default("champion"),
        show_default=False,
    ),
]


@app.command()
def predict(
    overrides: Overrides = None,
    bundle: TrainedBundle = None,
    model: RegisteredModel = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Time to forecast from: now, or a date and time on the city's clock "
            "(2026-01-18T07:15) or with its offset (2026-01-18T00:15Z). Slices that end later are "
            "not looked at, nor are later fixes of --fixes; but in stored slices the speeds of a "
            "trip under way may rest on its later fixes."
            + by_default("the end of the newest slice"),
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
            help="File to write: .parquet, .csv, .geojson, .geoparquet or .gpkg. Where it is there "
            "already, the picture and map page of the forecast before are replaced or removed."
            + by_default("predictions.parquet in the city's workspace"),
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        bool,
        typer.Option(
            "--map",
            help="Write the map page, one self-contained .html, beside the file.",
        ),
    ] = False,
    picture: Annotated[
        bool,
        typer.Option("--picture/--no-picture", help="Draw the forecast, as .png and .svg."),
    ] = True,
) -> None:
    """Forecast every segment from the newest slices, with the champion unless told otherwise."""
    settings = settings_of(overrides)
    named = _names_a_model(overrides, bundle, model)
    if slices is not None and fixes is not None:
        raise SettingsError("--slices and --fixes name data each; give one of them")
    with imported_for_good():
        from roadgraph.prediction import Given

    given = Given(at, slices, fixes)
    forecast(settings, bundle, out, model, named, given, picture=picture, page=page)


def _names_a_model(overrides: list[str] | None, bundle: Path | None, model: str | None) -> bool:
    """Return whether the settings on the line name the model that forecasts.

    Raises:
        SettingsError: two models are named.
    """
    named = [
        override
        for override in overrides or []
        if override.partition("=")[0].lstrip("+") in MODEL_KEYS
    ]
    if bundle is not None and model is not None:
        raise SettingsError("--bundle and --model name a model each; give one of them")
    for option, given in (("--bundle", bundle), ("--model", model)):
        if given is not None and named:
            raise SettingsError(f"{option} and {named[0]} name a model each; give one of them")
    return bool(named)


def forecast(
    settings: Settings,
    bundle: Path | None,
    out: Path | None,
    model: str | None = None,
    trained_here: bool = False,
    given: Given | None = None,
    picture: bool = True,
    page: bool = False,
) -> None:
    """Forecast, and say by which model and into which files."""
    with notes.status("predicting"):
        from roadgraph.prediction import NEWEST, run_prediction, trained_bundle
        from roadgraph.tracking.versions import CHAMPION

        if trained_here:
            bundle = trained_bundle(settings)
        predicted = run_prediction(
            settings, bundle, out, model or CHAMPION, given or NEWEST, picture, page
        )
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
        written(path)


@app.command()
def explain(
    segment: Annotated[str, typer.Option(metavar="ID", help="Segment whose forecast it is.")],
    overrides: Overrides = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Time of the forecast: now, or a date and time on the city's clock "
            "(2026-01-18T07:15) or with its offset (2026-01-18T00:15Z)."
            + by_default("the end of the newest slice"),
            show_default=False,
        ),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            metavar="MINUTES",
            help="How far ahead." + by_default("30, or the nearest that the model has"),
            show_default=False,
        ),
    ] = None,
    bundle: TrainedBundle = None,
    model: RegisteredModel = None,
) -> None:
    """Say which features and which neighbouring segments moved the forecast of a segment."""
    settings = settings_of(overrides)
    named = _names_a_model(overrides, bundle, model)
    with notes.status("explaining"):
        from roadgraph.explanation import run_explanation
        from roadgraph.prediction import Given, trained_bundle
        from roadgraph.tracking.versions import CHAMPION

        if named:
            bundle = trained_bundle(settings)
        explained = run_explanation(
            settings, segment, horizon, bundle, model or CHAMPION, Given(at)
        )
    for sentence in explained.words:
        screen.print(sentence, soft_wrap=True, highlight=False, markup=False)
    for path in explained.files:
        written(path)


@app.command()
def report(
    overrides: Overrides = None,
    day: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Local day, such as 2026-01-16: the map shows its forecasts, the scorecard judges "
            "those for it." + by_default("the newest day with forecasts, the newest that is over"),
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Predictions for the map to show, a .parquet file."
            + by_default("the issued forecasts, or those of roadgraph predict"),
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write to." + by_default("report in the city's workspace"),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the pages to look at: a map of the forecasts, a scorecard of those that are over."""
    settings = settings_of(overrides)
    from roadgraph.calendar import asked_day

    show_report(settings, asked_day("--day", day), predictions, out)


def show_report(
    settings: Settings,
    day: date | None = None,
    predictions: Path | None = None,
    out: Path | None = None,
) -> None:
    """Write the pages, and say which are not there and why."""
    with notes.status("drawing the pages"):
        from roadgraph.reporting import run_report

        written_report = run_report(settings, day, predictions, out)
    for path in written_report.files:
        written(path)
    for note in written_report.notes:
        screen.print(note, soft_wrap=True, highlight=False, markup=False)
