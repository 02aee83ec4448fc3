import json
import re
import sys
import tempfile
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from mlflow.models import Model

from roadgraph.errors import BundleError, DataError
from roadgraph.network.network import write_network
from roadgraph.schema import PREDICTIONS
from roadgraph.serving.save import PACKAGE, REQUIRED, pinned_requirements, save_served_model
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace
from tests.test_layers import imports_of
from tests.toy import crossroads_network


def files_of(folder: Path) -> list[Path]:
    """Return the files that were saved; loading the model compiles its code beside it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if path.parent.name != "__pycache__")


def test_the_folder_holds_bundle_network_code_and_nothing_else(served: Path, bundle: Path) -> None:
    names = {path.relative_to(served).parts[0] for path in files_of(served)}
    assert sorted(names) == [
        "MLmodel", "artifacts", "code", "conda.yaml", "entry_point.py", "input_example.json",
        "python_env.yaml", "requirements.txt", "serving_input_example.json",
    ]  # fmt: skip
    for path in files_of(bundle):
        copy = served / "artifacts" / "bundle" / path.relative_to(bundle)
        assert copy.read_bytes() == path.read_bytes()
    network = sorted(path.name for path in (served / "artifacts" / "network").iterdir())
    assert network == ["links.parquet", "segments.parquet"]
    assert [path.name for path in (served / "code").iterdir()] == ["roadgraph.zip"]
    modules = {str(path.relative_to(PACKAGE.parent)) for path in PACKAGE.rglob("*.py")}
    with zipfile.ZipFile(served / "code" / "roadgraph.zip") as code:
        assert set(code.namelist()) == modules


def test_nothing_in_it_is_a_pickle(served: Path) -> None:
    for path in files_of(served):
        assert path.suffix not in {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".npy"}
        assert not path.read_bytes().startswith(b"\x80"), "as every binary pickle does"
    for name in ("MLmodel", "requirements.txt", "conda.yaml"):
        assert "pickle" not in (served / name).read_text("utf-8")


def test_nothing_in_it_names_a_place_on_this_machine(
    served: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    places = (
        tmp_path_factory.getbasetemp(),
        PACKAGE,
        Path(tempfile.gettempdir()) / tempfile.gettempprefix(),
    )
    found = [
        (path, place)
        for path in files_of(served)
        for place in places
        if str(place).encode() in path.read_bytes()
    ]
    assert found == []


def test_the_model_says_what_it_forecasts(served: Path) -> None:
    model = Model.load(served)
    assert model.metadata == {
        "city": "toy",
        "title": "mlp-simple",
        "slice_minutes": 15,
        "window": 2,
        "slices": 3,
        "horizons_min": [15, 30, 45, 60],
        "roadgraph": "0.1.0",
    }
    assert model.signature.outputs.input_names() == PREDICTIONS.columns
    example = json.loads((served / "serving_input_example.json").read_text("utf-8"))
    assert len(example["dataframe_split"]["data"]) == 3 * 2


def test_libraries_are_pinned_without_the_label_of_a_build(served: Path) -> None:
    written = (served / "requirements.txt").read_text("utf-8").split()
    assert written == pinned_requirements()
    assert all(re.fullmatch(r"[a-z-]+==[0-9a-z.]+", line) for line in written)
    conda = yaml.safe_load((served / "conda.yaml").read_text("utf-8"))
    assert conda["dependencies"][-1]["pip"] == written


def test_every_library_that_serving_imports_is_required() -> None:
    """Follow the imports of run time, module by module."""
    waiting, seen, roots = [PACKAGE / "serving" / "entry_point.py"], set(), set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        for name in imports_of(path.read_text("utf-8"), at_run_time_only=True):
            roots.add(name.split(".")[0])
            if name.startswith("roadgraph."):
                waiting.append((PACKAGE.parent / Path(*name.split("."))).with_suffix(".py"))
    # pydantic, which asks for its core where settings are checked, comes with MLflow.
    known = {"roadgraph", "pydantic_core", *sys.stdlib_module_names}
    brings = packages_distributions()
    needed = [{name.lower() for name in brings[root]} for root in roots - known]
    assert all(names & set(REQUIRED) for names in needed), needed
    assert len(needed) == len(REQUIRED)


def test_saving_is_quiet_and_ignores_the_project_around(
    city: Settings,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text("", "utf-8")
    monkeypatch.chdir(tmp_path)
    folder = save_served_model(bundle, Workspace.of(city).root, tmp_path / "model")
    assert not (folder / "uv.lock").exists()
    assert capfd.readouterr() == ("", "")


def test_another_network_is_refused_and_what_was_there_stays(bundle: Path, tmp_path: Path) -> None:
    write_network(crossroads_network(), tmp_path / "network")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(BundleError, match="was trained on another network"):
        save_served_model(bundle, tmp_path / "network", folder)
    assert [path.name for path in folder.iterdir()] == ["old"]


def test_a_missing_bundle_or_network_is_refused(
    city: Settings, bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        save_served_model(tmp_path / "nothing", Workspace.of(city).network, tmp_path / "model")
    with pytest.raises(DataError, match="holds no imported network"):
        save_served_model(bundle, tmp_path, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
