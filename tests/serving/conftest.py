"""One toy city with a trained bundle and its served model, made once and not to be changed."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.pyfunc import PyFuncModel

from roadgraph.comparison.judging import Judge
from roadgraph.comparison.training import train_member
from roadgraph.dataset.loading import load_dataset
from roadgraph.network.network import read_network
from roadgraph.serving.save import save_served_model
from roadgraph.settings import Settings
from roadgraph.slices.store import read_slices
from roadgraph.workflow import run_network, run_slices
from roadgraph.workspace import Workspace
from tests.toy_city import city_settings


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = city_settings(
        tmp_path_factory.mktemp("served-city") / "city",
        "model.name=mlp",
        "size=simple",
        "training.max_epochs=1",
        "dataset.fill=last",  # a gap is filled from before the window
    )
    run_network(settings)
    run_slices(settings)
    return settings


@pytest.fixture(scope="session")
def bundle(city: Settings) -> Path:
    workspace = Workspace.of(city)
    network = read_network(workspace.network)
    dataset = load_dataset(city, workspace, network)
    judge = Judge.of(dataset, network.segments["road_class"].astype(str).to_numpy(), city)
    folder = workspace.bundle("mlp-simple")
    run = train_member(
        city, judge, "key", folder.parent / "run", workspace.checkpoints("mlp", 1), lambda _: None
    )
    shutil.copytree(run.bundle, folder)
    return folder


@pytest.fixture(scope="session")
def served(city: Settings, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "model"
    return save_served_model(bundle, Workspace.of(city).network, folder)


@pytest.fixture(scope="session")
def slices(city: Settings) -> pd.DataFrame:
    """The city's newest slices as pandas reads them: their times know that they are UTC."""
    table = read_slices(Workspace.of(city).slices).to_pandas()
    return table[table["slice_start"] >= "2026-01-09T12:00Z"].reset_index(drop=True)


@pytest.fixture(scope="session")
def loaded(served: Path) -> Iterator[PyFuncModel]:
    """The model as MLflow loads it, which puts the folder's code on Python's path."""
    before = list(sys.path)
    yield mlflow.pyfunc.load_model(str(served))
    sys.path[:] = before


@pytest.fixture(scope="session")
def predict(loaded: PyFuncModel) -> Callable[..., pd.DataFrame]:
    """Asks the loaded model, as ``predict(slices, params=...)``."""

    def ask(slices: pd.DataFrame, params: dict[str, float] | None = None) -> pd.DataFrame:
        answer = loaded.predict(slices, params)
        assert isinstance(answer, pd.DataFrame)
        return answer

    return ask
