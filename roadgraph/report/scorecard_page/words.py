"""What a scorecard says in words: the verdict, which forecasts count, and of what day it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from roadgraph.calendar import city_zone
from roadgraph.report.tables import figure_text
from roadgraph.verification.parts_of_day import HORIZON
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pandas as pd

    from roadgraph.settings import CitySettings
    from roadgraph.verification.scorecard import Scorecard

BASELINES = (PERSISTENCE, HISTORICAL_AVERAGE)
TIE = 0.005
"""Share of the error, and difference of macro F1, that is too small for a word of its own."""

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
    "A day is a small sample: a difference of a few percent in a part with few cells may be "
    "chance.",
)


def day_text(day: date) -> str:
    """Return such as ``Sunday, 18 January 2026``."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


def hour_text(hour: pd.Timestamp, city: CitySettings) -> str:
    """Return the local hour that begins at ``hour``, such as ``06:00 to 07:00``."""
    begin = hour.tz_convert(city_zone(city.timezone)).hour
    return f"{begin:02d}:00 to {(begin + 1) % 24:02d}:00"


def headline(scorecard: Scorecard) -> str:
    """Return at how many horizons the forecasts beat the best baseline, in one sentence."""
    rows = _by_horizon(scorecard)
    told = []
    for figure, what in (("speed_mae_kph", "the speed"), ("macro_f1", "the classes")):
        gains = [gain_of(values[figure], figure)[0] for values in rows.values()]
        known = [gain for gain in gains if not math.isnan(gain)]
        if known:
            told.append(f"in {what} at {_of_horizons(sum(gain > TIE for gain in known), known)}")
    if not told:
        return "The forecasts have neither speeds nor classes of congestion that can be judged."
    return f"The forecasts were better than the best baseline {' and '.join(told)}."


def sentences_of_horizons(scorecard: Scorecard, city: CitySettings) -> list[str]:
    """Return for each horizon by how much the forecasts were better or worse, a sentence each."""
    return [
        f"**{minutes} minutes ahead:** {'; '.join(told)}."
        for minutes, values in _by_horizon(scorecard).items()
        if (told := _speed(values, city) + _classes(values))
    ]


def sentences_of_counts(counts: Mapping[str, int]) -> list[str]:
    """Return which forecasts of the day are judged and why the others are not."""
    kinds = {
        "judged": "are judged, as they were first issued: a probe was on their segment in the "
        "slice that they were for.",
        "unobserved": "are not judged, because no probe was on their segment in that slice.",
        "seen": "are left out, because they were issued at a time that their model was made "
        "from; their error would flatter.",
        "strangers": "are left out, because the network does not have their segment.",
    }
    return [
        f"**{counts[name]:,}** {text}"
        for name, text in kinds.items()
        if counts.get(name, 0) or name in ("judged", "unobserved")
    ]


def by_forecaster(rows: pd.DataFrame, figure: str) -> dict[str, float]:
    """Return a figure of one part of the cells by forecaster."""
    return {
        str(name): float(value) for name, value in zip(rows["model"], rows[figure], strict=True)
    }


def gain_of(values: Mapping[str, float], figure: str) -> tuple[float, str]:
    """Return by how much the forecast beats the best baseline, and which one that is.

    Args:
        values: of ``figure``, by forecaster.
        figure: ``speed_mae_kph``, whose gain is a share of the baseline's error, or ``macro_f1``,
            whose gain is a difference.

    Returns:
        The gain, below 0 for a forecast that is worse; NaN where either is not known.
    """
    known = {name: values[name] for name in BASELINES if not math.isnan(values[name])}
    if math.isnan(values[FORECAST]) or not known:
        return math.nan, ""
    lower = figure == "speed_mae_kph"
    best = min(known, key=lambda name: known[name] if lower else -known[name])
    if not lower:
        return values[FORECAST] - known[best], best
    return (1 - values[FORECAST] / known[best] if known[best] > 0 else math.nan), best


def _by_horizon(scorecard: Scorecard) -> dict[str, dict[str, dict[str, float]]]:
    """Return horizon to figure to forecaster to value."""
    rows = scorecard.table(HORIZON)
    figures = ("speed_mae_kph", "macro_f1")
    return {
        str(part): {figure: by_forecaster(of_part, figure) for figure in figures}
        for part, of_part in rows.groupby("part", sort=False)
    }


def _of_horizons(better: int, known: list[float]) -> str:
    if len(known) == 1:
        return "**its horizon**" if better else "**no horizon**"
    if better == len(known):
        return f"**all {better} horizons**"
    return f"**{better or 'none'} of {len(known)} horizons**"


def _speed(values: Mapping[str, Mapping[str, float]], city: CitySettings) -> list[str]:
    of_figure = values["speed_mae_kph"]
    gain, best = gain_of(of_figure, "speed_mae_kph")
    if math.isnan(gain):
        return []
    own, other = (
        f"{figure_text(of_figure[name], 'speed_mae_kph', city)} {city.speed_unit}"
        for name in (FORECAST, best)
    )
    if abs(gain) <= TIE:
        return [f"the speed was {own} off on average, about as much as the {best}'s ({other})"]
    word = "less" if gain > 0 else "more"
    return [
        f"the speed was {own} off on average, **{abs(gain):.1%} {word}** than the best "
        f"baseline, the {best} ({other})"
    ]


def _classes(values: Mapping[str, Mapping[str, float]]) -> list[str]:
    of_figure = values["macro_f1"]
    gain, best = gain_of(of_figure, "macro_f1")
    if math.isnan(gain):
        return []
    own, other = of_figure[FORECAST], of_figure[best]
    if abs(gain) <= TIE:
        return [f"macro F1 was {own:.3f}, about that of the {best} ({other:.3f})"]
    word = "better" if gain > 0 else "worse"
    return [
        f"macro F1 was {own:.3f}, **{abs(gain):.3f} {word}** than the best baseline, the "
        f"{best} ({other:.3f})"
    ]
