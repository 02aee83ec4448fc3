"""A table of a model's layers: parameters, work and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.nn import MessagePassing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.models.graph import Graph

SPARSE = (torch.sparse_csr, torch.sparse_csc, torch.sparse_coo)


@dataclass(frozen=True)
class LayerSummary:
    """A layer.

    Attributes:
        name: path in the model, such as ``fc1``; empty for the model itself.
        kind: class.
        parameters: learned numbers.
        flops: multiply-adds of the forward pass of one slice's forecast; products alone.
        activation_bytes: what the layer hands on, for the whole batch.
    """

    name: str
    kind: str
    parameters: int
    flops: int
    activation_bytes: int


def summarise(
    model: nn.Module, graph: Graph, batch: int, window: int, channels: int
) -> list[LayerSummary]:
    """Return a row for every layer, in the order of the model; each number stands in one row.

    A graph layer or an attention is one row, with all that it is made of. What a model multiplies
    or learns outside its layers stands in the row of the module that does it.

    Args:
        model: called with ``x [1, L, N, F]`` and the graph, in evaluation mode, once.
        graph: of the ``N`` segments.
        batch: slices a step, for ``activation_bytes``.
        window: ``L``.
        channels: ``F``.
    """
    layers = list(_layers("", model))
    reads = next(iter(model.parameters()))
    x = torch.zeros(1, window, graph.neighbours.segments, channels).to(reads)
    flops, handed_on = _measured(model, x, graph, layers)
    rows = []
    for name, module, whole in layers:
        parameters = sum(value.numel() for value in module.parameters(recurse=whole))
        if whole or flops[name] or parameters:
            size = batch * handed_on[name] if whole else 0
            rows.append(LayerSummary(name, type(module).__name__, parameters, flops[name], size))
    return rows


def total(layers: list[LayerSummary]) -> LayerSummary:
    """Return the sums of all rows."""
    return LayerSummary(
        name="total",
        kind="",
        parameters=sum(layer.parameters for layer in layers),
        flops=sum(layer.flops for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
    )


def _layers(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """Yield name, module and whether its row holds all that is in it."""
    whole = isinstance(module, MessagePassing | nn.MultiheadAttention) or not any(
        True for _ in module.children()
    )
    yield name, module, whole
    if not whole:
        for child, inner in module.named_children():
            yield from _layers(f"{name}.{child}" if name else child, inner)


def _measured(
    model: nn.Module, x: torch.Tensor, graph: Graph, layers: list[tuple[str, nn.Module, bool]]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return own multiply-adds and bytes handed on by name, of one forward pass of one slice."""
    flops = {name: 0 for name, *_ in layers}
    handed_on = dict(flops)
    counter = FlopCounterMode(display=False, custom_mapping=_products())
    counted: list[int] = []  # before each module that runs now, plus what its children took

    def before() -> None:
        counted.append(counter.get_total_flops())

    def after(name: str, answer: Any) -> None:
        inside = counter.get_total_flops() - counted.pop()
        # torch counts a multiplication and an addition as two
        flops[name] += inside // 2
        counted[:] = [begun + inside for begun in counted]
        handed_on[name] += _bytes(answer)

    hooks = []
    for name, module, _ in layers:
        hooks.append(module.register_forward_pre_hook(lambda _m, _x: before()))
        hooks.append(module.register_forward_hook(lambda _m, _x, y, name=name: after(name, y)))
    training = model.training
    model.eval()
    try:
        # With gradients, or attention takes a way of its own in which nothing is counted.
        with counter, torch.enable_grad():
            model(x, graph)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return flops, handed_on


def _bytes(answer: Any) -> int:
    if isinstance(answer, torch.Tensor):
        return answer.numel() * answer.element_size()
    if isinstance(answer, dict):
        answer = tuple(answer.values())
    if isinstance(answer, list | tuple):
        return sum(_bytes(part) for part in answer)
    return 0


def _products() -> dict[Any, Any]:
    """Return how to count what torch counts wrongly or not at all."""
    aten = torch.ops.aten

    def product(left: torch.Tensor, right: torch.Tensor, *_: Any, **__: Any) -> int:
        # torch takes a sparse matrix for a full one
        links = left._nnz() if left.layout in SPARSE else left.numel()
        return 2 * links * right.shape[1]

    def sum_and_product(_: Any, left: torch.Tensor, right: torch.Tensor, **__: Any) -> int:
        return product(left, right)

    def attention(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any
    ) -> int:
        # every query with every key, and every weight with every value: [B, heads, N, width]
        pairs = query.shape[:-1].numel() * key.shape[-2]
        return 2 * pairs * (query.shape[-1] + value.shape[-1])

    counts: dict[Any, Any] = {
        aten.mm: product,
        aten.addmm: sum_and_product,
        aten._scaled_dot_product_flash_attention_for_cpu: attention,
    }
    for count in counts.values():
        count._get_raw = True  # FlopCounterMode then hands tensors over, not shapes
    return counts
