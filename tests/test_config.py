import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from roadgraph import config
from roadgraph.config import (
    CONF,
    all_settings,
    group_file,
    load_settings,
    settings_from_dict,
    settings_to_dict,
)
from roadgraph.errors import SettingsError
from roadgraph.settings import Settings

WITH_DEFAULTS = sorted(path.parent.name for path in CONF.glob("*/default.yaml"))


def refused(*overrides: str) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(overrides)
    return str(error.value)


def refused_dict(content: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as error:
        settings_from_dict(content)
    return str(error.value)


@pytest.mark.parametrize("group", WITH_DEFAULTS)
def test_the_default_file_of_a_group_says_what_the_definitions_say(group: str) -> None:
    assert (CONF / group / "default.yaml").read_text("utf-8") == group_file(group)


def test_a_group_file_holds_every_setting_of_its_group_and_no_other() -> None:
    assert "training" in WITH_DEFAULTS
    for group in WITH_DEFAULTS:
        content = yaml.safe_load(group_file(group))
        keys = [row.key for row in all_settings() if row.key.startswith(f"{group}.")]
        assert [f"{group}.{name}" for name in content] == keys


def test_a_group_file_shows_doc_unit_and_range_above_the_value() -> None:
    expected = "# length of a slice; divides an hour (min) [1 to 60]\nminutes: 15\n"
    assert expected in group_file("slices")


def test_main_writes_the_group_files_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slices").mkdir()
    (tmp_path / "slices" / "default.yaml").write_text("stale")
    (tmp_path / "city").mkdir()
    monkeypatch.setattr(config, "CONF", tmp_path)
    config.main()
    assert (tmp_path / "slices" / "default.yaml").read_text("utf-8") == group_file("slices")
    assert list((tmp_path / "city").iterdir()) == []


def test_without_overrides_the_sample_city_is_loaded_with_the_defaults() -> None:
    settings = load_settings()
    assert settings.city.name == "sample"
    assert settings.city.timezone == "Asia/Bangkok"
    assert (settings.slices, settings.network) == (Settings().slices, Settings().network)


def test_an_override_sets_one_value_and_leaves_the_rest() -> None:
    settings = load_settings(["slices.minutes=5", "dataset.horizons_min=[15,30,45,60]"])
    assert settings.slices.minutes == 5
    assert settings.dataset.window == Settings().dataset.window


def test_an_override_of_a_group_takes_that_file() -> None:
    assert load_settings(["model=mlp"]).model.name == "mlp"
    assert load_settings(["model=gcn"]).model.name == "gcn"


def test_a_city_file_reaches_into_other_groups_and_an_override_beats_it() -> None:
    assert load_settings(["city=los_loop"]).slices.minutes == 5
    assert load_settings(["city=los_loop", "dataset.window=3"]).dataset.window == 3


def test_a_column_mapping_takes_new_keys_one_by_one_or_all_at_once() -> None:
    one = load_settings(["probes.columns.vehicle_id=taxi", "network.columns.segment_id=OBJECTID"])
    assert one.probes.columns == {"vehicle_id": "taxi"}
    assert one.network.columns == {"segment_id": "OBJECTID"}
    assert load_settings(["probes.columns={lat: y, lon: x}"]).probes.columns == {
        "lat": "y", "lon": "x",
    }  # fmt: skip


def test_settings_survive_the_way_through_yaml() -> None:
    settings = load_settings(["city=los_loop", "probes.columns.lat=y"])
    text = yaml.safe_dump(settings_to_dict(settings))
    assert settings_from_dict(yaml.safe_load(text)) == settings


def test_a_missing_conf_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no .*nothere/config\.yaml; run roadgraph from"):
        load_settings(conf=tmp_path / "nothere")


def test_a_word_that_sets_nothing_is_refused() -> None:
    assert refused("gcn") == "'gcn' is no setting; write key=value, such as model=gcn"


def test_a_misspelt_choice_is_refused_with_all_choices_and_the_nearest() -> None:
    message = refused("model=gnc")
    choices = "attention, gat, gcn, mlp, roadnet"
    assert message == f"model: no choice 'gnc' (there are {choices}); did you mean 'gcn'?"


def test_a_misspelt_key_is_refused_with_the_nearest_right_one() -> None:
    assert refused("training.max_epoch=3") == (
        "no setting 'training.max_epoch'; did you mean 'training.max_epochs'?"
    )
    assert refused("modle=gcn") == "no setting 'modle'; did you mean 'model'?"


def test_a_key_like_no_other_is_refused_without_a_guess() -> None:
    assert refused("qqqq=1") == "no setting 'qqqq'"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.max_epochs=[1", "settings cannot be read: no viable alternative"),
        ("city.name=${nothere}", "settings cannot be read: Interpolation key 'nothere' not found"),
        ("training.max_epochs=0", "training.max_epochs: must be at least 1 (found 0)"),
        ("training.learning_rate=nan", "training.learning_rate: must be at least 1e-06 (found nan"),
        ("dataset.train_share=0.95", "dataset.train_share: must be at most 0.9 (found 0.95)"),
        ("training.max_epochs=many", "training.max_epochs: Input should be a valid integer"),
        ("model.graph=circle", "model.graph: Input should be 'network' or 'self_loops' (found"),
        ("labels.relative_cuts=[0.5]", "labels.relative_cuts"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(override: str, message: str) -> None:
    assert message in refused(override)


def test_all_values_that_cannot_be_are_named_at_once() -> None:
    message = refused("training.max_epochs=0", "slices.minutes=61")
    assert "training.max_epochs: must be at least 1 (found 0)" in message
    assert "slices.minutes: must be at most 60 (found 61)" in message


def test_an_unknown_key_in_a_dictionary_is_refused_with_the_nearest_right_one() -> None:
    assert refused_dict({"training": {"max_epoch": 3}}) == (
        "no setting 'training.max_epoch'; did you mean 'training.max_epochs'?"
    )
    assert refused_dict({"trainin": {}}) == "no setting 'trainin'; did you mean 'training'?"


def test_an_unknown_key_in_a_file_of_conf_is_refused(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "city" / "sample.yaml").write_text("nam: mine\n")
    with pytest.raises(SettingsError, match=r"'city\.nam'; did you mean 'city\.name'"):
        load_settings(conf=conf)


def test_a_broken_file_of_conf_is_refused(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(CONF, conf)
    (conf / "city" / "sample.yaml").write_text("name: [mine\n")
    with pytest.raises(SettingsError, match=r"settings cannot be read: .*sample\.yaml.*line 1"):
        load_settings(conf=conf)


def test_a_value_in_the_place_of_a_group_is_refused() -> None:
    assert refused_dict({"training": 3}) == "settings: training must be a group (found 3)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"slices": {"minutes": 7}}, "slices.minutes: must divide 60 (found 7)"),
        ({"dataset": {"horizons_min": []}}, "dataset.horizons_min: must rise and not be empty"),
        (
            {"dataset": {"horizons_min": [30, 15]}},
            "dataset.horizons_min: must rise and not be empty (found [30, 15])",
        ),
        (
            {"dataset": {"horizons_min": [15, 15]}},
            "dataset.horizons_min: must rise and not be empty (found [15, 15])",
        ),
        (
            {"dataset": {"horizons_min": [15, 20]}},
            "dataset.horizons_min: 20 is no multiple of slices.minutes=15",
        ),
        (
            {"evaluation": {"report_horizons_min": [75]}},
            "evaluation.report_horizons_min: 75 is not in dataset.horizons_min",
        ),
        (
            {"dataset": {"train_share": 0.6, "validation_share": 0.4}},
            "dataset.train_share + dataset.validation_share: nothing left to test on",
        ),
        (
            {"labels": {"relative_cuts": [0.5, 0.25, 0.75]}},
            "labels.relative_cuts: must rise (found [0.5, 0.25, 0.75])",
        ),
        (
            {"labels": {"absolute_cuts_kph": [10, 10, 35]}},
            "labels.absolute_cuts_kph: must rise (found [10.0, 10.0, 35.0])",
        ),
        ({"model": {"tasks": []}}, "model.tasks: needs at least one task"),
        ({"model": {"tasks": ["speed", "speed"]}}, "model.tasks: names a task twice"),
        (
            {"model": {"speed_from": "typical"}, "dataset": {"history_channels": False}},
            "model.speed_from=typical: needs dataset.history_channels=true",
        ),
        (
            {"slices": {"minutes": 1}, "probes": {"max_gap_s": 61}},
            "probes.max_gap_s: must not be longer than a slice of 60 s (found 61)",
        ),
        (
            {"city": {"source": "detectors"}},
            "city.speeds: detectors need the table of their speeds",
        ),
        (
            {"pipeline": {"training_days": 6, "first_training_days": 7}},
            "pipeline.training_days: must not be less than pipeline.first_training_days=7",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    content: dict[str, Any], message: str
) -> None:
    assert message in refused_dict(content)


def test_a_gap_as_long_as_a_slice_and_shares_below_one_go_together() -> None:
    settings = settings_from_dict(
        {
            "probes": {"max_gap_s": 900},
            "dataset": {"train_share": 0.6, "validation_share": 0.39},
        }
    )
    assert settings.probes.max_gap_s == 900


def test_all_faults_between_settings_are_named_at_once() -> None:
    message = refused_dict({"model": {"tasks": []}, "city": {"source": "detectors"}})
    assert "model.tasks" in message
    assert "city.speeds" in message


def test_the_list_of_settings_has_key_type_default_and_definition() -> None:
    rows = {row.key: row for row in all_settings()}
    minutes = rows["slices.minutes"]
    assert (minutes.default, minutes.kind, minutes.setting.unit) == (15, "int", "min")
    assert rows["size"].kind == "Literal['simple', 'enhanced']"
    assert len(rows) == len(all_settings())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["evaluation.report_horizons_min=[]"], "report_horizons_min: must rise and not be empty"),
        (["evaluation.report_horizons_min=[30,15]"], "report_horizons_min: must rise"),
        (
            [f"training.{task}_weight=0" for task in ("congestion", "rush_hour", "speed")],
            "all weights of the model's tasks are 0",
        ),
        (
            ["city=sample", "task=estimate_hidden", "training.hidden_share=0.3"],
            "task=estimate_hidden: needs dataset.hidden_share above 0",
        ),
        (
            ["city=sample", "task=estimate_hidden", "dataset.hidden_share=0.3"],
            "task=estimate_hidden: needs training.hidden_share above 0",
        ),
        (
            ["training.hidden_share=0.3", "model.segment_embedding=8"],
            "model.segment_embedding: must be 0 with training.hidden_share above 0",
        ),
        (
            ["training.refit=true", "training.schedule=plateau"],
            "training.refit: needs another training.schedule than plateau",
        ),
        (["model.heads=3"], r"model\.heads: must divide 64 \(found 3\)"),
        (["city.name=''"], "city.name: names a folder"),
        (["city.name=../elsewhere"], "city.name: names a folder"),
        (["labels.rush_hour_clock=[[22,2]]"], r"rush_hour_clock: needs 0 <= start < end <= 24"),
        (["labels.rush_hour_clock=[[7,25]]"], r"rush_hour_clock: needs 0 <= start < end <= 24"),
        (["city.timezone=Mars"], r"city\.timezone: no time zone 'Mars'; use an IANA name"),
        (["city.speeds_timezone=Mars"], r"city\.speeds_timezone: no time zone 'Mars'"),
        (["probes.timezone=Mars"], r"probes\.timezone: no time zone 'Mars'"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(overrides)
