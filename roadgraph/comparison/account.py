"""What a comparison has to tell people: sentences and tables, for Markdown and for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.evaluation.comparison import (
    FLOOR,
    FLOOR_KPH,
    graph_sentences,
    means_and_spreads,
    verdict_table,
    with_costs,
)
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
from roadgraph.markdown import markdown
from roadgraph.report.tables import (
    COSTS_SHOWN,
    PARTS_SHOWN,
    SHOWN,
    cost_text,
    shown_comparison,
    shown_in_full,
    shown_verdicts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.comparison.compare import Compared
    from roadgraph.settings import CitySettings, Settings

TRIVIAL = (
    "**Trivial:** with `task=nowcast_same_slice` a label is computed from a speed that is among "
    "the inputs. These figures say nothing about forecasts."
)
TRIVIAL_IN_TITLES = "(trivial: nowcast)"


@dataclass(frozen=True)
class Section:
    """A table with its title.

    Attributes:
        title: of the table.
        rows: texts as people see them, the best in ``**``.
        notes: sentences above it.
    """

    title: str
    rows: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """All that is told of a comparison.

    Attributes:
        title: of it.
        lead: sentences that say what was judged.
        notes: what must be read beside the figures, a sentence each.
        sections: the tables, the main one first.
    """

    title: str
    lead: tuple[str, ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]

    def markdown(self) -> str:
        """Return the account as a Markdown document."""
        lines = [f"# {self.title}", "", *_paragraphs(self.lead)]
        lines += [*(f"* {note}" for note in self.notes), ""]
        for section in self.sections:
            lines += [f"## {section.title}", "", *_paragraphs(section.notes)]
            lines.append(markdown(section.rows))
        return "\n".join(lines)


def account_of(compared: Compared, settings: Settings) -> Account:
    """Return the account of a comparison."""
    city = settings.city
    scores = compared.scores
    cells, meaning, _ = _cells_of(settings)
    return Account(
        f"Results, {city.name}, test span, {cells}",
        (
            f"A cell (a segment in a time slice) has a label where it was observed. {meaning}",
            f"Speeds in {city.speed_unit}; mean and, of several seeds, their standard deviation. "
            "Baselines and models on the same cells; skill is against the best baseline. Times "
            "are medians over the seeds: of the training, and of a forecast of all segments.",
        ),
        tuple(notes_of(compared, settings)),
        tuple(_sections(compared, scores, settings)),
    )


def is_trivial(settings: Settings) -> bool:
    """Return whether a label is computed from a speed that is among the inputs."""
    return settings.task == "nowcast_same_slice"


def verdicts_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Return who is better than whom on all cells, on observed and on hidden segments.

    Without hidden segments the last two are left out, for observed segments are then all.
    """
    tables = [verdict_table(scores, part=part) for part in (OBSERVED_SEGMENTS, HIDDEN_SEGMENTS)]
    found = [table for table in tables if len(table)]
    return pd.concat([verdict_table(scores), *found], ignore_index=True)


def shown_facts(compared: Compared) -> pd.DataFrame:
    """Return parameters and times of each forecaster, as people see them."""
    facts = compared.facts
    rows = facts.groupby("title", sort=False).agg(
        seeds=("seed", "nunique"), diagnosis=("diagnosis", "first")
    )
    costs = with_costs(rows.index.to_frame(name="model"), facts)
    texts = {
        title: [cost_text(value, name) for value in costs[name]]
        for name, title in COSTS_SHOWN.items()
    }
    diagnoses = ["-" if pd.isna(value) else value for value in rows["diagnosis"]]
    shown = pd.DataFrame({"model": rows.index, **texts, "diagnosis": diagnoses})
    shown.insert(2, "seeds", rows["seeds"].to_numpy())
    return shown


def notes_of(compared: Compared, settings: Settings) -> list[str]:
    """Return what must be read beside the figures, a sentence each."""
    notes = []
    if is_trivial(settings):
        notes.append(TRIVIAL)
    if settings.labels.rush_hour == "clock":
        notes.append("Rush hour is a function of the clock here, so its score says nothing.")
    verdicts = verdicts_of(compared.scores)
    notes += graph_sentences(verdicts[verdicts["part"] != OBSERVED_SEGMENTS])
    notes += [
        f"{title} stands without its control, so nothing shows whether the graph helps; "
        f"`roadgraph compare --models {title}` trains it too."
        for title in compared.without_control
    ]
    notes += [
        f"{item.title} with seed {item.seed} failed and is missing: {item.reason}"
        for item in compared.failures
    ]
    return notes


def _sections(compared: Compared, scores: pd.DataFrame, settings: Settings) -> Iterator[Section]:
    city, truth = settings.city, compared.truth_scores
    means = with_costs(means_of_all(scores), compared.facts)
    yield Section(
        "Congestion, rush hour and speed",
        shown_comparison(means, city, {**SHOWN, **COSTS_SHOWN}, bold=True),
    )
    yield Section("Congestion and rush hour in full", shown_in_full(means, city))
    yield from _verdicts(scores, city)
    yield Section("Runs", shown_facts(compared))
    if truth is not None:
        true_cells = _cells_of(settings)[2]
        yield Section(
            f"The same against the simulator's truth, {true_cells}",
            shown_comparison(means_of_all(truth), city, bold=True),
        )
    yield Section("By kind of segment and time of day", _by_part(scores, city))


def _cells_of(settings: Settings) -> tuple[str, str, str]:
    """Return which cells are judged, a sentence about them, and which of the simulator's truth."""
    if settings.task == "estimate_hidden":
        return (
            "hidden segments, every cell with a label",
            "Hidden segments alone are judged: the observations of all others are looked at.",
            "every hidden segment with a vehicle",
        )
    return (
        "every cell with a label",
        "Hidden segments are judged too, although no forecaster sees their observations.",
        "every segment with a vehicle",
    )


def _verdicts(scores: pd.DataFrame, city: CitySettings) -> Iterator[Section]:
    verdicts = verdicts_of(scores)
    for part in (ALL, OBSERVED_SEGMENTS, HIDDEN_SEGMENTS):
        rows = verdicts[verdicts["part"] == part]
        if part == ALL:
            rule = (
                "Over all horizons; a difference below the larger spread over the seeds is a tie. "
                "A model with one seed has no spread: a difference below "
                f"{FLOOR:g} (of speed errors {FLOOR_KPH:g} km/h) is a tie then."
            )
            yield Section("Better, worse or tie", shown_verdicts(rows, city), (rule,))
        elif len(rows):
            yield Section(f"Better, worse or tie on {part}", shown_verdicts(rows, city))


def means_of_all(scores: pd.DataFrame) -> pd.DataFrame:
    """Return means and spreads over the seeds, on all cells."""
    return means_and_spreads(scores[scores["part"] == ALL])


def _by_part(scores: pd.DataFrame, city: CitySettings) -> pd.DataFrame:
    parts = scores[scores["part"] != ALL]
    return shown_comparison(means_and_spreads(parts), city, PARTS_SHOWN)


def _paragraphs(sentences: tuple[str, ...]) -> Iterator[str]:
    for sentence in sentences:
        yield from (sentence, "")
