from pathlib import Path

from roadgraph.settings import CitySettings, Settings
from roadgraph.workspace import Workspace


def test_every_city_has_its_own_folder_and_all_share_one_mlflow_store() -> None:
    first, second = (
        Workspace.of(Settings(city=CitySettings(name=name), workspace="work"))
        for name in ("one", "two")
    )
    assert first.network == Path("work/one/network")
    assert first.bundle("mlp-simple") == Path("work/one/bundles/mlp-simple")
    assert first.registered("one") == Path("work/one/registered/one")
    assert first.store == second.store == Path("work")
    assert first.root != second.root


def test_every_run_has_a_folder_of_its_own() -> None:
    workspace = Workspace.of(Settings(workspace="work"))
    assert workspace.run("gradient boosting", 0, "0123456789") == Path(
        "work/sample/runs/gradient-boosting/seed-0-01234567"
    )
    folders = {workspace.run("mlp-simple", seed, key) for seed in (1, 2) for key in ("a", "b")}
    assert len(folders) == 4
    assert workspace.checkpoints("mlp-simple", 2) == Path(
        "work/sample/checkpoints/mlp-simple/seed-2"
    )


def test_reports_of_the_data_and_of_the_forecasts_have_a_folder_each() -> None:
    workspace = Workspace.of(Settings(workspace="work"))
    assert workspace.quality == Path("work/sample/quality")
    assert workspace.evaluation == Path("work/sample/evaluation")
