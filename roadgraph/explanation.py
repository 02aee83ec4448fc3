"""What ``roadgraph explain`` does: a forecast into words, a map and a file of what moved it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from roadgraph.calendar import city_zone
from roadgraph.explain.explaining import explain_forecast
from roadgraph.explain.question import segment_place
from roadgraph.explain.words import Manner, sentences
from roadgraph.network.network import read_network
from roadgraph.predict.predictions import floored
from roadgraph.predict.store import NAME
from roadgraph.prediction import NEWEST, Given, ready_to_forecast
from roadgraph.storage import fingerprint, write_json
from roadgraph.tracking.versions import CHAMPION
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.explain.explanation import Explanation
    from roadgraph.network.network import Network
    from roadgraph.promotion.fetching import RegisteredBundle
    from roadgraph.settings import Settings
    from roadgraph.settings.roads_and_probes import Side

LONGEST_NAME = 150
"""Of a segment in a file's name, which may have 255 bytes in all."""

NO_MAP = "There is no map, because the network has no geometry."
NOTHING_TO_DRAW = "There is no map, because nothing moved this forecast."


@dataclass(frozen=True)
class Explained:
    """A forecast and what moved it.

    Attributes:
        words: a sentence or two each, for people.
        files: the numbers, ``.json``, and with geometry the map, ``.png`` and ``.svg``.
        explanation: the numbers.
        registered: version that the model is of, or None where a bundle was named.
    """

    words: tuple[str, ...]
    files: tuple[Path, ...]
    explanation: Explanation
    registered: RegisteredBundle | None


def run_explanation(
    settings: Settings,
    segment_id: str,
    horizon_min: int | None = None,
    bundle_folder: Path | None = None,
    version: str = CHAMPION,
    given: Given = NEWEST,
) -> Explained:
    """Explain the forecast of one segment; write the numbers and, with geometry, a small map.

    The files lie in the workspace's ``explanations`` and are named by segment, time of the forecast
    in UTC and horizon.

    Args:
        settings: of the city.
        segment_id: the segment.
        horizon_min: minutes ahead; None: 30 or the nearest that the model has.
        bundle_folder: as in :func:`~roadgraph.prediction.run_prediction`.
        version: as there.
        given: the time of the forecast and the data; by default the store's newest slices.

    Raises:
        BundleError: model, network and slices do not belong together, or the model forecasts
            nothing of a single segment.
        DataError: the data cannot be used, there is none of that time, or the model does not
            answer for this segment.
        SettingsError: there is no such time, segment or horizon.
    """
    workspace = Workspace.of(settings)
    network = read_network(workspace.network)
    segment_place(network, segment_id)  # before the model and the slices are read
    ready = ready_to_forecast(settings, network, bundle_folder, version, given)
    forecaster = ready.forecaster
    observations = forecaster.observations(ready.slices, ready.slice_minutes)
    at = observations.newest_end if ready.at is None else floored(ready.at, forecaster.step)
    explanation = explain_forecast(
        forecaster,
        network,
        observations,
        at,
        segment_id,
        horizon_min,
        settings.evaluation.abstain_below,
    )
    manner = Manner(city_zone(ready.bundle.timezone), settings.city.speed_unit)
    words = sentences(explanation, manner)
    path = workspace.explanations / _file_name(explanation)
    files = _draw_map(network, explanation, manner, settings.city.drives_on, path)
    if not files:
        words += (NO_MAP if explanation.accounts else NOTHING_TO_DRAW,)
    content = explanation.to_dict() | {"made_by": ready.made_by, "words": list(words)}
    write_json(path, content)
    return Explained(words, (path, *files), explanation, ready.registered)


def _file_name(explanation: Explanation) -> str:
    """Return the name of the file of numbers; ids may hold what file names must not."""
    segment = quote(explanation.segment_id, safe="")
    if len(segment) > LONGEST_NAME:
        segment = f"{segment[:LONGEST_NAME]}-{fingerprint([explanation.segment_id])[:12]}"
    time = explanation.issued_at.tz_convert("UTC")
    return f"{segment}-{time:{NAME}}-{explanation.horizon_min}min.json"


def _draw_map(
    network: Network, explanation: Explanation, manner: Manner, drives_on: Side, path: Path
) -> tuple[Path, ...]:
    """Draw the map and return its files, or none where there is nothing to draw.

    That of an explanation before would pass for this one's.
    """
    files = (path.with_suffix(".png"), path.with_suffix(".svg"))
    if not network.has_geometry or not explanation.accounts:
        for file in files:
            file.unlink(missing_ok=True)
        return ()
    from roadgraph.report.explanation_plots import plot_explanation

    plot_explanation(network, explanation, manner, drives_on, files[0])
    return files
