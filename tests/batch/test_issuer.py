from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.batch import issuer
from roadgraph.batch.issuer import Issuer
from roadgraph.errors import NothingRegisteredError, RegistryError, TrackingError
from roadgraph.promotion.fetching import RegisteredBundle
from roadgraph.settings import Settings
from roadgraph.tracking.versions import Version
from roadgraph.workspace import Workspace

THIRD = {"title": "mlp-simple", "registered": "toy", "version": "3", "run_id": "c"}


def registered(number: str, folder: Path = Path("bundle")) -> RegisteredBundle:
    return RegisteredBundle(folder, Version("toy", number, number, {}), "")


CHAMPION = Issuer(Path("champion"), registered("4", Path("champion")))


class Registry:
    """Stands for what was fetched, and for the registry behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept: RegisteredBundle | None = None
        self.answer: RegisteredBundle | Exception = RegistryError("no version 3")
        monkeypatch.setattr(issuer, "kept_bundle", lambda settings, number, run: self.kept)
        monkeypatch.setattr(issuer, "registered_bundle", self.ask)

    def ask(self, settings: Settings, version: str) -> RegisteredBundle:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    return Registry(monkeypatch)


def test_a_forecast_is_issued_again_by_the_version_that_issued_it(registry: Registry) -> None:
    registry.answer = registered("3")
    assert CHAMPION.same_as(Settings(), THIRD).version == "3"
    assert CHAMPION.same_as(Settings(), {**THIRD, "version": "4"}) is CHAMPION


def test_what_was_fetched_of_it_before_is_taken_without_asking(registry: Registry) -> None:
    registry.kept = registered("3", Path("kept"))
    registry.answer = TrackingError("the server is away")
    assert CHAMPION.same_as(Settings(), THIRD).folder == Path("kept")
    registry.kept = None
    with pytest.raises(TrackingError, match="the server is away"):
        CHAMPION.same_as(Settings(), THIRD)


def test_where_the_version_is_gone_the_champion_forecasts(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Issuer, "__str__", lambda self: "version 4")
    assert CHAMPION.same_as(Settings(), THIRD) is CHAMPION


def test_a_forecast_of_no_registered_model_is_issued_again_by_the_one_of_now(
    registry: Registry,
) -> None:
    assert CHAMPION.same_as(Settings(), {"title": "mlp-simple"}) is CHAMPION


def test_without_a_registry_the_model_of_the_settings_forecasts(
    trained: Settings, tmp_path: Path
) -> None:
    found = Issuer.of(trained)
    assert found.folder == Workspace.of(trained).bundle("mlp-simple")
    assert (str(found), found.version) == ("mlp-simple", "")
    with pytest.raises(NothingRegisteredError, match="mlp-simple was not trained yet"):
        Issuer.of(replace(trained, workspace=str(tmp_path)))
