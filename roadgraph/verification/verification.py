"""The verification of a local day: what was forecast for it against what was observed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

from roadgraph.errors import DataError
from roadgraph.evaluation.parts import ALL
from roadgraph.evaluation.scores import score_table
from roadgraph.quality.day import digest_of_network, digest_of_slices
from roadgraph.slices.store import read_manifest, stored_days
from roadgraph.staleness import changes, fingerprint_of
from roadgraph.storage import whole_folder, write_json
from roadgraph.verification.issued import digest_of_forecasts, forecasts_for_day, issued_of_day
from roadgraph.verification.observed import days_before, days_looked_at, observed_day
from roadgraph.verification.scoring import FORECAST, score_cells

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

SCORES_FILE, MANIFEST_FILE = "scores.csv", "manifest.json"


@dataclass(frozen=True)
class Verification:
    """How good the forecasts of a local day were.

    Attributes:
        day: local day that the target slices begin on.
        scores: from :func:`~roadgraph.verification.scoring.score_cells`; empty where there is
            nothing to judge.
        reason: why it is empty, or "".
        models: how many of the judged forecasts each model made.
        counts: forecasts of the day: ``judged``, ``unobserved``, ``seen``, ``strangers`` and
            ``other_length``, as in :class:`~roadgraph.verification.issued.Issued`.
        depends_on: what it was made from, by name.
    """

    day: date
    scores: pd.DataFrame
    reason: str
    models: dict[str, int]
    counts: dict[str, int]
    depends_on: dict[str, str]

    @property
    def figures(self) -> dict[str, float | int | str]:
        """What people want to see of it: the model's figures, means over the horizons."""
        if self.reason:
            return {"reason": self.reason}
        own = self.scores[(self.scores["model"] == FORECAST) & (self.scores["part"] == ALL)]
        means = own[["speed_mae_kph", "macro_f1"]].mean().dropna().round(4)
        errors = {str(name): float(value) for name, value in means.items()}
        return {**self.counts, **errors, "models": ", ".join(self.models)}


def verify_day(
    settings: Settings, network: Network, workspace: Workspace, day: date
) -> Verification:
    """Hold the forecasts of a local day, as they were first issued, against its slices.

    Every forecast of an observed cell whose slice begins on the day counts, whatever day it was
    issued on, unless it was issued at a time that its model was made from. Persistence and the
    historical average of the days before are judged on the same cells.

    Args:
        settings: ``city``, ``slices``, ``labels`` and ``pipeline.training_days`` are used.
        network: the workspace's.
        workspace: where slices and forecasts are.
        day: the day, which is over.

    Returns:
        The verification; of a day without forecasts or observations it is empty, with a reason.

    Raises:
        DataError: a store is damaged, or of another network or length of slices.
    """
    depends_on = verification_depends_on(settings, workspace, day)
    reason = nothing_to_judge(settings, workspace, day)
    if reason:
        return Verification(day, score_table([]), reason, {}, {}, depends_on)
    observed = observed_day(settings, network, workspace, day)
    issued = issued_of_day(settings, workspace, day, observed, network.segment_ids)
    if not issued.counts["judged"]:
        reason = issued.none_judged(day)
        return Verification(day, score_table([]), reason, {}, issued.counts, depends_on)
    scores = score_cells(issued.cells, observed)
    return Verification(day, scores, "", issued.models, issued.counts, depends_on)


def write_verification(
    settings: Settings, network: Network, workspace: Workspace, day: date
) -> Verification:
    """Verify a day and write ``evaluation/<day>/``, whole or not at all.

    Args:
        settings: as for :func:`verify_day`.
        network: the workspace's.
        workspace: where the stores are.
        day: the day, which is over.

    Raises:
        DataError: a store is damaged, or of another network or length of slices.
    """
    found = verify_day(settings, network, workspace, day)
    content = {
        "day": day.isoformat(),
        "reason": found.reason,
        "models": found.models,
        "counts": found.counts,
        "depends_on": found.depends_on,
        "fingerprint": fingerprint_of(found.depends_on),
    }
    with whole_folder(workspace.evaluation / day.isoformat()) as folder:
        found.scores.to_csv(folder / SCORES_FILE, index=False)
        write_json(folder / MANIFEST_FILE, content)
    return found


def read_verification(workspace: Workspace, day: date) -> Verification:
    """Return the stored verification of a day.

    Raises:
        DataError: it is missing or damaged.
    """
    folder = workspace.evaluation / day.isoformat()
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
        return Verification(
            day,
            pd.read_csv(folder / SCORES_FILE),
            str(content["reason"]),
            dict(content["models"]),
            dict(content["counts"]),
            dict(content["depends_on"]),
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{folder} is missing or damaged ({error}); remove it and make it again: roadgraph "
            f"run --from {day} --to {day}"
        ) from error


def stale_verification(settings: Settings, workspace: Workspace, day: date) -> tuple[str, ...]:
    """Return why the stored verification of a day is not that of now; nothing where it is.

    Raises:
        DataError: the network was not imported, or a store is damaged.
    """
    now = verification_depends_on(settings, workspace, day)
    if not (workspace.evaluation / day.isoformat()).is_dir():
        return changes(None, now)
    try:
        before = read_verification(workspace, day).depends_on
    except DataError:
        return ("the verification is damaged",)
    return changes(before, now)


def outdated_verifications(
    settings: Settings, workspace: Workspace, days: Iterable[date]
) -> list[date]:
    """Return the days whose stored verification rests on other data or settings than those of now.

    Whether other forecasts of a day are there by now is not looked at, as that takes a look into
    every file of them; :func:`stale_verification` does.

    Args:
        settings: as for :func:`verify_day`.
        workspace: where the verifications are.
        days: that were verified.

    Raises:
        DataError: the network was not imported, or a store is damaged.
    """
    found = []
    for day in days:
        before = dict(read_verification(workspace, day).depends_on)
        before.pop("forecasts", None)
        if changes(before, _beside_forecasts(settings, workspace, day)):
            found.append(day)
    return found


def verified_days(workspace: Workspace) -> list[date]:
    """Return the local days that were verified, in their order."""
    found = workspace.evaluation.glob(f"????-??-??/{MANIFEST_FILE}")
    return sorted(date.fromisoformat(path.parent.name) for path in found)


def verification_depends_on(settings: Settings, workspace: Workspace, day: date) -> dict[str, str]:
    """Return all that the verification of a day rests on, by name.

    Raises:
        DataError: the network was not imported, or a store is damaged.
    """
    return {
        "forecasts": digest_of_forecasts(settings, workspace, day),
        **_beside_forecasts(settings, workspace, day),
    }


def _beside_forecasts(settings: Settings, workspace: Workspace, day: date) -> dict[str, str]:
    """Return all that the verification of a day rests on beside the forecasts, by name."""
    days = days_looked_at(settings, workspace, day)
    if day in stored_days(workspace.slices):
        days = [*days, day]
    return {
        **{f"slices {other}": digest_of_slices(workspace, other) for other in days},
        "network": digest_of_network(workspace),
        "city.timezone": settings.city.timezone,
        "slices.minutes": str(settings.slices.minutes),
        "labels": repr(settings.labels),
        "pipeline.training_days": str(settings.pipeline.training_days),
        **{name: version(name) for name in ("roadgraph", "numpy")},
    }


def nothing_to_judge(settings: Settings, workspace: Workspace, day: date) -> str:
    """Return why a day has nothing to judge, as far as that is known without its rows, or ""."""
    if not forecasts_for_day(settings, workspace, day):
        return f"no forecast was issued for {day}"
    if not observed_rows(workspace, [day]):
        return f"nothing was observed on {day}"
    if not observed_rows(workspace, days_before(settings, workspace, day)):
        return f"nothing was observed before {day}, which says what is typical and what is free"
    return ""


def observed_rows(workspace: Workspace, days: list[date]) -> int:
    """Return how many cells were observed on some days, as their manifests say."""
    stored = set(stored_days(workspace.slices)) & set(days)
    return sum(int(read_manifest(workspace.slices, day)["rows"]) for day in stored)
