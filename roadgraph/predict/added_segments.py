"""A bundle for a network that has grown: what is assumed of segments added since training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.dataset.history import History
from roadgraph.dataset.labels import unseen_free_flow_kph
from roadgraph.dataset.preparation import Preparation, static_features
from roadgraph.schema import STATIC_FEATURES

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.training.bundle import Bundle

SPEED_FILLS = 2  # mean and median; the other fill values are the same for all unseen segments
LIMIT, FREE_FLOW = (STATIC_FEATURES.index(name) for name in ("speed_limit_kph", "free_flow_kph"))


@dataclass(frozen=True)
class Growth:
    """How the ``N`` segments of a network follow from the ``M`` of a bundle.

    Attributes:
        place: ``[N]`` of each segment in the bundle; 0 where it is new.
        is_new: ``[N]`` bool.
        donor: ``[A]`` place in the bundle of a segment of the same road class as each of the ``A``
            new ones; -1 where the class is new too.
        old_limit_kph: ``[M]``, their median where one is unknown, as in training.
        new_limit_kph: ``[A]``.
        segments: the network's.
    """

    place: np.ndarray
    is_new: np.ndarray
    donor: np.ndarray
    old_limit_kph: np.ndarray
    new_limit_kph: np.ndarray
    segments: pd.DataFrame

    def speeds_of_new(self, speeds: np.ndarray) -> np.ndarray:
        """Return what is assumed of the new segments, ``[..., A]`` of ``[..., M]`` in km/h.

        ``speeds`` are those of segments as if never observed: a share of the limit that is the same
        for all of a road class. A new segment has this share of its own limit; where its class is
        new too, the mean share of all segments.
        """
        share = speeds[..., self.donor] / self.old_limit_kph[self.donor]
        stranger = self.donor < 0
        if stranger.any():
            share[..., stranger] = (speeds / self.old_limit_kph).mean(axis=-1)[..., None]
        return (share * self.new_limit_kph).astype(speeds.dtype)


def grown_bundle(bundle: Bundle, network: Network) -> Bundle:
    """Return ``bundle`` for a network that has all of its segments and more.

    An added segment is prepared as one that was never observed: see
    :func:`~roadgraph.dataset.history.fit_unseen_history`. No weight of the model may belong to a
    segment.

    Args:
        bundle: the trained model.
        network: its segments may lie in another order.
    """
    growth = _growth(bundle, network)
    flow = _free_flow_kph(bundle, growth)
    return replace(
        bundle,
        preparation=_grown(bundle.preparation, bundle.unseen, growth, flow),
        unseen=_grown(bundle.unseen, bundle.unseen, growth, flow),
        adjustments=replace(
            bundle.adjustments,
            is_unseen=bundle.adjustments.is_unseen[growth.place] | growth.is_new,
        ),
        segment_ids=tuple(network.segment_ids),
        network_fingerprint=network.fingerprint(),
    )


def _growth(bundle: Bundle, network: Network) -> Growth:
    place = pd.Index(bundle.segment_ids).get_indexer(pd.Index(network.segment_ids))
    is_new = place < 0
    segments = network.segments
    # What the network says of old segments' limits may have changed; the bundle has those that its
    # typical speeds rest on, with 0 for unknown.
    told = bundle.unseen.statics[:, LIMIT].astype(np.float64)
    usual = float(np.median(told[told > 0])) if (told > 0).any() else 1.0
    new_limit = segments["speed_limit_kph"].astype("float64").to_numpy()[is_new]
    classes = segments["road_class"].astype(str).to_numpy()
    old_names, first = np.unique(classes[~is_new], return_index=True)
    donor_of = dict(zip(old_names, place[~is_new][first], strict=True))
    return Growth(
        np.where(is_new, 0, place),
        is_new,
        np.array([donor_of.get(name, -1) for name in classes[is_new]], dtype=np.int64),
        np.where(told > 0, told, usual),
        np.where(np.isnan(new_limit), usual, new_limit),
        segments,
    )


def _free_flow_kph(bundle: Bundle, growth: Growth) -> np.ndarray:
    """Return the free flow of all segments as if never observed, ``[N]``."""
    limits = growth.segments["speed_limit_kph"].astype("float64").to_numpy()
    classes = growth.segments["road_class"].astype(str).to_numpy()
    flow = bundle.preparation.statics[:, FREE_FLOW].astype(np.float64)
    seen = np.where(bundle.adjustments.is_unseen, np.nan, flow)
    return unseen_free_flow_kph(
        np.where(growth.is_new, np.nan, seen[growth.place]), limits, classes
    )


def _grown(
    preparation: Preparation, unseen: Preparation, growth: Growth, flow: np.ndarray
) -> Preparation:
    """Return ``preparation`` with the added segments as ``unseen`` would have them."""
    new = growth.is_new
    fill = preparation.fill[growth.place]
    fill[new] = unseen.fill[0]
    fill[new, :SPEED_FILLS] = growth.speeds_of_new(unseen.fill[:, :SPEED_FILLS].T).T
    week = preparation.history.week[:, growth.place]
    week[:, new] = growth.speeds_of_new(unseen.history.week)
    limits = growth.segments["speed_limit_kph"].astype("float64").to_numpy()
    statics = preparation.statics[growth.place]
    statics[new] = static_features(growth.segments, limits, flow)[new]
    return replace(
        preparation,
        fill=fill,
        statics=statics,
        history=History(week, preparation.history.slice_minutes),
    )
