"""Which model answers for which segments of a network that may have grown since training."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.dataset.loading import road_graph_of
from roadgraph.errors import BundleError
from roadgraph.predict.added_segments import grown_bundle
from roadgraph.training.bundle import Bundle, digest_of_bundle, read_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.models.graph import Graph
    from roadgraph.network.network import Network

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A model and the segments that it answers for.

    Attributes:
        bundle: of ``M`` segments.
        tiles: the graph of these, in the tiles on which the model answers.
        places: ``[M]`` place of each in the network.
        answered: ``[M]`` bool, those that it answers for; it sees the others too.
        new: ``[M]`` bool, those that were added since it was trained.
        digest: SHA-256 of the bundle, where it is not the one that was asked for.
    """

    bundle: Bundle
    tiles: tuple[Graph, ...]
    places: np.ndarray
    answered: np.ndarray
    new: np.ndarray
    digest: str = ""

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        network: Network,
        whole: Network,
        answered: np.ndarray,
        digest: str = "",
    ) -> Part:
        """Return the part of ``bundle`` on ``network``, which is ``whole`` or lies in it."""
        ids = network.segment_ids
        new = _are_new(ids, bundle)
        fitting = grown_bundle(bundle, network) if new.any() else bundle
        places = np.arange(len(ids))
        if network is not whole:
            places = pd.Index(whole.segment_ids).get_indexer(pd.Index(ids))
        return cls(
            fitting,
            fitting.tiles(road_graph_of(network)),
            places,
            answered,
            new,
            digest,
        )


def network_difference(bundle: Bundle, network: Network) -> str:
    """Return how ``network`` differs from that of ``bundle``, or "" when it is the same."""
    if network.fingerprint() == bundle.network_fingerprint:
        return ""
    mine, theirs = set(bundle.segment_ids), set(network.segment_ids)
    gone, new = sorted(mine - theirs), sorted(theirs - mine)
    differ = [
        f"{len(ids)} segments {what} (such as '{ids[0]}')"
        for ids, what in ((gone, "are missing"), (new, "are new"))
        if ids
    ]
    return " and ".join(differ) or "the same segments, but other links"


def parts_of(bundle: Bundle, network: Network, beside: Path | None = None) -> tuple[Part, ...]:
    """Return the models that answer for the segments of ``network``.

    On the network that it was trained on that is ``bundle`` alone. Where segments were added since,
    it answers for them as for segments that were never observed. A model with an embedding of each
    segment cannot: it answers for the old ones, as long as the links among them are the same, and
    another one without embedding for the rest.

    Args:
        bundle: the trained model.
        network: to forecast on.
        beside: folder with the city's trained bundles, to find the other one in.

    Returns:
        One or two parts; that of ``bundle`` first, if it has one.

    Raises:
        BundleError: segments of the model are gone, links alone differ, or a model without
            embedding is needed and not there.
    """
    difference = network_difference(bundle, network)
    everywhere = np.ones(len(network.segment_ids), dtype=bool)
    if not difference:
        return (Part.of(bundle, network, network, everywhere),)
    is_new = _are_new(network.segment_ids, bundle)
    if int((~is_new).sum()) < len(bundle.segment_ids) or not is_new.any():
        raise BundleError(
            f"{bundle.title} was trained on another network: {difference}; train a model on this "
            "one: roadgraph train, then roadgraph promote, or take a registered model that was: "
            "--model challenger"
        )
    told = f"{int(is_new.sum())} segments were added since {bundle.title} was trained"
    if not _has_embedding(bundle):
        logger.warning("%s; they are forecast as segments that were never observed", told)
        return (Part.of(bundle, network, network, everywhere),)
    folder, other = _without_embedding(bundle, network, beside, told)
    digest = digest_of_bundle(folder)
    old = _part_of_network(network, ~is_new)
    if old.fingerprint() != bundle.network_fingerprint:
        logger.warning(
            "%s, and links among the others changed; %s forecasts all of them", told, other.title
        )
        return (Part.of(other, network, network, everywhere, digest),)
    logger.warning("%s; %s forecasts them", told, other.title)
    kept = np.ones(len(old.segment_ids), dtype=bool)
    return Part.of(bundle, old, network, kept), Part.of(other, network, network, is_new, digest)


def _are_new(segment_ids: list[str], bundle: Bundle) -> np.ndarray:
    """Return which segments were added since ``bundle`` was trained, ``[N]`` bool."""
    trained = set(bundle.segment_ids)
    return np.array([segment not in trained for segment in segment_ids])


def _has_embedding(bundle: Bundle) -> bool:
    """Return whether weights of the model belong to one segment each."""
    return getattr(bundle.model, "embedding", None) is not None


def _part_of_network(network: Network, kept: np.ndarray) -> Network:
    """Return the network of some segments, ``[N]`` bool, and the links among them."""
    segments = network.segments[kept].reset_index(drop=True)
    ids = segments["segment_id"]
    links = network.links
    inside = links["from_segment"].isin(ids) & links["to_segment"].isin(ids)
    return replace(
        network, segments=segments, links=links[inside].reset_index(drop=True), limit_told=None
    )


def _without_embedding(
    bundle: Bundle, network: Network, beside: Path | None, told: str
) -> tuple[Path, Bundle]:
    """Return the best bundle beside ``bundle`` that can answer in its place, and its folder."""
    found = []
    for folder in sorted(beside.iterdir()) if beside is not None and beside.is_dir() else []:
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        try:
            other = read_bundle(folder)
        except BundleError as error:
            logger.warning("%s; it is passed over", error)
            continue
        if _answers_alike(other, bundle) and _grows_to(other, network):
            found.append((folder, other))
    if not found:
        raise BundleError(
            f"{told}, which has weights of its own for every segment; train a model that has none "
            "too: roadgraph train model.segment_embedding=0, or import the network as it was: the "
            "segments before can still be forecast with it"
        )
    return min(found, key=lambda each: (_least_loss(each[1]), each[1].title))


def _answers_alike(other: Bundle, bundle: Bundle) -> bool:
    """Return whether two bundles answer the same questions, the first without an embedding."""
    same = all(
        getattr(other, name) == getattr(bundle, name)
        for name in ("city", "slice_minutes", "horizons")
    )
    tasks = other.options.tasks == bundle.options.tasks
    task = other.settings["task"] == bundle.settings["task"]
    return same and tasks and task and not _has_embedding(other)


def _grows_to(bundle: Bundle, network: Network) -> bool:
    """Return whether ``network`` is that of ``bundle``, or has all of its segments and more."""
    mine, theirs = set(bundle.segment_ids), set(network.segment_ids)
    return mine < theirs or not network_difference(bundle, network)


def _least_loss(bundle: Bundle) -> float:
    losses = [float(epoch["val_loss"]) for epoch in bundle.history if "val_loss" in epoch]
    return min(losses, default=float("inf"))
