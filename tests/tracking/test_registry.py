"""The registry in an MLflow store in a file."""

import json

import pytest
from mlflow import MlflowClient

from roadgraph.errors import RegistryError, TrackingError
from roadgraph.settings import Settings
from roadgraph.tracking.registry import (
    ENTERED_TAG,
    LINE_TAG,
    STEPPED_BACK_TAG,
    TAG_CHARACTERS,
    promote,
    register,
    roll_back,
    tag_decision,
)
from roadgraph.tracking.versions import CHALLENGER, CHAMPION, aliases_of, find_version
from tests.tracking.toy import finished_run, registered_run, store_of

NAME = "toy"


@pytest.fixture
def client(settings: Settings) -> MlflowClient:
    return store_of(settings).client()


def aliases(client: MlflowClient) -> dict[str, str]:
    return aliases_of(client.get_registered_model(NAME))


def line(client: MlflowClient) -> list[int]:
    return list(json.loads(client.get_registered_model(NAME).tags[LINE_TAG]))


def promoted(settings: Settings, client: MlflowClient, count: int) -> None:
    """Register so many versions, each of which becomes champion."""
    for _ in range(count):
        promote(client, find_version(client, NAME, registered_run(settings)))


def test_the_first_version_is_champion_and_challenger_and_says_why(
    settings: Settings, client: MlflowClient
) -> None:
    assert registered_run(settings, tags={"task": "forecast"}) == "1"
    assert aliases(client) == {CHAMPION: "1", CHALLENGER: "1"}
    assert line(client) == [1]
    tags = find_version(client, NAME, "1").tags
    assert tags["task"] == "forecast"
    assert tags["promotion/decision"] == "promoted"
    assert "there was no champion" in tags["promotion/reason 1"]


def test_a_later_version_is_challenger_alone(settings: Settings, client: MlflowClient) -> None:
    assert [registered_run(settings) for _ in range(3)] == ["1", "2", "3"]
    assert aliases(client) == {CHAMPION: "1", CHALLENGER: "3"}
    assert "promotion/decision" not in find_version(client, NAME, "3").tags


def test_a_run_has_one_version_however_often_it_is_registered(
    settings: Settings, client: MlflowClient
) -> None:
    registered_run(settings)
    run_id = finished_run(settings)
    assert register(client, NAME, "runs:/x/bundle", run_id, {}) == "2"
    promote(client, find_version(client, NAME, "2"))
    assert register(client, NAME, "runs:/x/bundle", run_id, {}) == "2"
    assert aliases(client) == {CHAMPION: "2"}, "what was promoted is no challenger again"
    assert len(client.search_model_versions(f"name='{NAME}'")) == 2


def test_the_tags_of_a_version_are_brought_up_to_date(
    settings: Settings, client: MlflowClient
) -> None:
    run_id = finished_run(settings)
    early = {"task": "forecast", "seeds": "1"}
    assert register(client, NAME, "runs:/x/bundle", run_id, early) == "1"
    late = {"seeds": "1, 2, 3", "spread/macro_f1": "0.02"}
    assert register(client, NAME, "runs:/x/bundle", run_id, late) == "1"
    version = find_version(client, NAME, "1")
    assert {name: version.tags[name] for name in {**early, **late}} == {**early, **late}
    assert version.seed_spread("macro_f1") == 0.02
    assert version.tags["promotion/decision"] == "promoted"


def test_a_run_may_have_a_version_in_two_registered_models(
    settings: Settings, client: MlflowClient
) -> None:
    run_id = finished_run(settings)
    assert register(client, NAME, "runs:/x/bundle", run_id, {}) == "1"
    assert register(client, "other", "runs:/x/bundle", run_id, {}) == "1"
    assert register(client, NAME, "runs:/x/bundle", run_id, {}) == "1"


def test_a_registration_that_was_cut_off_is_completed_by_the_next_call(
    settings: Settings, client: MlflowClient
) -> None:
    run_id = finished_run(settings)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, "runs:/x/bundle", run_id)
    assert register(client, NAME, "runs:/x/bundle", run_id, {}) == "1"
    assert aliases(client) == {CHAMPION: "1", CHALLENGER: "1"}
    assert ENTERED_TAG in find_version(client, NAME, "1").tags


def test_a_promotion_moves_the_alias_and_remembers_the_champion_before(
    settings: Settings, client: MlflowClient
) -> None:
    registered_run(settings)
    promote(client, find_version(client, NAME, registered_run(settings)))
    assert aliases(client) == {CHAMPION: "2"}
    assert line(client) == [1, 2]


def test_a_promotion_leaves_another_challenger_alone(
    settings: Settings, client: MlflowClient
) -> None:
    for _ in range(3):
        registered_run(settings)
    promote(client, find_version(client, NAME, "2"))
    assert aliases(client) == {CHAMPION: "2", CHALLENGER: "3"}


def test_steps_back_go_on_until_there_is_none_left(
    settings: Settings, client: MlflowClient
) -> None:
    promoted(settings, client, 3)
    old, new = roll_back(client, NAME)
    assert (old.number, new.number) == ("3", "2")
    assert aliases(client)[CHAMPION] == "2"
    assert find_version(client, NAME, "3").tags[STEPPED_BACK_TAG].startswith("to version 2 at 20")
    old, new = roll_back(client, NAME)
    assert (old.number, new.number) == ("2", "1")
    assert line(client) == [1]
    with pytest.raises(RegistryError, match="version 1 of toy is champion, and there is none bef"):
        roll_back(client, NAME)


def test_who_moved_the_alias_by_hand_can_step_back_to_the_champion_before(
    settings: Settings, client: MlflowClient
) -> None:
    promoted(settings, client, 2)
    client.set_registered_model_alias(NAME, CHAMPION, registered_run(settings))
    assert [version.number for version in roll_back(client, NAME)] == ["3", "2"]
    assert line(client) == [1, 2]


def test_an_alias_that_was_moved_back_by_hand_counts_as_a_step_back(
    settings: Settings, client: MlflowClient
) -> None:
    promoted(settings, client, 3)
    client.set_registered_model_alias(NAME, CHAMPION, "2")
    assert [version.number for version in roll_back(client, NAME)] == ["2", "1"]


def test_a_promotion_after_a_move_by_hand_remembers_the_moved_one(
    settings: Settings, client: MlflowClient
) -> None:
    for _ in range(3):
        registered_run(settings)
    client.set_registered_model_alias(NAME, CHAMPION, "2")
    promote(client, find_version(client, NAME, "3"))
    assert line(client) == [1, 2, 3]


def test_a_deleted_champion_is_stepped_over(settings: Settings, client: MlflowClient) -> None:
    promoted(settings, client, 3)
    client.delete_model_version(NAME, "2")
    assert [version.number for version in roll_back(client, NAME)] == ["3", "1"]


def test_without_the_alias_there_is_no_champion_to_step_back_from(
    settings: Settings, client: MlflowClient
) -> None:
    promoted(settings, client, 2)
    client.delete_registered_model_alias(NAME, CHAMPION)
    with pytest.raises(RegistryError, match="'toy' has no champion; set the alias"):
        roll_back(client, NAME)
    assert registered_run(settings) == "3"
    assert CHAMPION not in aliases(client), "who took the alias away meant it"


def test_a_line_that_is_no_list_is_an_error_that_names_the_tag(
    settings: Settings, client: MlflowClient
) -> None:
    registered_run(settings)
    client.set_registered_model_tag(NAME, LINE_TAG, "one, two")
    with pytest.raises(RegistryError, match=r"tag 'promotion/champions' is no list .*'one, two'"):
        roll_back(client, NAME)


def test_a_new_decision_takes_the_place_of_the_one_before(
    settings: Settings, client: MlflowClient
) -> None:
    registered_run(settings)
    version = find_version(client, NAME, "1")
    tag_decision(client, version, "not promoted", ["one", "two"], {"ahead": "0.1", "needed": "1"})
    again = find_version(client, NAME, "1")
    tag_decision(client, again, "promoted", ["x" * (TAG_CHARACTERS + 1)], {"ahead": "0.2"})
    tags = find_version(client, NAME, "1").tags
    assert tags["promotion/decision"] == "promoted"
    assert tags["promotion/ahead"] == "0.2"
    assert tags["promotion/reason 1"] == "x" * TAG_CHARACTERS
    assert "promotion/reason 2" not in tags
    assert "promotion/needed" not in tags
    assert ENTERED_TAG in tags
    assert tags["promotion/at"].startswith("20")


def test_a_server_that_does_not_answer_is_an_error_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = MlflowClient("http://me:hunter2@127.0.0.1:9", "http://me:hunter2@127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"store http://me:\*\*\*@127.0.0.1:9 cannot be") as it:
        register(away, NAME, "runs:/x/bundle", "x", {})
    assert "hunter2" not in str(it.value)
