import shlex
from pathlib import Path

import pytest

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
        definitions.network, definitions.slices, definitions.model, definitions.predictions,
    ]  # fmt: skip
    result = dg.materialize(assets)
    assert result.success
    made = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert set(made) == {"network", "slices", "model", "predictions"}
    assert made["network"]["segments"].value == 3
    assert made["slices"]["rows in"].value == made["slices"]["rows used"].value
    assert Path(made["predictions"]["path"].value).is_file()


def test_the_nightly_schedule_runs_everything() -> None:
    from pipelines import definitions

    assert definitions.nightly.cron_schedule == "0 3 * * *"
    assert definitions.nightly.execution_timezone == "Asia/Bangkok"
    assert set(definitions.defs.resolve_asset_graph().get_all_asset_keys()) == {
        dg.AssetKey(name) for name in ("network", "slices", "model", "predictions")
    }
