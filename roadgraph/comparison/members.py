"""Which models a comparison is of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roadgraph.errors import SettingsError, nearest
from roadgraph.models.registry import BACKBONES, GRAPHS, SIZES, model_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.settings import Settings

DEFAULT_MEMBERS = ("mlp-simple", "gcn-enhanced", "roadnet-simple")
WITH_GRAPH = ("gcn", "gat", "roadnet")
"""Backbones that pass messages along the links; the others are the same without any."""
CONTROL = "-self-loops"
"""Behind the title of a model: the same on a graph in which every segment hears itself alone."""


def members_of(settings: Settings, titles: Sequence[str]) -> list[Settings]:
    """Return the settings of each named model, such as ``gcn-enhanced-self-loops``.

    ``all`` names every backbone in both sizes, with the control of each that has a graph.

    Raises:
        SettingsError: there is no model of that name.
    """
    known = {
        model_title(replace(settings.model, name=name, graph=graph), size): (name, size, graph)
        for name in BACKBONES
        for size in SIZES
        for graph in GRAPHS
    }
    members = []
    for title in all_titles() if list(titles) == ["all"] else titles:
        if title not in known:
            raise SettingsError(
                f"no model '{title}' (there are all, {', '.join(known)}){nearest(title, known)}"
            )
        name, size, graph = known[title]
        model = replace(settings.model, name=name, graph=graph)
        members.append(replace(settings, model=model, size=size))
    return members


def all_titles() -> list[str]:
    """Return every model in both sizes, those that pass messages along the graph twice."""
    return [
        f"{name}-{size}{control}"
        for name in BACKBONES
        for size in SIZES
        for control in (("", CONTROL) if name in WITH_GRAPH else ("",))
    ]


def with_controls(titles: Sequence[str]) -> list[str]:
    """Return ``titles`` with the missing control behind each model that has a graph."""
    completed = []
    for title in titles:
        completed.append(title)
        control = f"{title}{CONTROL}"
        if title.startswith(WITH_GRAPH) and not title.endswith(CONTROL) and control not in titles:
            completed.append(control)
    return completed
