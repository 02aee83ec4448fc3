"""What changes in the registry of models: registration, promotion and steps back.

The champions of the past stand in a tag of the registered model, so that every step can be taken
back, and again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from roadgraph.errors import RegistryError
from roadgraph.tracking.versions import (
    CHALLENGER,
    CHAMPION,
    Version,
    aliases_of,
    asking,
    current,
    find_version,
    registered_model,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient

LINE_TAG = "promotion/champions"
"""Of the registered model: versions that were champion, oldest first, the current one last."""

DECIDED = "promotion/"
"""Begins the tags of a version that a decision writes."""

DECISION_TAG, REASON_TAG, AT_TAG = f"{DECIDED}decision", f"{DECIDED}reason", f"{DECIDED}at"
ENTERED_TAG = "promotion/entered"
"""Of a version: when its registration was complete."""

STEPPED_BACK_TAG = "promotion/stepped back"
TAG_CHARACTERS = 4000  # MLflow's limit is 5,000


def register(
    client: MlflowClient,
    name: str,
    source: str,
    run_id: str,
    tags: Mapping[str, str],
    model_id: str | None = None,
) -> str:
    """Register the model of a run as the challenger; return its version.

    A run that has a version gets no second one: its tags are brought up to date, and the aliases
    stay as they are. The first version of a city that never had a champion becomes champion too.

    Args:
        client: of the store.
        name: of :func:`registered_name`; the registered model is made where there is none.
        source: address of the artifacts.
        run_id: of the run.
        tags: of the version.
        model_id: of the logged model, where there is one.

    Raises:
        TrackingError: the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    with asking(client.tracking_uri):
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = [
            item for item in client.search_model_versions(f"run_id='{run_id}'") if item.name == name
        ]
        if not found:
            found = [
                client.create_model_version(
                    name, source, run_id, dict(tags), await_creation_for=0, model_id=model_id
                )
            ]
        version = version_of(found[0])
        for tag, value in tags.items():
            if version.tags.get(tag) != value:
                client.set_model_version_tag(name, version.number, tag, value)
        # Without this tag an earlier call ended before the aliases stood.
        if ENTERED_TAG not in version.tags:
            _enter(client, version)
    return version.number


def promote(client: MlflowClient, version: Version) -> None:
    """Make ``version`` the champion, remember the old one, and take the alias challenger from it.

    Raises:
        RegistryError: no such registered model.
        TrackingError: the store does not answer.
    """
    registered = registered_model(client, version.name)
    line = [number for number in _line(registered) if number != version.number]
    with asking(client.tracking_uri):
        _make_champion(client, version, [*line, version.number])
        if aliases_of(registered).get(CHALLENGER) == version.number:
            client.delete_registered_model_alias(version.name, CHALLENGER)


def roll_back(client: MlflowClient, name: str) -> tuple[Version, Version]:
    """Make the champion before the current one champion again; return both, the current one first.

    It can be called again and again. A champion whose version was deleted is stepped over.

    Raises:
        RegistryError: no such registered model, no champion, or none before it.
        TrackingError: the store does not answer.
    """
    registered = registered_model(client, name)
    old = current(client, name)
    line = _line(registered)[:-1]
    new = None
    while line and new is None:
        new = _if_there(client, name, line[-1])
        if new is None:
            line.pop()
    if new is None:
        raise RegistryError(f"{old} is champion, and there is none before it to step back to")
    with asking(client.tracking_uri):
        said = f"to version {new.number} at {_now()}"
        client.set_model_version_tag(name, old.number, STEPPED_BACK_TAG, said)
        _make_champion(client, new, line)
    return old, new


def tag_decision(
    client: MlflowClient,
    version: Version,
    decision: str,
    reasons: Sequence[str],
    figures: Mapping[str, str],
) -> None:
    """Write a decision, its reasons and figures on a version; all of an earlier decision goes.

    Raises:
        TrackingError: the store does not answer.
    """
    tags = {DECISION_TAG: decision, AT_TAG: _now()}
    tags |= {f"{REASON_TAG} {place}": text for place, text in enumerate(reasons, 1)}
    tags |= {f"{DECIDED}{name}": value for name, value in figures.items()}
    with asking(client.tracking_uri):
        for name in version.tags:
            if name.startswith(DECIDED) and name not in {*tags, ENTERED_TAG, STEPPED_BACK_TAG}:
                client.delete_model_version_tag(version.name, version.number, name)
        for name, value in tags.items():
            client.set_model_version_tag(version.name, version.number, name, value[:TAG_CHARACTERS])


def _if_there(client: MlflowClient, name: str, number: str) -> Version | None:
    try:
        return find_version(client, name, number)
    except RegistryError:
        return None


def _line(registered: Any) -> list[str]:
    """Return the versions that were champion, the current one last.

    Somebody may have moved the alias by hand: to one of the line, which is a step back, or to
    another, which is a promotion. Without the alias the line stays as it is.

    Raises:
        RegistryError: the tag is no such list.
    """
    text = registered.tags.get(LINE_TAG, "[]")
    try:
        line = [str(int(number)) for number in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise RegistryError(
            f"registered model '{registered.name}': its tag '{LINE_TAG}' is no list of versions "
            f"(found '{text}'); mend or delete it in the MLflow pages"
        ) from error
    champion = aliases_of(registered).get(CHAMPION)
    if champion is None:
        return line
    if champion in line:
        return line[: line.index(champion) + 1]
    return [*line, champion]


def _make_champion(client: MlflowClient, version: Version, line: Sequence[str]) -> None:
    tag = json.dumps([int(number) for number in line])
    client.set_registered_model_tag(version.name, LINE_TAG, tag)
    client.set_registered_model_alias(version.name, CHAMPION, version.number)


def _enter(client: MlflowClient, version: Version) -> None:
    """Make a new version challenger, and the first of all champion too."""
    registered = registered_model(client, version.name)
    client.set_registered_model_alias(version.name, CHALLENGER, version.number)
    if not _line(registered):
        reason = f"first version of {version.name}: there was no champion to be judged against"
        tag_decision(client, version, "promoted", [reason], {})
        _make_champion(client, version, [version.number])
    client.set_model_version_tag(version.name, version.number, ENTERED_TAG, _now())


def _now() -> str:
    return pd.Timestamp.now("UTC").isoformat(timespec="seconds")
