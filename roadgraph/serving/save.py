"""A bundle and its network as a folder that MLflow loads and serves; no pickle in it."""

from __future__ import annotations

import logging
import os
import re
import shutil
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import roadgraph
from roadgraph.network.network import network_folder, read_network, write_network
from roadgraph.predict.predictions import predict_newest
from roadgraph.serving.tables import slices_of_request
from roadgraph.storage import whole_folder
from roadgraph.training.bundle import read_bundle

if TYPE_CHECKING:
    from mlflow.models import Model

PACKAGE = Path(roadgraph.__file__).parent
ENTRY_POINT = PACKAGE / "serving" / "entry_point.py"
REQUIRED = (
    "mlflow", "filelock", "geopandas", "numpy", "pandas", "pyarrow", "pyyaml", "safetensors",
    "torch", "torch-geometric",
)  # fmt: skip
"""Distributions that a served model imports; they bring what they need themselves."""


def save_served_model(bundle: Path, network: Path, folder: Path) -> Path:
    """Write a bundle as a model that MLflow serves, whole or not at all.

    The folder holds everything that serving needs but the libraries that it lists: the bundle, the
    network and roadgraph's code. It names no place on this machine.

    Args:
        bundle: the trained bundle.
        network: folder of the network that it was trained on, or of its city in a workspace.
        folder: to write; what was in it before is gone.

    Returns:
        ``folder``.

    Raises:
        BundleError: the bundle is missing or damaged or belongs to another network.
        DataError: the network is missing or damaged.
    """
    trained = read_bundle(bundle)
    roads = read_network(network_folder(network))

    # MLflow warns of types of its own when this part of it is imported.
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
    import mlflow.pyfunc
    from mlflow.models import Model

    from roadgraph.serving.signature import example_request, served_signature

    # MLflow sets its own level when it is imported, and draws a bar for every folder it copies.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    example = example_request(trained)
    # What cannot answer its own example is not worth serving: another city's network, say.
    predict_newest(trained, roads, slices_of_request(example), trained.slice_minutes)
    model = Model(
        metadata={
            "city": trained.city,
            "title": trained.title,
            "slice_minutes": trained.slice_minutes,
            "window": trained.window,
            "slices": trained.slices,
            "horizons_min": [step * trained.slice_minutes for step in trained.horizons],
            "roadgraph": roadgraph.__version__,
        }
    )
    with TemporaryDirectory() as place, whole_folder(folder) as temporary:
        parts = {"bundle": Path(place) / "bundle", "network": Path(place) / "network"}
        shutil.copytree(bundle, parts["bundle"])
        write_network(roads, parts["network"])
        code = Path(place) / "roadgraph.zip"
        _write_code(code)
        mlflow.pyfunc.save_model(
            path=temporary,
            python_model=ENTRY_POINT,
            artifacts={name: str(path) for name, path in parts.items()},
            code_paths=[str(code)],
            signature=served_signature(),
            input_example=example,
            pip_requirements=pinned_requirements(),
            mlflow_model=model,
            # Otherwise the files of a uv project are copied that happens to be the working folder.
            uv_project_path=place,
        )
        _forget_this_machine(model)
        model.save(temporary / "MLmodel")
    return folder


def _write_code(path: Path) -> None:
    """Write roadgraph as one file that Python imports from: a store takes one file a call."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for module in sorted(PACKAGE.rglob("*.py")):
            archive.write(module, module.relative_to(PACKAGE.parent))


def pinned_requirements() -> list[str]:
    """Return what serving needs in the versions installed here, without a build's own label."""
    return [f"{name}=={re.sub(r'[+].*', '', version(name))}" for name in REQUIRED]


def _forget_this_machine(model: Model) -> None:
    """Take out of ``MLmodel`` where its parts came from, and the pickle library, which none uses.

    The places of the parts in the folder, by which they are loaded, stay.
    """
    flavor = model.flavors["python_function"]
    flavor["model_code_path"] = ENTRY_POINT.name
    for part in flavor["artifacts"].values():
        part["uri"] = part["path"]
    del flavor["cloudpickle_version"]
