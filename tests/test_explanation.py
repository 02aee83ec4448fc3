import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from roadgraph import explanation
from roadgraph.errors import SettingsError
from roadgraph.explanation import NO_MAP, NOTHING_TO_DRAW, run_explanation
from roadgraph.network.network import write_network
from roadgraph.prediction import Given
from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.settings import Settings
from roadgraph.training.bundle import Bundle
from roadgraph.workspace import Workspace
from tests.predict.toy import (
    END,
    NETWORK,
    SETTINGS,
    bundle_of,
    stored_city,
    trained_bundle,
)

STEM = f"{END:%Y%m%dT%H%MZ}-30min"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return trained_bundle(SETTINGS)


@pytest.fixture
def city(bundle: Bundle, tmp_path: Path) -> Settings:
    return stored_city(bundle, tmp_path)


def test_a_forecast_is_explained_in_words_a_file_and_a_map(city: Settings) -> None:
    found = run_explanation(city, "B", bundle_folder=bundle_of(city))
    folder = Workspace.of(city).explanations
    assert found.files == tuple(folder / f"B-{STEM}.{kind}" for kind in ("json", "png", "svg"))
    assert sorted(folder.iterdir()) == sorted(found.files)
    assert found.words[0].startswith("The forecast of gcn-simple for B, from ")
    assert found.registered is None
    told = json.loads(found.files[0].read_text("utf-8"))
    assert told["words"] == list(found.words)
    assert told["made_by"]["bundle"] == "gcn-simple"
    assert told["issued_at"] == f"{END:%Y-%m-%dT%H:%M:%SZ}"
    assert told["slice_start"] == f"{END + pd.Timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}"
    assert (told["segment_id"], told["name"], told["basis"]) == ("B", None, "observations")
    speed, congestion = told["accounts"]
    assert (speed["unit"], congestion["unit"]) == ("km/h", "1")
    assert congestion["answered"] == told["congestion"]
    assert list(told["probabilities"]) == list(CONGESTION_CLASSES)
    assert sum(told["probabilities"].values()) == pytest.approx(1)
    assert told["probabilities"][told["congestion"]] == told["probability"]
    for account in told["accounts"]:
        assert account["segments"][0]["segment_id"] == "B"
        assert len(account["segments"]) == account["segments_heard"] == 3
        moved = sum(each["moved"] for each in account["segments"])
        assert moved == pytest.approx(sum(account["by_relation"].values()))
        parts = sum(value for each in account["segments"] for value in each["moved_by"].values())
        assert parts == pytest.approx(moved)
        total = account["ordinary_week"] + account["time_of_week"] + moved - account["gap"]
        assert total == pytest.approx(account["answer"])


def test_time_and_horizon_may_be_asked_for(city: Settings) -> None:
    at = (END - pd.Timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    found = run_explanation(city, "A", 60, bundle_of(city), given=Given(at=at))
    assert found.explanation.horizon_min == 60
    assert found.explanation.issued_at == END - pd.Timedelta(hours=2)
    assert found.files[0].name == f"A-{END - pd.Timedelta(hours=2):%Y%m%dT%H%MZ}-60min.json"


def test_where_nothing_moved_a_forecast_that_is_said_and_no_older_map_stays(
    city: Settings,
) -> None:
    later = END + pd.Timedelta(hours=9)
    folder = Workspace.of(city).explanations
    folder.mkdir()
    older = [folder / f"B-{later:%Y%m%dT%H%MZ}-30min.{kind}" for kind in ("png", "svg")]
    for file in older:
        file.touch()
    found = run_explanation(city, "B", None, bundle_of(city), given=Given(at=later.isoformat()))
    assert found.words[-1] == NOTHING_TO_DRAW
    assert [file.suffix for file in found.files] == [".json"]
    assert list(folder.iterdir()) == list(found.files)
    told = json.loads(found.files[0].read_text("utf-8"))
    assert (told["basis"], told["accounts"]) == ("history", [])
    assert told["probabilities"] is None


def test_without_geometry_there_are_words_alone(city: Settings) -> None:
    segments = NETWORK.segments.assign(geometry=None)
    write_network(replace(NETWORK, segments=segments), Workspace.of(city).network)
    found = run_explanation(city, "B", bundle_folder=bundle_of(city))
    assert found.words[-1] == NO_MAP
    assert [file.suffix for file in found.files] == [".json"]


def test_a_segment_that_does_not_exist_is_refused_before_anything_is_read(city: Settings) -> None:
    with pytest.raises(SettingsError, match=r"--segment D: .* nearest to it are 'A', 'B', 'C'"):
        run_explanation(city, "D", bundle_folder=Path("nowhere"))


def test_an_id_that_no_file_may_be_called_names_its_file_all_the_same(
    city: Settings, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run_explanation(city, "B", bundle_folder=bundle_of(city)).explanation
    ways = {"way/1": "way%2F1", "../B": "..%2FB", "a b.c": "a%20b.c"}
    for segment_id, expected in ways.items():
        other = replace(found, segment_id=segment_id)
        monkeypatch.setattr(explanation, "explain_forecast", lambda *_, other=other: other)
        named = run_explanation(city, "B", bundle_folder=bundle_of(city))
        names = [file.name for file in named.files]
        assert names == [f"{expected}-{STEM}.{kind}" for kind in ("json", "png", "svg")]
        assert all(file.is_file() for file in named.files)


def test_an_id_longer_than_a_files_name_is_cut_and_stays_one_of_its_own(city: Settings) -> None:
    found = run_explanation(city, "B", bundle_folder=bundle_of(city)).explanation
    names = {explanation._file_name(replace(found, segment_id="ถ" * 30 + end)) for end in "ab"}
    assert len(names) == 2
    for name in names:
        assert name.startswith("%E0%B8%96%E0%B8%96")
        assert name.endswith(f"-{STEM}.json")
        assert len(name) < 255
