"""What ``roadgraph report`` does: the stores into the pages that people look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError, SettingsError
from roadgraph.network.network import read_network
from roadgraph.predict.store import forecasts_of_days, read_forecast, stored_times
from roadgraph.report.map_page.data import map_page_of
from roadgraph.report.map_page.forecasts import slice_minutes_of
from roadgraph.report.map_page.header import attribution_of
from roadgraph.report.map_page.history import slices_around
from roadgraph.report.map_page.page import write_map_page
from roadgraph.report.scorecard_page.page import SCORECARD_FILE, remove_scorecard, write_scorecard
from roadgraph.schema import PREDICTIONS, read_whole
from roadgraph.slices.store import stored_days, stored_slice_minutes
from roadgraph.verification.observed import free_flow_before
from roadgraph.verification.scorecard import is_over, newest_day_to_judge, scorecard_of
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.report.map_page.page import MapPage
    from roadgraph.settings import Settings
    from roadgraph.verification.scorecard import Scorecard

MAP_FILE = "map.html"


@dataclass(frozen=True)
class Report:
    """What was written, and what could not be shown.

    Attributes:
        files: pages, tables and the folder of plots.
        notes: a sentence for each page that is not there, and why.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def run_report(
    settings: Settings,
    day: date | None = None,
    predictions: Path | None = None,
    out: Path | None = None,
) -> Report:
    """Write the map page of a day's forecasts, and the scorecard of a day that is over.

    The map shows what was said first where a forecast was issued again. Without issued forecasts it
    shows the newest predictions. What an earlier report has left of a page that cannot be made now
    is removed: it would pass for this one's.

    Args:
        settings: of the city.
        day: local day that the map shows and the scorecard judges; by default the newest day of
            issue, and the newest that can be judged.
        predictions: a Parquet file for the map to show, in the place of the issued forecasts.
        out: folder to write to; by default ``report`` in the workspace.

    Raises:
        DataError: nothing was forecast, the day has neither forecasts nor slices, the network was
            not imported, or a store or the file is damaged or is of another network.
        SettingsError: there is no such file, or the folder has other things in it.
    """
    workspace = Workspace.of(settings)
    if out is not None:
        _refuse_folder(out)
    folder = out or workspace.report
    network = read_network(workspace.network)
    shown = _shown(settings, workspace, day, predictions)
    judged = newest_day_to_judge(settings, workspace) if day is None else day
    if judged is not None and not is_over(settings, judged):
        judged = None
    known = day is None or bool(forecasts_of_days(workspace.forecasts, day, day))
    if not known and judged is not None and judged not in stored_days(workspace.slices):
        raise _nothing(settings, workspace, day)
    if not shown and judged is None:
        raise _nothing(settings, workspace, day)
    notes = []
    page = card = None
    if shown and network.has_geometry:
        try:
            page = _map_page(settings, network, workspace, shown)
        except DataError as error:
            if isinstance(shown, pa.Table):
                file = predictions or workspace.predictions
                raise DataError(f"{file} cannot be shown: {error}") from error
            raise
    elif shown:
        notes.append(
            f"no map: the network of '{settings.city.name}' has no geometry, as its source has none"
        )
    else:
        notes.append(f"no map: no forecast was issued on {judged}")
    if judged is not None:
        card = scorecard_of(settings, network, workspace, judged)
    elif day is not None:
        notes.append(f"no scorecard: {day} is not over in {settings.city.timezone}")
    else:
        notes.append(
            "no scorecard: no day that is over was both forecast and observed; roadgraph run "
            "issues forecasts, slice by slice or for days in the past"
        )
    return Report(_written(settings, folder, page, card), tuple(notes))


def _nothing(settings: Settings, workspace: Workspace, day: date | None) -> DataError:
    if day is None:
        return DataError(
            f"nothing was forecast for '{settings.city.name}' yet; forecast first: roadgraph "
            "predict, or roadgraph run for every slice of a day"
        )
    zone = city_zone(settings.city.timezone)
    over = is_over(settings, day)
    wrong = "nothing was observed on it" if over else f"it is not over in {zone.key}"
    times = stored_times(workspace.forecasts)
    if times:
        first, last = (time.tz_convert(zone).date() for time in (times[0], times[-1]))
        mend = (
            f"forecasts were issued from {first} to {last}: name such a day, or none for the newest"
        )
    else:
        mend = "none was issued on any other day: roadgraph run issues them"
    return DataError(f"--day: no forecast was issued on {day}, and {wrong}; {mend}")


def _refuse_folder(folder: Path) -> None:
    """Refuse a folder of other things, before any work is done: ``plots/`` is replaced."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"--out {folder}: is a file; name a folder")
    inside = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if inside and not inside & {MAP_FILE, SCORECARD_FILE}:
        raise SettingsError(
            f"--out {folder}: holds other files ({min(inside)}); name a new folder, an empty one "
            "or that of an earlier report"
        )


def _written(
    settings: Settings, folder: Path, page: MapPage | None, card: Scorecard | None
) -> tuple[Path, ...]:
    """Write the pages that there are, remove those of an earlier report, return what is there."""
    map_file = folder / MAP_FILE
    files: tuple[Path, ...] = ()
    if page is None:
        map_file.unlink(missing_ok=True)
    else:
        write_map_page(page, map_file)
        files = (map_file,)
    if card is None:
        remove_scorecard(folder)
        return files
    return files + write_scorecard(card, settings, folder)


def _shown(
    settings: Settings, workspace: Workspace, day: date | None, predictions: Path | None
) -> dict[pd.Timestamp, Path] | pa.Table | None:
    """Return the forecasts that the map shows, or None where there are none.

    Raises:
        DataError: the file is damaged, empty or no table of predictions.
        SettingsError: there is no such file, or it is of another kind.
    """
    if predictions is not None:
        wrong = "" if predictions.is_file() else "no such file"
        wrong = wrong or ("" if predictions.suffix == ".parquet" else "no .parquet file")
        if wrong:
            raise SettingsError(
                f"--predictions {predictions}: {wrong}; name a .parquet file of roadgraph predict"
            )
        return _table(predictions)
    if day is None:
        times = stored_times(workspace.forecasts)
        zone = city_zone(settings.city.timezone)
        day = times[-1].tz_convert(zone).date() if times else None
    if day is not None:
        return forecasts_of_days(workspace.forecasts, day, day, as_issued=True)
    newest = workspace.predictions
    return _table(newest) if newest.is_file() else None


def _table(path: Path) -> pa.Table:
    rows = read_whole(path)
    missing = set(PREDICTIONS.columns) - set(rows.column_names)
    if missing:
        raise DataError(
            f"{path} has no column '{min(missing)}', so it is no table of predictions, or one of "
            "an earlier version; forecast again: roadgraph predict"
        )
    try:
        table = PREDICTIONS.typed(rows)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if not len(table):
        raise DataError(f"{path} holds no prediction; forecast again: roadgraph predict")
    empty = [name for name in (*PREDICTIONS.key, "horizon_min") if table[name].null_count]
    if empty:
        raise DataError(
            f"{path}: a row has no '{empty[0]}', so it is no prediction of a time and a segment; "
            "remove such rows"
        )
    return table.replace_schema_metadata(rows.schema.metadata)  # who forecast it


def _map_page(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    shown: Mapping[pd.Timestamp, Path] | pa.Table,
) -> MapPage:
    times, farthest_min = _reach(workspace, shown)
    zone = city_zone(settings.city.timezone)
    history = slices_around(workspace.slices, zone, times, farthest_min)
    made, owed = pd.Timestamp.now("UTC"), attribution_of(workspace.network)
    day = times[-1].tz_convert(zone).date()
    free_flow_kph = free_flow_before(settings, network, workspace, day)
    return map_page_of(settings, network, shown, history, made, owed, free_flow_kph)


def _reach(
    workspace: Workspace, shown: Mapping[pd.Timestamp, Path] | pa.Table
) -> tuple[list[pd.Timestamp], int]:
    """Return the times of issue, rising, and the farthest horizon in minutes.

    Raises:
        DataError: the forecasts are for slices of another length than those stored.
    """
    if isinstance(shown, pa.Table):
        times = sorted(pd.Timestamp(time) for time in shown["issued_at"].unique().to_pylist())
        newest, ahead = shown, [shown["horizon_min"]]
    else:
        # Models of different horizons may have forecast on the same day.
        times = sorted(shown)
        newest = read_forecast(shown[times[-1]])
        ahead = [read_whole(path, ["horizon_min"])["horizon_min"] for path in shown.values()]
    if len(newest) and stored_days(workspace.slices):
        forecast_min, stored_min = slice_minutes_of(newest), stored_slice_minutes(workspace.slices)
        if forecast_min != stored_min:
            raise DataError(
                f"the forecasts are for slices of {forecast_min} minutes and {workspace.slices} "
                f"has slices of {stored_min}, so slices.minutes has changed between them; forecast "
                "again: roadgraph predict, or roadgraph run"
            )
    return times, max(pc.max(each).as_py() or 0 for each in ahead)
