"""Which models are held against each other, and what is said of the others."""

from dataclasses import replace

import pytest

from roadgraph.dataset.dataset import Dataset, build_dataset
from roadgraph.dataset.loading import road_graph_of
from roadgraph.errors import PromotionError
from roadgraph.promotion.likeness import refuse_unlike
from roadgraph.settings import Settings
from roadgraph.tracking.versions import CHALLENGER, CHAMPION
from roadgraph.training.bundle import Bundle
from tests.comparison.toy import quick_settings
from tests.dataset.toy import grid_of, waves
from tests.promotion.toy import bundle_of
from tests.toy import crossroads_network, straight_network

NETWORK = straight_network()
SETTINGS = quick_settings(training={"max_epochs": 1})


def dataset_of(settings: Settings) -> Dataset:
    grid = replace(grid_of(waves(400, 3)), segment_ids=tuple(NETWORK.segment_ids))
    return build_dataset(grid, NETWORK.segments, road_graph_of(NETWORK), settings)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of(SETTINGS)


@pytest.fixture(scope="module")
def bundle(dataset: Dataset) -> Bundle:
    return bundle_of(dataset, SETTINGS)


def with_setting(bundle: Bundle, group: str, **values: object) -> Bundle:
    changed = {**bundle.settings[group], **values}
    return replace(bundle, settings={**bundle.settings, group: changed})


def refuse(
    champion: Bundle, challenger: Bundle, dataset: Dataset, settings: Settings = SETTINGS
) -> None:
    refuse_unlike({CHAMPION: champion, CHALLENGER: challenger}, dataset, NETWORK, settings)


def test_models_of_one_kind_may_differ_in_all_else(dataset: Dataset, bundle: Bundle) -> None:
    other = with_setting(bundle, "dataset", window=6, fill="mean", hidden_share=0.5)
    refuse(bundle, replace(other, window=6, title="gat-enhanced"), dataset)


def test_another_network_is_refused_with_whose_it_is(dataset: Dataset, bundle: Bundle) -> None:
    both = {CHAMPION: bundle, CHALLENGER: bundle}
    with pytest.raises(
        PromotionError,
        match=r"the champion, mlp-simple, was trained on another network: 3 segments are missing",
    ):
        refuse_unlike(both, dataset, crossroads_network(), SETTINGS)
    other = replace(bundle, network_fingerprint="x")
    with pytest.raises(PromotionError, match=r"the challenger, mlp-simple, .* but other links"):
        refuse(bundle, other, dataset)


def test_models_of_different_kinds_are_refused(dataset: Dataset, bundle: Bundle) -> None:
    now, other_rule = bundle.settings["labels"]["rush_hour"], "clock"
    assert now != other_rule
    others = {
        "task is forecast of the champion and estimate_hidden": replace(
            bundle, settings={**bundle.settings, "task": "estimate_hidden"}
        ),
        "slices.minutes is 15 of the champion and 5": replace(bundle, slice_minutes=5),
        r"dataset.horizons_min is \[15,30\] of the champion and \[15,30,45\]": replace(
            bundle, horizons=(1, 2, 3)
        ),
        f"labels.rush_hour is {now} of the champion and {other_rule}": with_setting(
            bundle, "labels", rush_hour=other_rule
        ),
    }
    for message, other in others.items():
        with pytest.raises(PromotionError, match=message):
            refuse(bundle, other, dataset)


def test_settings_of_another_kind_than_both_models_are_refused(bundle: Bundle) -> None:
    longer = quick_settings(dataset={"horizons_min": [15, 30, 45]})
    with pytest.raises(
        PromotionError, match=r"both models have dataset.horizons_min=\[15,30\], the settings "
    ):
        refuse(bundle, bundle, dataset_of(longer), longer)
    clock = quick_settings(labels={"rush_hour": "clock"})
    with pytest.raises(
        PromotionError, match=r"both models have labels.rush_hour=.*, the settings clock; set"
    ):
        refuse(bundle, bundle, dataset_of(clock), clock)


def test_models_older_than_a_setting_of_the_labels_are_refused(
    dataset: Dataset, bundle: Bundle
) -> None:
    labels = {
        name: value for name, value in bundle.settings["labels"].items() if name != "rush_hour"
    }
    old = replace(bundle, settings={**bundle.settings, "labels": labels})
    with pytest.raises(PromotionError, match=r"labels\.rush_hour is None of the champion and"):
        refuse(old, bundle, dataset)


def test_a_challenger_that_lacks_a_task_of_the_champion_is_refused(
    dataset: Dataset, bundle: Bundle
) -> None:
    fewer = replace(bundle, options=replace(bundle.options, tasks=("congestion",)))
    with pytest.raises(
        PromotionError, match="challenger does not forecast rush_hour and speed, which the champion"
    ):
        refuse(bundle, fewer, dataset)
    refuse(fewer, bundle, dataset)  # more is no harm


def test_models_of_other_hidden_segments_are_refused_where_those_are_estimated() -> None:
    settings = replace(quick_settings(dataset={"hidden_share": 0.34}), task="estimate_hidden")
    dataset = dataset_of(settings)
    bundle = bundle_of(dataset, settings)
    refuse(bundle, bundle, dataset, settings)
    for name, value in (("hidden_share", 0.67), ("hidden_seed", 7)):
        other = with_setting(bundle, "dataset", **{name: value})
        with pytest.raises(PromotionError, match=f"dataset.{name} is .* and {value} of the chall"):
            refuse(bundle, other, dataset, settings)
        with pytest.raises(PromotionError, match=f"both models have dataset.{name}={value}, the"):
            refuse(other, other, dataset, settings)
