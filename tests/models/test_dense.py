from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from roadgraph.models.dense import LinearLayer, SelfAttention
from roadgraph.models.graph import normalised_graph
from tests.models.toy import random_links


def test_the_linear_layer_does_not_look_at_the_graph() -> None:
    layer = LinearLayer(4, 6)
    x = torch.randn(5, 2, 4)
    index, _ = random_links(5, 8, 0)
    graph = normalised_graph(index, None, 5)
    torch.testing.assert_close(layer(x, graph), layer(x, None))


def test_self_attention_takes_the_segments_of_a_slice_as_its_sequence() -> None:
    attention = SelfAttention(4, 2)
    reference = nn.MultiheadAttention(4, 2, batch_first=True)
    reference.load_state_dict(attention.state_dict())
    x = torch.randn(5, 3, 4)  # [N, B, F]
    by_slice = x.transpose(0, 1)
    expected, _ = reference(by_slice, by_slice, by_slice)
    torch.testing.assert_close(attention(x), expected.transpose(0, 1))


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that an operator makes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple) else (made,):
            if isinstance(tensor, torch.Tensor):
                self.numbers = max(self.numbers, tensor.numel())
        return made


@pytest.mark.parametrize("training", [True, False])
def test_self_attention_takes_memory_for_the_segments_not_for_their_pairs(training: bool) -> None:
    segments, width, slices = 600, 8, 2
    attention = SelfAttention(width, 2).train(training)
    x = torch.randn(segments, slices, width, requires_grad=True)
    with Largest() as largest:
        attention(x).square().sum().backward()
    # Queries, keys and values of all; the weights of the pairs would be 1,440,000.
    assert largest.numbers == 3 * segments * slices * width
