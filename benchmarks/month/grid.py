"""The state of every partition of a simulated month: each day of each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from month.story import days_of, told

from roadgraph.batch.promoting import decided

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from month.story import Evening

    from roadgraph.workspace import Workspace

DAY_STEPS = ("slices", "quality", "predictions", "evaluation", "model", "promotion")


@dataclass(frozen=True)
class Cell:
    """A partition: a day of a step.

    Attributes:
        text: what became of it.
        kind: class of the page's style.
        reasons: evening and reason of each time, in their order.
    """

    text: str
    kind: str
    reasons: tuple[str, ...] = ()


NOTHING = Cell("–", "nothing")


def grid_of(evenings: Sequence[Evening], workspace: Workspace) -> Iterator[tuple[date, list[Cell]]]:
    """Yield each day with its cells: those of ``DAY_STEPS`` and its checks."""
    for evening in evenings:
        day = evening.day
        cells = [_cell(evenings, step, day) for step in DAY_STEPS]
        if cells[-1] is NOTHING:
            cells[-1] = _undecided(workspace, day)
        yield day, [*cells, _checks(evenings, day)]


def _events(evenings: Sequence[Evening], day: date) -> list[tuple[Evening, dict[str, Any]]]:
    """Return the lines of the journal that are of a day, each with its evening."""
    return [
        (evening, line)
        for evening in evenings
        for line in evening.journal
        if day in days_of(line["partition"], evening.day)
    ]


def _cell(evenings: Sequence[Evening], step: str, day: date) -> Cell:
    events = [event for event in _events(evenings, day) if event[1]["step"] == step]
    if not events:
        return NOTHING
    reasons = tuple(f"{evening.title}, {told(line)}" for evening, line in events)
    texts, made = [], False
    for evening, line in events:
        # The first time of a day's forecasts is issued on the evening before.
        again = evening.day > day and line["figures"].get("issued again", 1) > 0
        word = f"again {line['state']}" if made and again else line["state"]
        texts.append(word if evening.day == day else f"{word} {evening.title}")
        made |= line["state"] == "made"
    text = "; ".join(dict.fromkeys(texts))
    if events[-1][1]["state"] != "made":
        return Cell(text, "failed", reasons)
    unusual = any(evening.also and day < evening.day for evening, _ in events)
    return Cell(text, "again" if unusual else "made", reasons)


def _undecided(workspace: Workspace, day: date) -> Cell:
    """Return why nothing was promoted, which the journal does not tell."""
    decision = decided(workspace, day)
    if decision is None:
        return NOTHING
    return Cell("nothing decided", "nothing", (decision["outcome"], *decision["reasons"]))


def _checks(evenings: Sequence[Evening], day: date) -> Cell:
    """Return the newest verdicts of the checks of a day."""
    newest: dict[str, dict[str, Any]] = {}
    for _, line in _events(evenings, day):
        newest |= line["checks"]
    reasons = tuple(f"{name}: {each['reason']}" for name, each in newest.items())
    failed = [name for name, each in newest.items() if each["passed"] is False]
    passed = sum(each["passed"] is True for each in newest.values())
    if not newest:
        return NOTHING
    text = f"{passed} passed"
    if len(newest) > passed + len(failed):
        text += f", {len(newest) - passed - len(failed)} no verdict"
    if failed:
        return Cell(f"{text}, failed: {', '.join(failed)}", "failed", reasons)
    return Cell(text, "made" if passed else "nothing", reasons)
