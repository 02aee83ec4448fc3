"""From the registry's champion and challenger to a decision, and from there to the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.dataset.loading import load_dataset
from roadgraph.errors import RegistryError
from roadgraph.network.network import read_network
from roadgraph.promotion.contest import Contest, hold_contest
from roadgraph.promotion.decision import Decision, decide
from roadgraph.promotion.fetching import fetched_bundle
from roadgraph.tracking.registry import promote, roll_back, tag_decision
from roadgraph.tracking.store import Store
from roadgraph.tracking.versions import (
    CHALLENGER,
    CHAMPION,
    Version,
    current,
    registered_name,
    registry_client,
)
from roadgraph.training.bundle import Bundle, read_bundle
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from roadgraph.settings import Settings


@dataclass(frozen=True)
class Promotion:
    """A decision between two versions.

    Attributes:
        champion, challenger: versions before the decision.
        titles: of their models, by alias.
        contest: what it rests on.
        decision: with its reasons.
        carried_out: whether it was written to the registry.
    """

    champion: Version
    challenger: Version
    titles: dict[str, str]
    contest: Contest
    decision: Decision
    carried_out: bool

    @property
    def outcome(self) -> str:
        """What became of the challenger, one sentence."""
        mine, theirs = self.challenger, self.champion
        if not self.decision.promoted:
            return f"{mine} stays challenger; version {theirs.number} stays champion"
        if self.carried_out:
            return f"{mine} is champion now, in the place of version {theirs.number}"
        return f"{mine} would become champion, in the place of version {theirs.number}"


def promote_challenger(settings: Settings, dry_run: bool) -> Promotion:
    """Hold the city's challenger against its champion, and move the alias if it is better.

    Args:
        settings: of the city, its data and ``promotion``.
        dry_run: decide, but write nothing to the registry.

    Raises:
        RegistryError: no such registered model, no champion, no challenger, or both are one.
        PromotionError: they cannot be held against each other.
        BundleError: a bundle cannot be read.
        DataError: network or slices are missing.
        TrackingError: the store does not answer.
    """
    workspace = Workspace.of(settings)
    store, name = Store.of(settings, workspace), registered_name(settings)
    client = registry_client(store, name)
    champion, challenger = current(client, name, CHAMPION), current(client, name, CHALLENGER)
    if champion.number == challenger.number:
        raise RegistryError(
            f"{champion} is champion and challenger, so there is nothing to decide; train another "
            "model: roadgraph train"
        )
    seed_spread = challenger.seed_spread(settings.promotion.metric)
    bundles = [
        read_bundle(fetched_bundle(client, version, workspace.registered(name)))
        for version in (champion, challenger)
    ]
    contest = _contest(bundles[0], bundles[1], settings, workspace)
    decision = decide(contest, settings.promotion, seed_spread)
    if not dry_run:
        with store.held():
            tag_decision(
                client,
                challenger,
                "promoted" if decision.promoted else "not promoted",
                decision.reasons,
                _figures(decision, contest, champion),
            )
            if decision.promoted:
                promote(client, challenger)
    titles = {CHAMPION: bundles[0].title, CHALLENGER: bundles[1].title}
    return Promotion(champion, challenger, titles, contest, decision, not dry_run)


def step_back(settings: Settings) -> tuple[Version, Version]:
    """Make the champion before the current one champion again; return both, the current one first.

    Raises:
        RegistryError: no such registered model, no champion, or none before it.
        TrackingError: the store does not answer.
    """
    workspace = Workspace.of(settings)
    store, name = Store.of(settings, workspace), registered_name(settings)
    client = registry_client(store, name)
    with store.held():
        return roll_back(client, name)


def _contest(
    champion: Bundle, challenger: Bundle, settings: Settings, workspace: Workspace
) -> Contest:
    network = read_network(workspace.network)
    dataset = load_dataset(settings, workspace, network)
    return hold_contest(champion, challenger, dataset, network, settings)


def _figures(decision: Decision, contest: Contest, champion: Version) -> dict[str, str]:
    """Return what is kept on the challenger's version beside the reasons."""
    of = decision.table.set_index("model")[decision.metric]
    return {
        "against": f"version {champion.number}",
        "judged from": contest.start.isoformat(),
        "judged until": contest.end.isoformat(),
        "metric": decision.metric,
        "figure of challenger": f"{of[CHALLENGER]:.6g}",
        "figure of champion": f"{of[CHAMPION]:.6g}",
        "ahead": f"{decision.ahead:.6g}",
        "needed": f"{decision.needed:.6g}",
    }
