"""Looking inside a run: gradients of every layer and units that never answer, by epoch."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.callbacks import Callback
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytorch_lightning as pl
    from torch import nn
    from torch.utils.hooks import RemovableHandle

logger = logging.getLogger(__name__)

VANISHED = 1e-7
"""Norm that the gradient of a layer stays below for a whole epoch when it vanishes."""
EXPLODED = 1e3
"""Norm, before clipping, above which the gradient of a layer explodes."""
SAMPLED_STEPS = 16
"""Steps of an epoch, evenly spread, whose gradients are measured."""
SAMPLED_BATCHES = 4
"""Batches of an epoch, evenly spread, in which units are looked at."""

_RELUS = {torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_}
_RELUS |= {torch.nn.functional.relu, torch.nn.functional.relu_}


class GradientNorms:
    """The norm of the gradient of every layer, over the steps of an epoch.

    A layer is the module that owns the parameters, named as in the model.

    Args:
        model: whose gradients are measured.
    """

    def __init__(self, model: nn.Module) -> None:
        self._weights: dict[str, list[nn.Parameter]] = {}
        for name, weight in model.named_parameters():
            self._weights.setdefault(name.rpartition(".")[0] or "model", []).append(weight)
        self._measured: dict[str, list[torch.Tensor]] = {}

    def has_bias_alone(self, layer: str) -> bool:
        """Return whether a layer leaves all but a bias to the layers within it."""
        within = any(other.startswith(f"{layer}.") for other in self._weights)
        return within and all(weight.dim() < 2 for weight in self._weights[layer])

    def measure(self) -> None:
        """Take the norms of now; nothing waits for the device."""
        for layer, weights in self._weights.items():
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            if gradients:
                parts = torch._foreach_norm(gradients)
                norm = parts[0] if len(parts) == 1 else torch.linalg.vector_norm(torch.stack(parts))
                self._measured.setdefault(layer, []).append(norm)

    def collect(self) -> dict[str, list[float]]:
        """Return the finite norms by layer since the last call.

        Scaled half-precision gradients overflow now and then on purpose; such a step is left out.
        """
        found = {layer: torch.stack(norms).tolist() for layer, norms in self._measured.items()}
        self._measured = {}
        return {
            layer: [norm for norm in norms if math.isfinite(norm)] for layer, norms in found.items()
        }


class DeadUnits:
    """Which units of every ReLU were never positive, over some forward passes.

    A unit is a place on the last axis of what a ReLU returns, over all slices and segments. A
    ReLU, be it a module or a function, goes by the name of the layer that finished last before
    it: the layer whose output it cuts.

    Args:
        model: whose ReLUs are looked at.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._alive: dict[str, torch.Tensor] = {}
        self._mode: TorchFunctionMode | None = None
        self._hooks: list[RemovableHandle] = []
        self._latest = "model"

    def start(self) -> None:
        """Look at the forward passes from now on."""
        for name, module in self._model.named_modules():
            # A ReLU is no layer with an output of its own to cut.
            if name and not isinstance(module, torch.nn.ReLU):
                self._hooks.append(module.register_forward_hook(self._finished(name)))
        self._mode = _ReluMode(self._see)
        self._mode.__enter__()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Look no more."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        if self._mode is not None:
            self._mode.__exit__(None, None, None)
            self._mode = None

    def collect(self) -> dict[str, float]:
        """Return the share of dead units by layer since the last call."""
        shares = {layer: 1 - float(alive.float().mean()) for layer, alive in self._alive.items()}
        self._alive = {}
        return shares

    def _finished(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs, output
            self._latest = name

        return hook

    def _see(self, output: torch.Tensor) -> None:
        alive = (output.detach() > 0).flatten(0, -2).any(0)
        before = self._alive.get(self._latest)
        self._alive[self._latest] = alive if before is None else before | alive


class _ReluMode(TorchFunctionMode):
    """Shows what every ReLU returns."""

    def __init__(self, see: Callable[[torch.Tensor], None]) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if function in _RELUS:
            self._see(result)
        return result


class Watch(Callback):
    """Measures some steps of every epoch, and warns of gradients that vanish or explode.

    The gradients are those before clipping. A layer is named once a training for each of the two
    faults; of layers within each other the innermost. One step alone tells of no gradient that
    vanishes: where heads start at zero, as those of roadnet, the first one reaches nothing else.
    Nor does a weight that gets no gradient at all, such as those of a task of weight 0, nor a
    bias alone, beside the layer within that has the weights: a norm that follows takes it away.

    Args:
        model: to be watched.
        compiled: the model runs compiled; steps whose units are looked at do not.
    """

    def __init__(self, model: nn.Module, compiled: bool = False) -> None:
        self._compiled = compiled
        self._gradients = GradientNorms(model)
        self._units = DeadUnits(model)
        self._steps = 0
        self._warned: set[tuple[str, str]] = set()
        self._epoch = 0

    def figures(self) -> dict[str, float]:
        """Return the figures of the epoch: ``grad_norm/<layer>`` (mean), ``dead_relu/<layer>``."""
        norms = {layer: found for layer, found in self._gradients.collect().items() if found}
        self._judge(norms)
        dead = self._units.collect()
        return {
            **{f"grad_norm/{layer}": sum(found) / len(found) for layer, found in norms.items()},
            **{f"dead_relu/{layer}": share for layer, share in dead.items()},
        }

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Count the steps of the epoch."""
        del module
        self._steps = 0
        self._epoch = trainer.current_epoch

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int
    ) -> None:
        """Look at the units of some batches."""
        del module, batch
        if index % math.ceil(trainer.num_training_batches / SAMPLED_BATCHES) == 0:
            self._units.start()
            self._run_compiled(False)

    def _run_compiled(self, compiled: bool) -> None:
        if self._compiled:
            torch.compiler.set_stance("default" if compiled else "force_eager")

    def on_before_backward(
        self, trainer: pl.Trainer, module: pl.LightningModule, loss: torch.Tensor
    ) -> None:
        """The forward pass is over."""
        del trainer, module, loss
        self._units.stop()
        self._run_compiled(True)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Measure the gradients of some steps."""
        del module, optimizer
        steps = trainer.num_training_batches / trainer.accumulate_grad_batches
        if self._steps % math.ceil(steps / SAMPLED_STEPS) == 0:
            self._gradients.measure()
        self._steps += 1

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Look no more."""
        del trainer, module, exception
        self._units.stop()
        self._run_compiled(True)

    def _judge(self, norms: dict[str, list[float]]) -> None:
        faults = []
        for layer, found in norms.items():
            largest = max(found)
            vanished = largest < VANISHED and len(found) > 1
            if largest > EXPLODED:
                faults.append((layer, "explodes", f"above {EXPLODED:g} before clipping", largest))
            elif vanished and not self._gradients.has_bias_alone(layer):
                bound = f"below {VANISHED:g} for a whole epoch"
                faults.append((layer, "vanishes", bound, largest))
        named = self._warned | {(layer, word) for layer, word, _, _ in faults}
        for layer, word, bound, largest in faults:
            inner = any(other.startswith(f"{layer}.") and word == its for other, its in named)
            if inner or (layer, word) in self._warned:
                continue
            self._warned.add((layer, word))
            logger.warning(
                "the gradient of layer %s %s in epoch %d: its norm is %.3g, %s",
                layer, word, self._epoch, largest, bound,
            )  # fmt: skip
