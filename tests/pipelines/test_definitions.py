import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roadgraph.errors import DataError, PromotionError, RegistryError, RoadgraphError, TrackingError
from roadgraph.promotion.decision import decide_unopposed
from roadgraph.promotion.promoting import Promotion
from roadgraph.settings import Settings, TrackingSettings
from roadgraph.tracking.versions import Version
from tests.toy_city import write_city

dg = pytest.importorskip("dagster", reason="the extra 'pipelines' is not installed")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_all_assets_materialise_in_process_and_tell_what_they_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pipelines import definitions

    overrides = [*write_city(tmp_path / "city"), "model=mlp"]
    monkeypatch.setenv(definitions.OVERRIDES, shlex.join(overrides))
    assets = [
        definitions.network, definitions.slices, definitions.model, definitions.promotion,
        definitions.predictions,
    ]  # fmt: skip
    result = dg.materialize(assets)
    assert result.success
    made = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert set(made) == {"network", "slices", "model", "promotion", "predictions"}
    assert made["network"]["segments"].value == 3
    assert made["slices"]["rows in"].value == made["slices"]["rows used"].value
    # The first model of a city is champion and challenger.
    assert made["promotion"]["outcome"].value.startswith("nothing was decided: version 1 of toy is")
    assert Path(made["predictions"]["path"].value).is_file()
    assert made["predictions"]["model"].value == "toy version 1 (champion): mlp-simple"


def promoted(monkeypatch: pytest.MonkeyPatch, run_promotion: Any, enabled: bool = True) -> Any:
    """Return the metadata of the promotion when ``run_promotion`` does this."""
    from pipelines import definitions

    settings = replace(Settings(), tracking=TrackingSettings(enabled=enabled))
    monkeypatch.setattr(definitions, "_settings", lambda: settings)
    monkeypatch.setattr(definitions, "run_promotion", run_promotion)
    made: Any = definitions.promotion()
    return made.metadata


def raising(error: RoadgraphError) -> Any:
    def run_promotion(settings: Settings) -> Promotion:
        raise error

    return run_promotion


@pytest.mark.parametrize(
    "error",
    [
        RegistryError("version 1 is champion and challenger"),
        PromotionError("only 3.0 h of the slices were seen by neither"),
        TrackingError("the store does not answer"),
    ],
)
def test_where_nothing_can_be_decided_the_reason_is_told_and_the_forecasts_go_on(
    monkeypatch: pytest.MonkeyPatch, error: RoadgraphError
) -> None:
    told = promoted(monkeypatch, raising(error))
    assert told == {"outcome": f"nothing was decided: {error}"}


def test_data_that_cannot_be_judged_on_fail_the_promotion(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="slices are missing"):
        promoted(monkeypatch, raising(DataError("slices are missing")))


def test_a_decision_is_told_with_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (Version("toy", number, "run", {}) for number in "12")
    decision = decide_unopposed("2 segments are new")
    decided = Promotion(old, new, {}, None, decision, carried_out=True)
    told = promoted(monkeypatch, lambda settings: decided)
    assert told == {
        "outcome": "version 2 of toy is champion now, in the place of version 1",
        "reasons": decision.reasons[0],
    }


def test_without_tracking_nothing_is_promoted(monkeypatch: pytest.MonkeyPatch) -> None:
    told = promoted(monkeypatch, raising(RegistryError("not to be asked")), enabled=False)
    assert told == {"outcome": "no registry: tracking.enabled=false"}


def test_the_nightly_schedule_runs_everything() -> None:
    from pipelines import definitions

    assert definitions.nightly.cron_schedule == "0 3 * * *"
    assert definitions.nightly.execution_timezone == "Asia/Bangkok"
    assert set(definitions.defs.resolve_asset_graph().get_all_asset_keys()) == {
        dg.AssetKey(name) for name in ("network", "slices", "model", "promotion", "predictions")
    }
    after = definitions.defs.resolve_asset_graph().get(dg.AssetKey("predictions")).parent_keys
    assert dg.AssetKey("promotion") in after
