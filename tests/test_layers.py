"""The data goes one way: a part imports only parts to its left or above."""

import ast
import sys
from pathlib import Path

import pytest

import roadgraph

PACKAGE = Path(roadgraph.__file__).parent

# In the order in which the data goes; a part may import what stands before it.
LAYERS = [
    {"errors", "units", "markdown", "processes", "exchange", "masking", "startup"},
    {"locking"},
    {"storage", "schema", "settings"},
    {"calendar", "legend", "workspace", "staleness"},
    {"config"},
    {"network"},
    {"probes"},
    {"slices"},
    {"dataset"},
    {"quality"},
    {"evaluation"},
    {"models"},
    {"training"},
    {"tracking"},
    {"predict"},
    {"explain", "verification"},
    {"serving"},
    {"report"},
    {"comparison"},
    {"promotion"},
    {"prediction"},
    {"explanation", "reporting"},
    {"workflow"},
    {"doctor", "documentation", "alerting"},
    {"batch"},
    {"cli"},
    {"__main__"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
HEAVY = {"torch", "torch_geometric", "pytorch_lightning", "torchmetrics", "mlflow"}
GPU_MACHINE = {
    "roadgraph", "torch", "torch_geometric", "pytorch_lightning", "torchmetrics", "numpy",
    "pandas", "pyarrow", "safetensors", "yaml", "filelock",  # torch brings the last one
}  # fmt: skip


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(source: str, at_run_time_only: bool = False) -> set[str]:
    """Return the full names of all modules that ``source`` imports."""
    tree = ast.parse(source)
    skipped: set[ast.AST] = set()
    if at_run_time_only:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                skipped.update(child for part in node.body for child in ast.walk(part))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def against_the_direction(part: str, source: str) -> list[str]:
    """Return the parts that ``source``, which belongs to ``part``, must not import."""
    reached = {name.split(".")[1] for name in imports_of(source) if name.startswith("roadgraph.")}
    known = {name for name in reached if name in LEVEL and name != part}
    return sorted(name for name in known if LEVEL[name] >= LEVEL[part])


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_only_parts_before_its_own(path: Path) -> None:
    assert against_the_direction(part_of(path), path.read_text("utf-8")) == []


def test_every_part_has_its_place() -> None:
    assert {part_of(path) for path in MODULES} == set(LEVEL)


def test_an_import_against_the_direction_is_found() -> None:
    assert against_the_direction("slices", "from roadgraph.models.graph import Graph") == ["models"]
    assert against_the_direction("slices", "from roadgraph.probes.clean import Box") == []
    assert against_the_direction("network", "import roadgraph.probes.feeds") == ["probes"]


@pytest.mark.parametrize(
    "part", ["network", "probes", "slices", "dataset", "quality", "evaluation"]
)
def test_data_code_never_imports_torch(part: str) -> None:
    for path in (PACKAGE / part).rglob("*.py"):
        roots = {name.split(".")[0] for name in imports_of(path.read_text("utf-8"))}
        assert not roots & HEAVY, path


@pytest.mark.parametrize("part", ["models", "training"])
def test_models_and_training_need_little_on_a_gpu_machine(part: str) -> None:
    """Follow the imports of run time, module by module."""
    waiting = list((PACKAGE / part).rglob("*.py"))
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imports_of(path.read_text("utf-8"), at_run_time_only=True):
            root = name.split(".")[0]
            if root == "roadgraph":
                module = PACKAGE.parent / Path(*name.split("."))
                if module.with_suffix(".py").is_file():
                    waiting.append(module.with_suffix(".py"))
            # pydantic asks a setting for its schema only where settings are checked.
            elif root != "pydantic_core":
                assert root in GPU_MACHINE or root in sys.stdlib_module_names, f"{path}: {name}"
