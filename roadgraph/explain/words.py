"""An explanation in words, for the traffic engineer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.calendar import time_of_day
from roadgraph.explain.explanation import FEATURES
from roadgraph.legend import CLASS_TITLES
from roadgraph.units import KPH_PER

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import numpy as np
    import pandas as pd

    from roadgraph.explain.explanation import Account, Explanation
    from roadgraph.explain.surroundings import Relation

NAMED = 3
"""Other roads that are named, those that moved the forecast most."""

RELATION_WORDS: dict[Relation, str] = {
    "downstream": "roads downstream",
    "upstream": "roads upstream",
    "nearby": "other roads nearby",
    "elsewhere": "the rest of the city",
}
FEATURE_WORDS = {
    "speed": "speed",
    "spread": "spread of the speeds",
    "vehicles": "vehicles seen (more or fewer than the city's average)",
}
ORDINARY = (
    "Ordinary means that the same roads are seen in the same slices, each at the speed that is "
    "typical there at that time of the week, with its average spread. The number of vehicles and "
    "the quality are the city's average, not the road's own: where more vehicles than the city's "
    "average are always seen, they move the forecast every day."
)
NOT_THE_LIKELIEST = (
    "It is not chosen, because each probability is multiplied by a weight of its class first; the "
    "weights were chosen on the validation span, so that rare classes are found too."
)


@dataclass(frozen=True)
class Manner:
    """How numbers and times are told to people.

    Attributes:
        zone: the city's time zone.
        speed_unit: the city's, such as km/h.
    """

    zone: ZoneInfo
    speed_unit: str

    def speed(self, kph: float) -> str:
        """Return a speed with its unit."""
        return f"{kph / KPH_PER[self.speed_unit]:.1f} {self.speed_unit}"

    def shown(self, account: Account, value: float) -> float:
        """Return a number of an account as it is shown: in the city's unit, or in per cent."""
        if account.quantity == "speed":
            return round(value / KPH_PER[self.speed_unit], 1)
        return round(100 * value, 0)

    def number(self, account: Account, value: float) -> str:
        """Return a number of an account with its unit."""
        return self.speed(value) if account.quantity == "speed" else _per_cent(value)

    def change(self, account: Account, change: float) -> str:
        """Return what a change makes of the number, such as ``2.0 km/h slower``."""
        size = abs(self.shown(account, change))
        if account.quantity == "speed":
            return f"{size:.1f} {self.speed_unit} {'slower' if change < 0 else 'faster'}"
        return f"{size:.0f} {_points(size)} {'less likely' if change < 0 else 'likelier'}"

    def clock(self, time: pd.Timestamp) -> str:
        """Return the local time of day."""
        return time_of_day(time, self.zone)

    def day(self, time: pd.Timestamp) -> str:
        """Return the local day."""
        local = time.tz_convert(self.zone)
        return f"{local:%a} {local.day} {local:%b %Y}"


def sentences(explanation: Explanation, manner: Manner) -> tuple[str, ...]:
    """Return an explanation in words, a thought each."""
    told = _forecast(explanation, manner)
    if explanation.basis == "history":
        return (*told, _why_nothing_moved_it(explanation, manner))
    for number, account in enumerate(explanation.accounts):
        if account.quantity == "congestion":
            told.append(_class_answered(explanation))
        # What was seen on the roads is told once.
        told += _account(explanation, account, manner, with_facts=number == 0)
    return (*told, ORDINARY, _adding_up(explanation, manner))


def road(segment_id: str, name: str | None) -> str:
    """Return how people are told of a segment."""
    return f"{segment_id} ({name})" if isinstance(name, str) else segment_id


def _forecast(explanation: Explanation, manner: Manner) -> list[str]:
    """Return what is forecast, and from when."""
    issued = manner.clock(explanation.issued_at)
    ahead = f"{_counted(explanation.horizon_min, 'minute')} after {issued}"
    when = (
        f"from {manner.clock(explanation.slice_start)} to {manner.clock(explanation.slice_end)} on "
        f"{manner.day(explanation.slice_start)}"
    )
    who = road(explanation.segment_id, explanation.name)
    what = "what is typical" if explanation.basis == "history" else explanation.model
    if explanation.speed_kph is None:
        told = [f"The forecast of {what} for {who}, {when} ({ahead}):"]
    else:
        speed = manner.speed(explanation.speed_kph)
        told = [f"The forecast of {what} for {who}, {when} ({ahead}), is {speed}."]
    if explanation.basis == "history" and explanation.congestion is not None:
        told.append(_class_answered(explanation))
    late_min = _late_min(explanation)
    if late_min and explanation.basis == "observations":
        told.append(
            f"Nothing was observed in the {_counted(late_min, 'minute')} before {issued}, so the "
            f"model looks back from {manner.clock(explanation.looked_until)}."
        )
    if explanation.is_new and explanation.basis == "observations":
        told.append(
            f"{explanation.segment_id} was added to the network after {explanation.model} was "
            "trained: what is typical of it is what is typical of its class of road at its speed "
            "limit."
        )
    return told


def _class_answered(explanation: Explanation) -> str:
    assert explanation.congestion is not None
    title = CLASS_TITLES[explanation.congestion]
    if explanation.probability is None:
        return f"The class answered is {title}."
    how = f"with a probability of {_per_cent(explanation.probability)}"
    if explanation.abstains:
        told = f"No class is answered, because it would be {title} {how} alone."
    else:
        told = f"The class answered is {title}, {how}."
    return told + _likelier_class(explanation)


def _likelier_class(explanation: Explanation) -> str:
    """Return which class is likelier than the one that is answered, and why it is not chosen."""
    assert explanation.probabilities is not None
    assert explanation.congestion is not None
    likeliest = max(explanation.probabilities, key=explanation.probabilities.__getitem__)
    most, chosen = (explanation.probabilities[name] for name in (likeliest, explanation.congestion))
    if most == chosen:
        return ""
    size = _per_cent(most)
    if size == _per_cent(chosen):
        size = "slightly more"
    return f" The likeliest class is {CLASS_TITLES[likeliest]}, with {size}. {NOT_THE_LIKELIEST}"


def _why_nothing_moved_it(explanation: Explanation, manner: Manner) -> str:
    return (
        f"Nothing was observed since {manner.clock(explanation.looked_until)} on "
        f"{manner.day(explanation.looked_until)}, and {explanation.model} does not forecast that "
        "far from there: the forecast rests on what is typical at that time of the week, and no "
        "observation moved it."
    )


def _account(
    explanation: Explanation, account: Account, manner: Manner, with_facts: bool
) -> list[str]:
    """Return what moved one number."""
    week, ordinary = (manner.number(account, value) for value in (account.week, account.ordinary))
    told = [
        f"Over an ordinary week the model says {week} on average, and {ordinary} at this time of "
        f"it: the time of the week {_makes(account, account.time_of_week, manner)}.",
        f"What was observed {_looked_at(explanation, manner)} "
        f"{_makes(account, account.answer - account.ordinary, manner)}"
        f"{' than that' if manner.shown(account, account.answer - account.ordinary) else ''}.",
    ]
    if account.quantity == "speed" and account.answer == 0:
        told.append(
            "The model's own number is below 0, which is told as 0: a push further down "
            "does not show."
        )
    if not any(manner.shown(account, value) for value in account.of_segments):
        by_relation = explanation.by_relation(account)
        if not any(manner.shown(account, value) for value in by_relation.values()):
            return told
    told += _own(explanation, account, manner, with_facts)
    return told + _others(explanation, account, manner, with_facts)


def _own(explanation: Explanation, account: Account, manner: Manner, with_facts: bool) -> list[str]:
    """Return what was observed on the segment itself, and what that did."""
    row = explanation.own()
    facts, moved = explanation.heard.iloc[row], float(account.of_segments[row])
    who = f"{explanation.segment_id} itself"
    if not facts["seen"]:
        if not manner.shown(account, moved):
            return [f"Nobody was seen on {who}: what is usual there stands in, and moves nothing."]
        makes = _makes(account, moved, manner)
        return [f"Nobody was seen on {who}: an older speed stands in, and {makes}."]
    told = f"{who} {_makes(account, moved, manner)}"
    told += f": {_seen(facts, manner)}." if with_facts else "."
    parts = dict(zip(FEATURES, account.values[row], strict=True))
    if not any(manner.shown(account, value) for name, value in parts.items() if name != "speed"):
        return [told]
    return [f"{told} Of this: {_parts(account, parts, manner)}."]


def _others(
    explanation: Explanation, account: Account, manner: Manner, with_facts: bool
) -> list[str]:
    """Return which other roads moved the number, and how much all of them did."""
    if explanation.hears == "nobody":
        heard = f"{explanation.model} hears no other road for {explanation.segment_id}"
        return [f"{heard}, so none moved it."]
    told = []
    for row in explanation.strongest(account, NAMED):
        moved = float(account.of_segments[row])
        if not manner.shown(account, moved):
            break
        facts = explanation.heard.iloc[row]
        who = f"{road(facts['segment_id'], facts['name'])}, {_where(facts)},"
        seen = f": {_seen(facts, manner)}" if with_facts else ""
        told.append(f"{who} {_makes(account, moved, manner)}{seen}.")
    sums = {
        RELATION_WORDS[name]: value
        for name, value in explanation.by_relation(account).items()
        if name != "itself" and manner.shown(account, value)
    }
    if sums:
        listed = ", ".join(f"{who} {manner.change(account, sum_)}" for who, sum_ in sums.items())
        told.append(f"All roads around it together: {listed}.")
    return told or ["No other road moved it noticeably."]


def _makes(account: Account, change: float, manner: Manner) -> str:
    if not manner.shown(account, change):
        return "hardly moves it"
    return f"makes it {manner.change(account, change)}"


def _looked_at(explanation: Explanation, manner: Manner) -> str:
    minutes = explanation.window * explanation.slice_minutes
    end = manner.clock(explanation.looked_until)
    return f"in the {_counted(minutes, 'minute')} before {end}"


def _seen(facts: pd.Series, manner: Manner) -> str:
    """Return what was observed on a segment beside what is usual."""
    if not facts["seen"]:
        return "nobody was seen there"
    return (
        f"{manner.speed(facts['observed_kph'])} observed, {manner.speed(facts['usual_kph'])} usual"
    )


def _parts(account: Account, parts: dict[str, np.floating], manner: Manner) -> str:
    """Return what each feature did, such as ``speed -3.5, vehicles seen +0.4 km/h``."""
    digits, unit = (
        (1, manner.speed_unit) if account.quantity == "speed" else (0, "percentage points")
    )
    shown = {name: manner.shown(account, float(value)) for name, value in parts.items()}
    each = [f"{FEATURE_WORDS[name]} {value:+.{digits}f}" for name, value in shown.items() if value]
    return f"{', '.join(each)} {unit}"


def _where(facts: pd.Series) -> str:
    """Return where a segment lies, such as ``400 m downstream``."""
    relation = facts["relation"]
    if relation == "nearby":
        return "nearby"
    if relation == "elsewhere":
        return "elsewhere in the city"
    metres = facts["metres"]
    if metres == 0:
        return f"directly {relation}"
    if math.isnan(metres):
        return f"{_counted(int(facts['links']), 'link')} {relation}"
    far = f"{metres / 1000:.1f} km" if metres >= 1000 else f"{max(round(metres, -1), 10):.0f} m"
    return f"{far} {relation}"


def _adding_up(explanation: Explanation, manner: Manner) -> str:
    """Return by how much the contributions miss what they should add up to."""
    gaps = []
    for account in explanation.accounts:
        size = abs(account.gap)
        if account.quantity == "speed":
            unit = manner.speed_unit
            gaps.append(f"{_small(size / KPH_PER[unit])} {unit}")
        else:
            gaps.append(f"{_small(100 * size)} percentage points of probability")
    told = f"The contributions add up but for {' and '.join(gaps)} (integrated gradients)"
    if any(account.is_rough for account in explanation.accounts):
        return f"{told}, which is more than it should be: read them as rough."
    return f"{told}."


def _small(size: float) -> str:
    return "less than 0.01" if size < 0.01 else f"{size:.2f}"


def _late_min(explanation: Explanation) -> int:
    return int((explanation.issued_at - explanation.looked_until).total_seconds() // 60)


def _per_cent(probability: float) -> str:
    return f"{100 * probability:.0f} %"


def _points(size: float) -> str:
    return "percentage point" if size == 1 else "percentage points"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
