"""What the hardware allows: the bandwidth of a copy and the dense layers of a model alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from measuring import Times

    from roadgraph.models.graph import Operator
    from roadgraph.models.multitask import MultiTaskModel

COPIED_BYTES = 2**28


def copy(device: str) -> Callable[[], torch.Tensor]:
    """Return a step that copies ``COPIED_BYTES``, out of every cache."""
    source = torch.ones(COPIED_BYTES // 4, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def copy_bandwidth(times: Times) -> float:
    """Return bytes a second, each of the copy read and written."""
    return 2 * COPIED_BYTES / times.median


def product_bytes(operator: Operator, columns: int) -> tuple[int, int]:
    """Return the bytes of one product of ``operator`` with float32 ``[N, columns]``.

    Returns:
        With every feature read once, whoever hears of it, and written once: what no product can do
        without. And with a row read anew for every neighbour, as if there were no cache.
    """
    matrix = operator.gather
    parts = (matrix.crow_indices(), matrix.col_indices(), matrix.values())
    own = sum(part.numel() * part.element_size() for part in parts)
    row = 4 * columns
    entries = matrix.values().numel()
    return own + 2 * row * matrix.shape[0], own + row * (entries + matrix.shape[0])


def dense_products(
    model: MultiTaskModel,
    x: torch.Tensor,
    graph: object,
    bf16: bool = False,
    backward: bool = True,
) -> Callable[[], None]:
    """Return a step that does the matrix products of a model's linear layers and nothing else.

    Forward, and backward for the weights and for the inputs, without those of the first layer,
    which need no gradient.

    Args:
        model: of linear layers.
        x: what it is given.
        graph: the same.
        bf16: with operands of that kind.
        backward: both ways.
    """
    shapes: list[tuple[int, int, int]] = []
    hooks = [
        layer.register_forward_hook(
            lambda own, given, _: shapes.append(
                (given[0].numel() // own.in_features, own.in_features, own.out_features)
            )
        )
        for layer in model.modules()
        if isinstance(layer, nn.Linear)
    ]
    with torch.no_grad():
        model(x, graph)
    for hook in hooks:
        hook.remove()
    dtype = torch.bfloat16 if bf16 else torch.float32
    operands = [
        [
            torch.randn(size, device=x.device, dtype=dtype)
            for size in ((rows, inputs), (outputs, inputs), (rows, outputs))
        ]
        for rows, inputs, outputs in shapes
    ]

    def step() -> None:
        for place, (features, weight, pull) in enumerate(operands):
            torch.mm(features, weight.T)
            if backward:
                torch.mm(pull.T, features)
            if backward and place:
                torch.mm(pull, weight)

    return step
