"""The note on a comparison's run in MLflow: its table in Markdown, as much of it as fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.comparison.account import notes_of
from roadgraph.evaluation.comparison import means_and_spreads
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS
from roadgraph.markdown import markdown
from roadgraph.report.tables import shown_comparison
from roadgraph.tracking.record import NOTE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from roadgraph.comparison.compare import Compared
    from roadgraph.settings import CitySettings, Settings

NOTED = {
    "macro_f1": "macro F1",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "speed_mae_kph": "speed MAE",
    "interval_coverage": "interval coverage",
}
REST = "More is in `results/results.md` among the artifacts of this run."


def note_of(compared: Compared, settings: Settings) -> str:
    """Return the note: what to know, and the table of the test span, at most 8,000 characters.

    Where not all horizons fit, the middle ones are left out first, and the note says so.
    """
    scores = compared.scores
    intro = [
        f"Test span of {settings.city.name}, every cell with a label; speeds in "
        f"{settings.city.speed_unit}. Mean ± standard deviation over the seeds; bold: clearly best "
        "of its horizon.",
        "",
        *(f"* {note}" for note in notes_of(compared, settings)),
        "",
    ]
    minutes = sorted(scores["horizon_min"].unique().tolist())
    middle = minutes[(len(minutes) - 1) // 2]
    for kept in (minutes, [minutes[0], minutes[-1]], [middle]):
        text = "\n".join([*intro, *_tables(scores, kept, minutes, settings.city), REST])
        if len(text) <= NOTE_CHARACTERS:
            return text
    return "\n".join([*intro, REST])[:NOTE_CHARACTERS]


def _tables(
    scores: pd.DataFrame, kept: Sequence[int], minutes: Sequence[int], city: CitySettings
) -> list[str]:
    lines = []
    for part in (ALL, HIDDEN_SEGMENTS):
        rows = scores[(scores["part"] == part) & scores["horizon_min"].isin(kept)]
        if len(rows):
            lines += [f"**{part}**", ""] if part != ALL else []
            shown = shown_comparison(means_and_spreads(rows), city, NOTED, bold=True)
            lines.append(markdown(shown))
    if len(kept) < len(minutes):
        lines += [f"Horizons shown: {', '.join(map(str, kept))} of {len(minutes)}.", ""]
    return lines
