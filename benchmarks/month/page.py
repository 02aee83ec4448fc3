"""The page of a simulated month, from what its runs left in the workspace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.compute as pc
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
from month.chart import Chart, Line, known_or_none
from month.grid import DAY_STEPS, Cell, grid_of
from month.story import shown, told

from roadgraph.batch.promoting import decided
from roadgraph.calendar import city_zone
from roadgraph.network.network import read_network
from roadgraph.predict.store import AS_ISSUED, forecasts_of_days, read_forecast, read_manifest
from roadgraph.storage import whole_file
from roadgraph.verification.errors import errors_by_day
from roadgraph.verification.verification import read_verification, verified_days
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from month.story import Evening, Verdict

    from roadgraph.settings import Settings

TEMPLATE = "page.html.jinja"
HORIZON_MIN = 30
FORECASTERS = {
    "champion, as issued": ("forecast", ""),
    "historical average": ("average", "historical_average_"),
    "persistence": ("persistence", "persistence_"),
}
"""Name of each line: its style, and the beginning of its columns in ``errors_by_day``."""


@dataclass(frozen=True)
class Month:
    """All of it, as the template asks for it.

    Attributes:
        settings: of the runs.
        evenings: in their order.
        verdicts: on all of it.
        chosen: settings that differ from those of the sample city.
        seconds: that all of it took.
    """

    settings: Settings
    evenings: Sequence[Evening]
    verdicts: Sequence[Verdict]
    chosen: Sequence[str]
    seconds: float

    @property
    def workspace(self) -> Workspace:
        """Where the runs wrote."""
        return Workspace.of(self.settings)

    @property
    def days(self) -> list[date]:
        """The local days."""
        return [evening.day for evening in self.evenings]

    @cached_property
    def facts(self) -> dict[str, str]:
        """What to know before the figures."""
        first, last = self.days[0], self.days[-1]
        return {
            "days": f"{len(self.days)}, {first} to {last}",
            "segments": f"{len(read_network(self.workspace.network).segment_ids)}",
            "runs of the command": str(sum(len(each.outings) for each in self.evenings)),
            "models trained": str(sum(each.trained for each in self.evenings)),
            "all of it took": f"{self.seconds:.0f} s",
        }

    def grid(self) -> list[tuple[date, list[Cell]]]:
        """Return the state of every partition, a row a day: ``DAY_STEPS``, checks, forecasts."""
        return list(grid_of(self.evenings, self.workspace))

    def forecasts(self) -> pd.DataFrame:
        """Return what was issued on each day, as it was first issued, for people."""
        return pd.DataFrame([self._issued(day) for day in self.days])

    def champions(self) -> list[dict[str, Any]]:
        """Return who forecasts after each evening on which a model or a decision was made."""
        rows, champion = [], ""
        for evening in self.evenings:
            made = [line for line in evening.journal if line["step"] == "model"]
            decision = decided(self.workspace, evening.day)
            if not made and (decision is None or not champion):
                continue
            trained = "; ".join(told(line) for line in made)
            if made and not champion:
                champion = "version 1"
            if decision is not None and decision.get("promoted") == "True":
                champion = decision["challenger"]
            rows.append(
                {
                    "day": evening.title,
                    "trained": trained,
                    "outcome": "" if decision is None else decision["outcome"],
                    "reasons": [] if decision is None else decision["reasons"],
                    "champion": champion,
                }
            )
        return rows

    @cached_property
    def errors(self) -> dict[Any, dict[Any, Any]]:
        """The figures of ``errors_by_day`` at ``HORIZON_MIN``, by day and column."""
        table = errors_by_day(self.workspace, self.days[0], self.days[-1])
        return table[table["horizon_min"] == HORIZON_MIN].set_index("day").to_dict("index")

    def charts(self) -> list[Chart]:
        """Return the error by day, a chart a figure."""
        titles = tuple(f"{day:%a} {day.day}" for day in self.days)
        figures = (
            ("speed_mae_kph", "Mean absolute error of the speed", "km/h", "lower is better"),
            ("macro_f1", "Macro F1 of the congestion class", "1", "higher is better"),
        )
        return [
            Chart(
                f"{title}, {HORIZON_MIN} minutes ahead",
                unit,
                titles,
                tuple(
                    Line(name, kind, self._values(f"{begin}{figure}"))
                    for name, (kind, begin) in FORECASTERS.items()
                ),
                better,
            )
            for figure, title, unit, better in figures
        ]

    def error_table(self) -> pd.DataFrame:
        """Return the error by day for people."""
        return pd.DataFrame([self._errors_of(day) for day in self.days])

    def _values(self, column: str) -> tuple[float | None, ...]:
        return tuple(known_or_none(self._error(day, column)) for day in self.days)

    def _error(self, day: date, column: str) -> float:
        return float(self.errors.get(day, {}).get(column, math.nan))

    def _errors_of(self, day: date) -> dict[str, str]:
        cells = self.errors.get(day, {}).get("cells")
        row = {"day": shown(day), "cells": "" if cells is None else f"{cells:,}"}
        for title, figure, digits in (
            ("MAE, km/h", "speed_mae_kph", 2),
            ("macro F1", "macro_f1", 3),
        ):
            for name, (_, begin) in FORECASTERS.items():
                value = self._error(day, f"{begin}{figure}")
                row[f"{name}: {title}"] = "" if math.isnan(value) else f"{value:.{digits}f}"
        verified = day in verified_days(self.workspace)
        found = read_verification(self.workspace, day) if verified else None
        seen = found.counts.get("seen") if found else None
        row["left out, seen in training"] = "" if seen is None else f"{seen:,}"
        row["why nothing"] = found.reason if found else ""
        return row

    def _issued(self, day: date) -> dict[str, str]:
        store = self.workspace.forecasts
        files = forecasts_of_days(store, day, day, as_issued=True)
        row = {"day": shown(day), "times of issue": str(len(files))}
        if not files:
            return row
        tables = [read_forecast(path) for path in files.values()]
        rows = sum(len(table) for table in tables)
        history = sum(pc.sum(pc.equal(table["basis"], "history")).as_py() for table in tables)
        oldest = max(pc.max(table["data_age_min"]).as_py() for table in tables)
        versions = sorted(
            {read_manifest(path)["model"].get("version", "") for path in files.values()}
        )
        again = len(list((store / str(day) / AS_ISSUED).glob("*.parquet")))
        return row | {
            "forecasts": f"{rows:,}",
            "rest on the history alone": f"{history / rows:.1%}",
            "oldest data, min": f"{oldest:,}",
            "issued by": ", ".join(f"version {version}" for version in versions),
            "times issued again": str(again),
        }


def write_month_page(
    path: Path,
    settings: Settings,
    evenings: Sequence[Evening],
    verdicts: Sequence[Verdict],
    chosen: Sequence[str],
    seconds: float,
) -> None:
    """Write the page, which needs nothing beside itself."""
    here = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=ChoiceLoader([here, PackageLoader("roadgraph", "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown}
    month = Month(settings, evenings, verdicts, chosen, seconds)
    zone = city_zone(settings.city.timezone)
    text = environment.get_template(TEMPLATE).render(month=month, steps=DAY_STEPS, zone=zone.key)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n", "utf-8", newline="\n")
