"""What is installed, what runs where, and what is missing for each extra."""

from __future__ import annotations

import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, requires, version

from roadgraph.slices.spark_session import INSTALL_JAVA, java_version

SHOWN = (
    "torch",
    "torch-geometric",
    "pytorch-lightning",
    "pandas",
    "polars",
    "pyarrow",
    "geopandas",
    "fastmm",
    "mlflow",
    "pyspark",
)


def examine() -> dict[str, dict[str, str]]:
    """Return headed lists of facts: versions, devices and extras."""
    return {"versions": _versions(), "devices": _devices(), "extras": _extras()}


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _versions() -> dict[str, str]:
    facts = {"roadgraph": version("roadgraph"), "python": platform.python_version()}
    facts |= {package: _installed(package) or "missing" for package in SHOWN}
    return facts | {
        "java": java_version() or f"missing (engine=spark alone needs it); {INSTALL_JAVA}"
    }


def _devices() -> dict[str, str]:
    import torch
    import torch_geometric.typing as pyg

    facts = {"CPU": f"{torch.get_num_threads()} threads"}
    if torch.cuda.is_available():
        facts["GPU"] = ", ".join(
            torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())
        )
    else:
        facts["GPU"] = "none found; training runs on the CPU"
    used = "in use by PyTorch Geometric" if pyg.WITH_TORCH_SCATTER else "not in use"
    if not _installed("torch-scatter"):
        compiler = "run make setup again" if shutil.which("g++") else "it needs a C++ compiler"
        used = f"missing ({compiler}); PyTorch Geometric's own scatter does its work"
    facts["torch-scatter"] = used
    return facts


def _extras() -> dict[str, str]:
    wanted: dict[str, list[str]] = {}
    for requirement in requires("roadgraph") or []:
        found = re.match(r"([\w-]+)[^;]*;\s*extra\s*==\s*['\"]([\w-]+)['\"]", requirement)
        if found:
            wanted.setdefault(found[2], []).append(found[1])
    facts = {}
    for extra, packages in wanted.items():
        missing = [package for package in packages if not _installed(package)]
        facts[extra] = (
            f"missing {', '.join(missing)}: pip install -c requirements.lock '.[{extra}]'"
            if missing
            else "ready"
        )
    return facts
