"""The whole way from two registered models to a new champion and back."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from roadgraph.errors import BundleError, DataError, RegistryError
from roadgraph.promotion.promoting import Promotion, promote_challenger, step_back
from roadgraph.promotion.shown import shown_promotion
from roadgraph.settings import PromotionSettings, Settings
from roadgraph.tracking.versions import (
    CHALLENGER,
    CHAMPION,
    Version,
    aliases_of,
    find_version,
    registered_model,
    registry_client,
)
from tests.tracking.toy import registered_run, store_of


def aliases(settings: Settings) -> dict[str, str]:
    client = registry_client(store_of(settings), "toy")
    return aliases_of(registered_model(client, "toy"))


def version(settings: Settings, number: str) -> Version:
    return find_version(registry_client(store_of(settings), "toy"), "toy", number)


@pytest.fixture
def promotion(city: Settings, poor: Path, good: Path) -> Promotion:
    """The one with which the good challenger took the poor champion's place."""
    registered_run(city, poor)
    registered_run(city, good, {"spread/macro_f1": "0.001"})
    return promote_challenger(city, dry_run=False)


def test_a_better_challenger_becomes_champion_and_its_version_says_why(
    city: Settings, promotion: Promotion
) -> None:
    assert promotion.decision.promoted
    assert promotion.outcome == ("version 2 of toy is champion now, in the place of version 1")
    assert aliases(city) == {CHAMPION: "2"}
    tags = version(city, "2").tags
    assert tags["promotion/decision"] == "promoted"
    assert tags["promotion/reason 1"] == promotion.decision.reasons[0]
    assert tags["promotion/against"] == "version 1"
    assert tags["promotion/metric"] == "macro_f1"
    assert float(tags["promotion/figure of challenger"]) > float(
        tags["promotion/figure of champion"]
    )
    assert float(tags["promotion/ahead"]) > float(tags["promotion/needed"]) >= 0.001
    # The toy's slices end on Friday at midnight; a quarter of five days is less than three days.
    assert tags["promotion/judged from"] == "2026-01-08T18:00:00+07:00"
    assert tags["promotion/judged until"] == "2026-01-10T00:00:00+07:00"


def test_the_table_has_both_models_and_the_baselines(city: Settings, promotion: Promotion) -> None:
    shown = shown_promotion(promotion, city.city)
    assert shown["model"].tolist() == [
        "champion, version 1: mlp-simple",
        "challenger, version 2: mlp-simple",
        "persistence",
        "historical average",
    ]
    assert shown["log loss"].tolist()[2:] == ["-", "-"]
    assert (shown["macro F1"] != "-").all()
    kph = shown["speed MAE"].astype(float)
    mph = shown_promotion(promotion, replace(city.city, speed_unit="mph"))["speed MAE"]
    pd.testing.assert_series_equal(mph.astype(float), kph / 1.609344, atol=0.01, rtol=0)


def test_a_step_back_says_from_which_to_which(city: Settings, promotion: Promotion) -> None:
    del promotion
    assert [each.number for each in step_back(city)] == ["2", "1"]
    assert aliases(city) == {CHAMPION: "1"}


def test_a_dry_run_decides_but_changes_nothing(city: Settings, poor: Path, good: Path) -> None:
    registered_run(city, poor)
    registered_run(city, good)
    before = version(city, "2").tags
    promotion = promote_challenger(city, dry_run=True)
    assert promotion.decision.promoted
    assert promotion.outcome == (
        "version 2 of toy would become champion, in the place of version 1"
    )
    assert aliases(city) == {CHAMPION: "1", CHALLENGER: "2"}
    assert version(city, "2").tags == before


def test_a_worse_challenger_stays_one_and_is_told_why(
    city: Settings, poor: Path, good: Path
) -> None:
    registered_run(city, good)
    registered_run(city, poor)
    promotion = promote_challenger(city, dry_run=False)
    assert not promotion.decision.promoted
    assert promotion.outcome == ("version 2 of toy stays challenger; version 1 stays champion")
    assert aliases(city) == {CHAMPION: "1", CHALLENGER: "2"}
    tags = version(city, "2").tags
    assert tags["promotion/decision"] == "not promoted"
    assert "worse by" in tags["promotion/reason 1"]


def test_a_spread_over_the_seeds_that_is_larger_than_the_difference_forbids_it(
    city: Settings, poor: Path, good: Path
) -> None:
    registered_run(city, poor)
    registered_run(city, good, {"spread/macro_f1": "0.9"})
    promotion = promote_challenger(city, dry_run=True)
    assert not promotion.decision.promoted
    assert promotion.decision.needed == 0.9


def test_the_metric_of_the_settings_decides(city: Settings, poor: Path, good: Path) -> None:
    registered_run(city, poor)
    registered_run(city, good)
    of_speed = replace(city, promotion=PromotionSettings(metric="speed_mae_kph"))
    promotion = promote_challenger(of_speed, dry_run=True)
    assert promotion.decision.ahead == 0, "their speeds are the same"
    assert not promotion.decision.promoted


def test_a_champion_without_another_challenger_leaves_nothing_to_decide(
    city: Settings, good: Path
) -> None:
    registered_run(city, good)
    with pytest.raises(RegistryError, match="is champion and challenger, so there is nothing to"):
        promote_challenger(city, dry_run=False)


def test_without_a_challenger_there_is_nothing_to_decide(
    city: Settings, promotion: Promotion
) -> None:
    del promotion
    with pytest.raises(RegistryError, match="'toy' has no challenger; train a model"):
        promote_challenger(city, dry_run=False)


def test_without_a_registered_model_it_says_to_train_one(city: Settings) -> None:
    with pytest.raises(RegistryError, match="no registered model 'toy'; train one"):
        promote_challenger(city, dry_run=False)
    with pytest.raises(RegistryError, match="no registered model 'toy'; train one"):
        step_back(city)


def test_an_older_bundle_that_does_not_say_what_it_has_seen_is_refused(
    city: Settings, good: Path, poor: Path
) -> None:
    features = good / "features.json"
    features.write_text(features.read_text("utf-8").replace('"seen"', '"once"'), "utf-8")
    registered_run(city, good)
    registered_run(city, poor)
    with pytest.raises(BundleError, match="does not say which time it has seen"):
        promote_challenger(city, dry_run=False)


def test_without_slices_it_says_what_to_do(city: Settings, good: Path, poor: Path) -> None:
    registered_run(city, good)
    registered_run(city, poor)
    with pytest.raises(DataError, match="holds slices of 15 minutes, not 30"):
        promote_challenger(replace(city, slices=replace(city.slices, minutes=30)), dry_run=False)
