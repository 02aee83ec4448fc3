"""What happened on the evenings of a simulated month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Outing:
    """One run of the command.

    Attributes:
        command: as people would type it.
        output: standard output and error.
        code: exit code; minus the signal where one ended it.
        seconds: from its start to its end.
        alerts: what people were told meanwhile.
    """

    command: str
    output: str
    code: int
    seconds: float
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evening:
    """What happened after a day.

    Attributes:
        day: local day.
        arrived: what came in, a sentence.
        outings: runs of the command, the one that counts last.
        journal: lines of the journal of that evening.
        also: whether fixes of another day came, late or mended.
    """

    day: date
    arrived: str
    outings: tuple[Outing, ...]
    journal: tuple[dict[str, Any], ...]
    also: bool = False

    @property
    def title(self) -> str:
        """The day, as people say it."""
        return shown(self.day)

    @property
    def trained(self) -> bool:
        """Whether a model was trained."""
        return any(line["step"] == "model" and line["state"] == "made" for line in self.journal)


@dataclass(frozen=True)
class Verdict:
    """Something that must hold after the month, and whether it does."""

    text: str
    holds: bool


def shown(day: date) -> str:
    """Return a day as people say it, ``Mon 5 Jan``."""
    return f"{day:%a} {day.day} {day:%b}"


def days_of(partition: str, evening: date) -> set[date]:
    """Return the days that a partition such as ``2026-01-05 to 2026-01-07, 2026-01-09`` names.

    What names none is put down to the evening.
    """
    days: set[date] = set()
    for part in partition.split(","):
        found = [date.fromisoformat(text) for text in DAY.findall(part)]
        if found:
            length = (found[-1] - found[0]).days + 1
            days |= {found[0] + timedelta(days=ahead) for ahead in range(length)}
    return days or {evening}


def told(line: dict[str, Any]) -> str:
    """Return a line of the journal as people read it."""
    figures = ", ".join(f"{name} {value}" for name, value in line["figures"].items())
    reason = f"{line['state']}: {line['reason']}"
    return f"{reason} ({figures})" if figures else reason
