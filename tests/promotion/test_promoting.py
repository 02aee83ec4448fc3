"""The whole way from two registered models to a new champion and back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from roadgraph.comparison.baselines import baseline_makers
from roadgraph.errors import BundleError, DataError, PromotionError, RegistryError
from roadgraph.evaluation.boosting import NAME as BOOSTING
from roadgraph.promotion import contest, promoting
from roadgraph.promotion.contest import Contest, hold_contest
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
from tests.promotion.toy import figures_of
from tests.tracking.toy import registered_run, store_of


@pytest.fixture(autouse=True)
def _no_boosting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trees, which take seconds, stand in the contests of test_contest."""

    def others(*asked: Any) -> dict[str, Any]:
        return {name: make for name, make in baseline_makers(*asked).items() if name != BOOSTING}

    monkeypatch.setattr(contest, "baseline_makers", others)


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
    figures = figures_of(promotion.decision)
    shown = shown_promotion(promotion, figures, city.city)
    assert shown["model"].tolist() == [
        "champion, version 1: mlp-simple",
        "challenger, version 2: mlp-simple",
        "persistence",
        "historical average",
        "majority class",
    ]
    assert shown["log loss"].tolist()[2:] == ["-", "-", "-"]
    assert (shown["macro F1"] != "-").all()
    kph = shown["speed MAE"].replace("-", "nan").astype(float)
    mph = shown_promotion(promotion, figures, replace(city.city, speed_unit="mph"))["speed MAE"]
    pd.testing.assert_series_equal(
        mph.replace("-", "nan").astype(float), kph / 1.609344, atol=0.01, rtol=0
    )


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
    assert figures_of(promotion.decision).needed == 0.9


def test_the_metric_of_the_settings_decides(city: Settings, poor: Path, good: Path) -> None:
    registered_run(city, poor)
    registered_run(city, good)
    of_speed = replace(city, promotion=PromotionSettings(metric="speed_mae_kph"))
    promotion = promote_challenger(of_speed, dry_run=True)
    assert figures_of(promotion.decision).ahead == 0, "their speeds are the same"
    assert not promotion.decision.promoted


def test_a_champion_without_another_challenger_leaves_nothing_to_decide(
    city: Settings, good: Path
) -> None:
    registered_run(city, good)
    with pytest.raises(
        RegistryError,
        match=r"is champion and challenger, so there is nothing to decide; newer slices or other "
        r"settings make a challenger .*gets no second one",
    ):
        promote_challenger(city, dry_run=False)


def test_without_a_challenger_there_is_nothing_to_decide(
    city: Settings, promotion: Promotion
) -> None:
    del promotion
    with pytest.raises(
        RegistryError, match="'toy' has no challenger; newer slices or other settings"
    ):
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


def of_another_network(bundle: Path) -> None:
    """Change a bundle so that it was trained with a segment which is no more."""
    network = bundle / "network.json"
    content = json.loads(network.read_text("utf-8"))
    content["fingerprint"], content["segment_ids"][-1] = "x", "gone"
    network.write_text(json.dumps(content), "utf-8")


@pytest.fixture
def changed_roads(city: Settings, good: Path, poor: Path) -> Settings:
    """A city whose champion does not fit its roads any more, and whose challenger does."""
    of_another_network(good)
    registered_run(city, good)
    registered_run(city, poor)
    return city


def test_a_champion_of_another_network_gives_way_without_a_contest(changed_roads: Settings) -> None:
    promotion = promote_challenger(changed_roads, dry_run=False)
    assert promotion.decision.promoted
    assert promotion.contest is None
    assert promotion.decision.figures is None
    assert promotion.outcome == "version 2 of toy is champion now, in the place of version 1"
    assert aliases(changed_roads) == {CHAMPION: "2"}
    (reason,) = promotion.decision.reasons
    assert "1 segments are missing (such as 'gone') and 1 segments are new (such as 'C')" in reason
    tags = version(changed_roads, "2").tags
    assert {name: tags[name] for name in tags if name.startswith("promotion/")} == {
        "promotion/entered": tags["promotion/entered"],
        "promotion/at": tags["promotion/at"],
        "promotion/decision": "promoted",
        "promotion/reason 1": reason,
        "promotion/against": "version 1",
    }
    assert [each.number for each in step_back(changed_roads)] == ["2", "1"]


def test_a_dry_run_without_a_contest_changes_nothing_either(changed_roads: Settings) -> None:
    promotion = promote_challenger(changed_roads, dry_run=True)
    assert promotion.decision.promoted
    assert promotion.outcome.startswith("version 2 of toy would become champion")
    assert aliases(changed_roads) == {CHAMPION: "1", CHALLENGER: "2"}
    assert "promotion/decision" not in version(changed_roads, "2").tags


def test_where_the_challenger_does_not_fit_the_roads_it_is_refused(
    city: Settings, good: Path, poor: Path
) -> None:
    registered_run(city, good)
    of_another_network(poor)
    registered_run(city, poor)
    with pytest.raises(PromotionError, match="the challenger, mlp-simple, was trained on another"):
        promote_challenger(city, dry_run=False)
    of_another_network(good)
    registered_run(city, poor)
    registry_client(store_of(city), "toy").set_registered_model_alias("toy", CHAMPION, "2")
    with pytest.raises(PromotionError, match="the champion, mlp-simple, was trained on another"):
        promote_challenger(city, dry_run=False)


@pytest.mark.parametrize(
    ("alias", "moved_to", "message"),
    [
        (
            CHAMPION,
            "2",
            "the champion of toy changed meanwhile, from version 1 to 2; run roadgraph",
        ),
        (CHALLENGER, "1", "the challenger of toy changed meanwhile, from version 2 to 1; run road"),
        (CHALLENGER, "", "the challenger of toy changed meanwhile, from version 2 to none; run"),
    ],
)
def test_who_moves_an_alias_during_the_contest_ends_it_and_nothing_is_written(
    city: Settings,
    poor: Path,
    good: Path,
    monkeypatch: pytest.MonkeyPatch,
    alias: str,
    moved_to: str,
    message: str,
) -> None:
    registered_run(city, poor)
    registered_run(city, good)
    client = registry_client(store_of(city), "toy")

    def held(*asked: Any) -> Contest:
        if moved_to:
            client.set_registered_model_alias("toy", alias, moved_to)
        else:
            client.delete_registered_model_alias("toy", alias)
        return hold_contest(*asked)

    monkeypatch.setattr(promoting, "hold_contest", held)
    before = version(city, "2").tags
    with pytest.raises(PromotionError, match=message):
        promote_challenger(city, dry_run=False)
    expected = {CHAMPION: "1", CHALLENGER: "2"} | {alias: moved_to}
    assert aliases(city) == {name: number for name, number in expected.items() if number}
    assert version(city, "2").tags == before
