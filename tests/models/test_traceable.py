import pytest
import torch

from roadgraph.models.graph import normalised_graph
from roadgraph.models.traceable import traced_attention, traced_product
from roadgraph.settings import Backbone
from tests.models.toy import model_of, random_links

SEGMENTS = 12


@pytest.mark.parametrize("backbone", ["gcn", "gat", "roadnet"])
def test_a_model_is_traced_whole_with_its_own_answers_and_gradients(backbone: Backbone) -> None:
    graph = normalised_graph(*random_links(SEGMENTS, 40, 0), SEGMENTS)
    graph.keep_pieces(heads=[4])
    model = model_of(backbone, "enhanced", segments=SEGMENTS, dropout=0.0)
    x = torch.randn(3, 2, SEGMENTS, 10)

    def gradients(forward: object) -> dict[str, torch.Tensor]:
        model.zero_grad()
        answers = forward(x, graph)  # type: ignore[operator]
        sum(answer.square().sum() for answer in answers.values()).backward()
        learned = {name: value.grad for name, value in model.named_parameters()}
        return {**answers, **{name: value for name, value in learned.items() if value is not None}}

    # Without a compiler behind it: the trace alone, which must not fall into pieces.
    traced = torch.compile(model.forward, backend="aot_eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(gradients(traced), gradients(model), atol=1e-3, rtol=1e-4)


def test_the_operators_tell_torch_their_true_shapes_and_gradients() -> None:
    graph = normalised_graph(*random_links(6, 15, 1), 6)
    graph.keep_pieces()
    x = torch.randn(6, 2, 4, requires_grad=True)
    pieces = graph.upstream.pieces
    torch.library.opcheck(torch.ops.roadgraph.sparse_product.default, (x, *pieces))
    torch.testing.assert_close(
        traced_product(graph.upstream, x).flatten(1), graph.upstream.gather @ x.flatten(1)
    )
    pairs = graph.neighbours.of_heads(2)
    weights = torch.rand(len(graph.neighbours.source), 2, 2, requires_grad=True)
    features = torch.randn(6, 2, 2, 3, requires_grad=True)
    blocks = [
        tensor
        for block in (pairs.gather, pairs.scatter)
        for tensor in (block.rows, block.columns, block.place, block.inverse)
    ]
    product = torch.ops.roadgraph.attention_product.default
    torch.library.opcheck(product, (weights, features, blocks))
    torch.testing.assert_close(
        traced_attention(weights, features, pairs), product(weights, features, blocks)
    )
