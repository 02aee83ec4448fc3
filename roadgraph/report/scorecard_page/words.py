"""What a scorecard says in words: the verdict, which forecasts count, and of what day it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.calendar import city_zone, time_of_day
from roadgraph.report.tables import figure_text
from roadgraph.verification.gains import (
    BETTER,
    LEAST_HOURS,
    MACRO_F1,
    SPEED_MAE,
    TIE,
    TOO_SMALL,
    WORSE,
)

if TYPE_CHECKING:
    from datetime import date

    from roadgraph.settings import CitySettings
    from roadgraph.verification.gains import Gain
    from roadgraph.verification.scorecard import Scorecard

READING = (
    "**Persistence** says of a segment what was last observed of it when the forecast was issued; "
    "the **historical average** what was usual at that time of the week. A model is worth its "
    "training only where it beats both, judged on the same cells.",
    "A **cell** is a forecast of one segment for one time slice in which it was observed. **Speed "
    "MAE** is the mean distance between the forecast and the observed speed; lower is better. "
    "**Macro F1** is the mean over the congestion classes of how well each was found, from 0 to "
    "1; higher is better.",
    "**Within 10-90 %** is the share of the observed speeds that lay between the forecast's 10 "
    "and 90 % quantile; 0.8 is right. **Marked** is the best of the three.",
    "A day is a small sample. The **95 % interval** of a gain is how far it moves when the hours "
    "of the day are drawn again and again. Where it holds 0 the gain may be chance and counts as a "
    f"tie; with cells in fewer than {LEAST_HOURS} hours nothing can be said of it. It is of this "
    "day alone: another day may differ by more.",
    "The tables of classes of road, hours, districts and segments have no such interval: a "
    "difference of a few percent there may be chance.",
)


def day_text(day: date) -> str:
    """Return such as ``Sunday, 18 January 2026``."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


def hour_text(hour: pd.Timestamp, city: CitySettings) -> str:
    """Return the local hour that begins at ``hour``, such as ``06:00 to 07:00``.

    Where the clock is set back the hour that comes twice has the zone's name of then:
    ``02:00 CEST to 02:00 CET`` comes before ``02:00 CET to 03:00``.
    """
    zone = city_zone(city.timezone)
    return f"{time_of_day(hour, zone)} to {time_of_day(hour + pd.Timedelta(hours=1), zone)}"


def headline(scorecard: Scorecard) -> str:
    """Return at how many horizons the forecasts beat the best baseline, in one sentence.

    Only gains and losses beyond chance count.
    """
    told = []
    for figure, what in ((SPEED_MAE, "the speed"), (MACRO_F1, "the classes")):
        verdicts = [each.verdict for each in scorecard.gains if each.figure == figure]
        decided = [verdict for verdict in verdicts if verdict != TOO_SMALL]
        if decided:
            told.append(f"in {what} at {_of_horizons(decided)}")
    if told:
        return (
            f"The forecasts were better than the best baseline, beyond chance, "
            f"{' and '.join(told)}."
        )
    if scorecard.gains:
        return (
            "The sample is too small to tell whether the forecasts were better than the best "
            f"baseline: fewer than {LEAST_HOURS} hours have judged cells."
        )
    return "The forecasts have neither speeds nor classes of congestion that can be judged."


def sentences_of_horizons(scorecard: Scorecard, city: CitySettings) -> list[str]:
    """Return for each horizon by how much the forecasts were better or worse, a sentence each."""
    told: dict[int, list[str]] = {}
    for gain in scorecard.gains:
        text = _speed(gain, city) if gain.figure == SPEED_MAE else _classes(gain)
        told.setdefault(gain.horizon_min, []).append(text)
    return [f"**{minutes} minutes ahead:** {'; '.join(texts)}." for minutes, texts in told.items()]


def sentences_of_counts(scorecard: Scorecard) -> list[str]:
    """Return which forecasts of the day are judged, what they rest on, and why others are not."""
    kinds = {
        "judged": "are judged, as they were first issued: something was observed on their segment "
        "in the slice that they were for.",
        "hindsight": "of these were, or may have been, issued in hindsight, when data of after "
        "their time of issue were there already: the speeds of trips that were under way at that "
        "time may rest on some of them. A forecast that is issued at its time knows less.",
        "held_back": "of these have a class that was held back for doubt "
        "(`evaluation.abstain_below`); it is judged as if it had been given.",
        "unobserved": "are not judged, because nothing was observed on their segment in that "
        "slice, or its data have not come in.",
        "seen": "are left out, because they were issued at a time that their model was made "
        "from; their error would flatter.",
        "strangers": "are left out, because the network does not have their segment.",
        "other_length": "are left out, because they are of slices of another length than those "
        "of now (`slices.minutes`).",
    }
    counts = {
        **scorecard.counts,
        "hindsight": scorecard.hindsight,
        "held_back": scorecard.held_back,
    }
    return [
        f"**{counts[name]:,}** {text}"
        for name, text in kinds.items()
        if counts.get(name, 0) or name in ("judged", "unobserved")
    ]


def _of_horizons(verdicts: list[str]) -> str:
    better, worse = verdicts.count(BETTER), verdicts.count(WORSE)
    if len(verdicts) == 1:
        return "**its horizon**" if better else f"**no horizon**{' (worse)' if worse else ''}"
    if better == len(verdicts):
        return f"**all {better} horizons**"
    but = f" (worse at {worse})" if worse else ""
    return f"**{better or 'none'} of {len(verdicts)} horizons**{but}"


def _speed(gain: Gain, city: CitySettings) -> str:
    own, other = (
        f"{figure_text(value, SPEED_MAE, city)} {city.speed_unit}"
        for value in (gain.own, gain.other)
    )
    if gain.verdict == TOO_SMALL:
        return f"the speed was {own} off on average, the {gain.baseline} {other}, {_small(gain)}"
    interval = _interval(gain.low * 100, gain.high * 100, ".1f", "less", "more", " %")
    if gain.verdict == TIE:
        return (
            f"the speed was {own} off on average, about as much as the {gain.baseline}'s "
            f"({other}; {interval})"
        )
    word = "less" if gain.gain > 0 else "more"
    return (
        f"the speed was {own} off on average, **{abs(gain.gain) * 100:.1f} % {word}** than the "
        f"best baseline, the {gain.baseline} ({other}; {interval})"
    )


def _classes(gain: Gain) -> str:
    own, other = f"{gain.own:.3f}", f"{gain.other:.3f}"
    if gain.verdict == TOO_SMALL:
        return f"macro F1 was {own}, that of the {gain.baseline} {other}, {_small(gain)}"
    interval = _interval(gain.low, gain.high, ".3f", "better", "worse")
    if gain.verdict == TIE:
        return f"macro F1 was {own}, about that of the {gain.baseline} ({other}; {interval})"
    word = "better" if gain.gain > 0 else "worse"
    return (
        f"macro F1 was {own}, **{abs(gain.gain):.3f} {word}** than the best baseline, the "
        f"{gain.baseline} ({other}; {interval})"
    )


def _small(gain: Gain) -> str:
    hours = "1 hour" if gain.hours == 1 else f"{gain.hours} hours"
    return f"a sample too small to tell which is better (cells in {hours})"


def _interval(low: float, high: float, form: str, above: str, below: str, unit: str = "") -> str:
    """Return an interval of gains in words; one that holds 0 goes from one to the other."""
    if low > 0 or high < 0:
        near, far = sorted((abs(low), abs(high)))
        word = above if low > 0 else below
        return f"95 % interval {near:{form}} to {far:{form}}{unit} {word}"
    ends = [f"{abs(end):{form}}{unit} {above if end > 0 else below}" for end in (low, high)]
    return f"95 % interval {ends[0]} to {ends[1]}"
