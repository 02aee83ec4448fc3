import shutil
from dataclasses import replace
from typing import Any

import pytest
import torch

from roadgraph.errors import SettingsError
from roadgraph.settings import TrainingSettings
from roadgraph.training.compilation import STEPS_WORTH_IT, compile_mode
from roadgraph.training.fit import fit
from tests.dataset.toy import toy_dataset, toy_settings

MANY = STEPS_WORTH_IT


@pytest.mark.parametrize(
    ("compiling", "device", "steps", "mode"),
    [
        ("auto", "cpu", MANY, None),
        ("auto", "gpu", MANY, "default"),
        ("auto", "gpu", MANY - 1, None),
        ("off", "gpu", MANY, None),
        ("on", "gpu", 1, "default"),
        ("cuda_graphs", "gpu", 1, "reduce-overhead"),
    ],
)
def test_the_first_batch_must_be_worth_it(
    compiling: Any, device: str, steps: int, mode: str | None
) -> None:
    assert compile_mode(TrainingSettings(compile=compiling), device, steps, 1) == mode


def test_on_tiles_and_with_recomputation_auto_does_not_compile() -> None:
    assert compile_mode(TrainingSettings(), "gpu", MANY, 2) is None
    again = TrainingSettings(recompute_activations=True)
    assert compile_mode(again, "gpu", MANY, 1) is None


@pytest.mark.parametrize(
    ("settings", "device", "tiles", "text"),
    [
        (TrainingSettings(compile="on"), "gpu", 3, "training.tile_segments=0"),
        (
            TrainingSettings(compile="on", recompute_activations=True),
            "gpu",
            1,
            "training.recompute_activations=false",
        ),
        (
            TrainingSettings(compile="cuda_graphs", accumulate=2),
            "gpu",
            1,
            "training.accumulate=1",
        ),
        (TrainingSettings(compile="cuda_graphs"), "cpu", 1, "runs on the CPU; use on or off"),
    ],
)
def test_what_cannot_be_compiled_is_refused(
    settings: TrainingSettings, device: str, tiles: int, text: str
) -> None:
    with pytest.raises(SettingsError, match=text):
        compile_mode(settings, device, 1, tiles)


def test_without_a_compiler_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SettingsError, match="install g\\+\\+ or use off"):
        compile_mode(TrainingSettings(compile="on"), "cpu", 1, 1)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Options of every call of torch.compile, which makes the trace alone."""
    found: list[dict[str, Any]] = []
    compiler = torch.compile

    def traced(function: Any, **options: Any) -> Any:
        found.append(options)
        # A compiler behind the trace takes half a minute.
        return compiler(function, backend="aot_eager", fullgraph=True, dynamic=False)

    monkeypatch.setattr(torch, "compile", traced)
    return found


def test_a_compiled_training_learns_what_one_that_is_not_learns(
    calls: list[dict[str, Any]],
) -> None:
    settings = toy_settings(model={"name": "gcn"}, training={"device": "cpu"})
    short = replace(settings.training, max_epochs=2, averaging="ema")
    dataset = toy_dataset(settings)
    plain = fit(dataset, replace(settings, training=short))
    seen = fit(dataset, replace(settings, training=replace(short, compile="on")))
    assert calls == [{"mode": "default", "dynamic": False}]
    torch.testing.assert_close(seen.model.state_dict(), plain.model.state_dict())
    names = {name for name in seen.history[0] if name.startswith("dead_relu/")}
    assert names == {name for name in plain.history[0] if name.startswith("dead_relu/")} != set()
    assert "forward" not in vars(seen.model)


def test_the_next_model_of_a_process_is_compiled_as_well(calls: list[dict[str, Any]]) -> None:
    # A trace each for batches and the last batch, in training and in validation.
    with torch._dynamo.config.patch(recompile_limit=4):
        for name in ("mlp", "gcn"):
            settings = toy_settings(
                model={"name": name}, training={"device": "cpu", "compile": "on", "max_epochs": 2}
            )
            # Beyond the limit a training that is to be one whole graph ends with an error.
            fit(toy_dataset(settings), settings)
    assert len(calls) == 2
