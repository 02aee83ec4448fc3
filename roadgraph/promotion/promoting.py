"""From the registry's champion and challenger to a decision, and from there to the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.calendar import ALL_DAYS, Days
from roadgraph.dataset.loading import load_dataset
from roadgraph.errors import PromotionError, RegistryError
from roadgraph.network.network import read_network
from roadgraph.predict.parts import network_difference
from roadgraph.promotion.contest import Contest, hold_contest
from roadgraph.promotion.decision import Decision, decide, decide_unopposed
from roadgraph.promotion.fetching import fetched_bundle
from roadgraph.tracking.registry import promote, roll_back, tag_decision
from roadgraph.tracking.store import Store
from roadgraph.tracking.versions import (
    CHALLENGER,
    CHAMPION,
    NEW_CHALLENGER,
    Version,
    aliases_of,
    current,
    registered_model,
    registered_name,
    registry_client,
)
from roadgraph.training.bundle import read_bundle
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from roadgraph.settings import Settings
    from roadgraph.training.bundle import Bundle


@dataclass(frozen=True)
class Promotion:
    """A decision between two versions.

    Attributes:
        champion, challenger: versions before the decision.
        titles: of their models, by alias.
        contest: what it rests on, or None where none could be held.
        decision: with its reasons.
        carried_out: whether it was written to the registry.
    """

    champion: Version
    challenger: Version
    titles: dict[str, str]
    contest: Contest | None
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


def promote_challenger(settings: Settings, dry_run: bool, days: Days = ALL_DAYS) -> Promotion:
    """Hold the city's challenger against its champion, and move the alias if it is better.

    A champion of another network than the current one can neither forecast nor be judged, so a
    challenger of the current one takes its place without a contest.

    Args:
        settings: of the city, its data and ``promotion``.
        dry_run: decide, but write nothing to the registry.
        days: whose slices are looked at.

    Raises:
        RegistryError: no such registered model, no champion, no challenger, or both are one.
        PromotionError: they cannot be held against each other, or somebody moved an alias
            meanwhile.
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
            f"{champion} is champion and challenger, so there is nothing to decide; "
            f"{NEW_CHALLENGER}"
        )
    seed_spread = challenger.seed_spread(settings.promotion.metric)
    old, new = (
        read_bundle(fetched_bundle(client, version, workspace.registered(name)))
        for version in (champion, challenger)
    )
    contest, decision = _decided(old, new, settings, workspace, seed_spread, days)
    titles = {CHAMPION: old.title, CHALLENGER: new.title}
    promotion = Promotion(champion, challenger, titles, contest, decision, not dry_run)
    if not dry_run:
        with store.held():
            _carry_out(client, promotion)
    return promotion


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


def _decided(
    champion: Bundle,
    challenger: Bundle,
    settings: Settings,
    workspace: Workspace,
    seed_spread: float | None,
    days: Days,
) -> tuple[Contest | None, Decision]:
    network = read_network(workspace.network)
    difference = network_difference(champion, network)
    if difference and not network_difference(challenger, network):
        return None, decide_unopposed(difference)
    dataset = load_dataset(settings, workspace, network, days)
    contest = hold_contest(champion, challenger, dataset, network, settings)
    return contest, decide(contest, settings.promotion, seed_spread)


def _carry_out(client: MlflowClient, promotion: Promotion) -> None:
    """Write a decision to the registry, whose store is held.

    Raises:
        PromotionError: it rests on versions that do not bear the aliases any more.
    """
    champion, challenger, decision = promotion.champion, promotion.challenger, promotion.decision
    now = aliases_of(registered_model(client, challenger.name))
    for alias, version in ((CHAMPION, champion), (CHALLENGER, challenger)):
        if now.get(alias) != version.number:
            raise PromotionError(
                f"the {alias} of {challenger.name} changed meanwhile, from version "
                f"{version.number} to {now.get(alias, 'none')}; run roadgraph promote again"
            )
    word = "promoted" if decision.promoted else "not promoted"
    tag_decision(client, challenger, word, decision.reasons, _kept(promotion))
    if decision.promoted:
        promote(client, challenger)


def _kept(promotion: Promotion) -> dict[str, str]:
    """Return what is kept on the challenger's version beside the reasons."""
    kept = {"against": f"version {promotion.champion.number}"}
    contest, figures = promotion.contest, promotion.decision.figures
    if contest is None or figures is None:
        return kept
    of = figures.table.set_index("model")[figures.metric]
    return kept | {
        "judged from": contest.start.isoformat(),
        "judged until": contest.end.isoformat(),
        "metric": figures.metric,
        "figure of challenger": f"{of[CHALLENGER]:.6g}",
        "figure of champion": f"{of[CHAMPION]:.6g}",
        "ahead": f"{figures.ahead:.6g}",
        "needed": f"{figures.needed:.6g}",
    }
