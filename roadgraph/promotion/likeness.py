"""What two models must have in common, with each other and with the settings, to be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roadgraph.config import settings_to_dict
from roadgraph.errors import PromotionError
from roadgraph.predict.parts import network_difference
from roadgraph.tracking.versions import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.training.bundle import Bundle

    Bundles = Mapping[str, Bundle]


def refuse_unlike(bundles: Bundles, dataset: Dataset, network: Network, settings: Settings) -> None:
    """Refuse models that cannot be held against each other on these data.

    Args:
        bundles: champion and challenger, by alias.
        dataset: that both would be judged on.
        network: of it.
        settings: of it.

    Raises:
        PromotionError: another network, task, slice length, other horizons or labels, tasks that
            the challenger lacks, or, where hidden segments are estimated, other hidden segments;
            the message says whose and how they differ.
    """
    for role, bundle in bundles.items():
        difference = network_difference(bundle, network)
        if difference:
            raise PromotionError(
                f"the {role}, {bundle.title}, was trained on another network: {difference}; train "
                "a model on this one: roadgraph train"
            )
    for name, (now, of) in _shared(bundles, dataset, settings).items():
        if of[CHAMPION] != of[CHALLENGER]:
            raise PromotionError(
                f"champion and challenger cannot be held against each other: {name} is "
                f"{of[CHAMPION]} of the champion and {of[CHALLENGER]} of the challenger; train a "
                "challenger of the champion's kind, or move the alias in the MLflow pages"
            )
        if of[CHAMPION] != now:
            raise PromotionError(
                f"both models have {name}={of[CHAMPION]}, the settings {now}; set "
                f"{name}={of[CHAMPION]}"
            )
    mine = bundles[CHALLENGER].options.tasks
    lacking = [task for task in bundles[CHAMPION].options.tasks if task not in mine]
    if lacking:
        raise PromotionError(
            f"the challenger does not forecast {' and '.join(lacking)}, which the champion does; "
            "train one with the champion's model.tasks, or move the alias in the MLflow pages"
        )


def _shared(
    bundles: Bundles, dataset: Dataset, settings: Settings
) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return what must be one, by the name of its setting: now, and of each model."""

    def of(value: Callable[[Bundle], Any]) -> dict[str, Any]:
        return {role: value(bundle) for role, bundle in bundles.items()}

    minutes = dataset.grid.slice_minutes
    shared = {
        "task": (dataset.task, of(lambda bundle: bundle.settings["task"])),
        "slices.minutes": (minutes, of(lambda bundle: bundle.slice_minutes)),
        "dataset.horizons_min": (
            _in_minutes(dataset.horizons, minutes),
            of(lambda bundle: _in_minutes(bundle.horizons, bundle.slice_minutes)),
        ),
    }
    for name, now in settings_to_dict(settings)["labels"].items():
        # A model may be older than a setting of the labels.
        found = of(lambda bundle, name=name: bundle.settings["labels"].get(name))  # type: ignore[misc]
        shared[f"labels.{name}"] = (now, found)
    if dataset.task == "estimate_hidden":
        # Other hidden segments than those of a model may be among those it has learned from.
        for name in ("hidden_share", "hidden_seed"):
            found = of(lambda bundle, name=name: bundle.settings["dataset"][name])  # type: ignore[misc]
            shared[f"dataset.{name}"] = (getattr(settings.dataset, name), found)
    return shared


def _in_minutes(horizons: tuple[int, ...], slice_minutes: int) -> str:
    return f"[{','.join(str(step * slice_minutes) for step in horizons)}]"
