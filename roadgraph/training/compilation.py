"""Whether the model is compiled for its training, and how."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import torch
from pytorch_lightning.callbacks import Callback

from roadgraph.errors import SettingsError
from roadgraph.training.module import ForecastModule

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from roadgraph.settings import TrainingSettings

MODES = {"on": "default", "cuda_graphs": "reduce-overhead"}
"""What torch.compile calls the values of ``training.compile``."""

STEPS_WORTH_IT = 2000
"""Steps from which ``auto`` compiles on a GPU: the first batch then takes up to a minute longer,
and a step of a city's size saves some hundredths of a second."""


def compile_mode(options: TrainingSettings, device: str, steps: int, tiles: int) -> str | None:
    """Return the mode of torch.compile for a training, or None for none.

    ``auto`` compiles on a GPU, where there are steps enough. On the CPU it never does: the first
    batch took 20 to 40 s longer and no step was faster (``benchmarks/training_step.py``), as the
    time is in matrix products, sparse ones among them, that stay what they are.

    Args:
        options: ``compile``, ``recompute_activations`` and ``accumulate`` are used.
        device: ``cpu`` or ``gpu``.
        steps: of the whole training at most.
        tiles: of the road graph.

    Raises:
        SettingsError: it is asked for where it cannot be had.
    """
    fits = tiles == 1 and not options.recompute_activations
    if options.compile == "auto":
        return MODES["on"] if fits and device == "gpu" and steps >= STEPS_WORTH_IT else None
    if options.compile == "off":
        return None
    asked = f"training.compile={options.compile}"
    if tiles > 1:
        raise SettingsError(
            f"{asked}: every tile of the road graph would be compiled anew; use "
            "training.tile_segments=0 or training.compile=off"
        )
    if options.recompute_activations:
        raise SettingsError(
            f"{asked}: what is computed anew for its gradient cannot be compiled; use "
            "training.recompute_activations=false or training.compile=off"
        )
    if options.compile == "cuda_graphs" and options.accumulate > 1:
        raise SettingsError(
            f"{asked}: a captured step writes its gradients to the same place every time; use "
            "training.accumulate=1 or training.compile=on"
        )
    if device == "cpu" and options.compile == "cuda_graphs":
        raise SettingsError(f"{asked}: this training runs on the CPU; use on or off")
    if device == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++"))):
        raise SettingsError(
            f"{asked} needs a C++ compiler on the CPU, and there is none; install g++ or use off"
        )
    return MODES[options.compile]


class Compilation(Callback):
    """Lets the model of a training run compiled, and leaves it as it was.

    Args:
        mode: of :func:`compile_mode`.
    """

    def __init__(self, mode: str) -> None:
        self._mode = mode

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Compile with the first batch; the averages of the weights are copies made before."""
        del trainer
        assert isinstance(module, ForecastModule)
        heads = (getattr(part, "heads", None) for part in module.model.modules())
        module.tiles[0].keep_pieces({number for number in heads if number is not None})
        forward = torch.compile(module.model.forward, mode=self._mode, dynamic=False)
        module.model.forward = forward  # type: ignore[method-assign]

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Give the model its own way back, and room to the next training of this process.

        torch compiles a function anew only so often and no further from then on, whatever model.
        """
        del trainer, stage
        assert isinstance(module, ForecastModule)
        vars(module.model).pop("forward", None)
        torch.compiler.reset()
