import pytest
import torch
from torch import nn

from roadgraph.models.dense import LinearLayer, SelfAttention
from roadgraph.models.graph import Graph
from roadgraph.models.summary import LayerSummary, summarise, total
from roadgraph.settings import Backbone, Size
from tests.models.toy import MODELS, model_of, ring

SEGMENTS, PAIRS = 6, 12  # a ring in one direction with self-loops
WINDOW, BATCH = 2, 4


def rows_of(backbone: Backbone, size: Size) -> dict[str, LayerSummary]:
    _, graph = ring(SEGMENTS)
    model = model_of(backbone, size, window=WINDOW, horizons=3)
    return {row.name: row for row in summarise(model, graph, BATCH, WINDOW, 10)}


def test_a_linear_layer_by_hand() -> None:
    row = rows_of("mlp", "simple")["fc1"]
    # 20 inputs, 64 outputs, 6 segments, 4 slices of 4-byte numbers
    assert row == LayerSummary("fc1", "LinearLayer", 21 * 64, 6 * 20 * 64, 4 * 6 * 64 * 4)


def test_a_graph_convolution_counts_the_links_that_there_are() -> None:
    row = rows_of("gcn", "simple")["fc2"]
    assert row == LayerSummary("fc2", "GCNConv", 65 * 64, 6 * 64 * 64 + PAIRS * 64, 4 * 6 * 64 * 4)


def test_a_graph_attention_counts_its_scores_and_the_links_that_there_are() -> None:
    row = rows_of("gat", "simple")["fc2"]
    scores = 6 * 64 * 2 * 4  # two scores of 4 heads, each from all 64 features
    weights = 2 * 4 * 64 * 64  # of these scores, from those of the features, once a pass
    assert row.flops == 6 * 64 * 64 + scores + weights + PAIRS * 64
    assert row.parameters == 64 * 64 + 3 * 64


def test_self_attention_counts_every_pair_of_segments() -> None:
    row = rows_of("attention", "simple")["attention"]
    projections, products = 4 * 6 * 64 * 64, 2 * 6 * 6 * 64
    assert row.flops == projections + products
    assert row.parameters == 4 * 65 * 64


def test_a_layer_that_runs_thrice_hands_on_thrice() -> None:
    rows = rows_of("mlp", "enhanced")
    assert rows["dropout"].activation_bytes == 3 * rows["fc1"].activation_bytes


@pytest.mark.parametrize(("backbone", "size"), MODELS)
def test_rows_hold_every_parameter_and_no_work_twice(backbone: Backbone, size: Size) -> None:
    _, graph = ring(SEGMENTS)
    model = model_of(backbone, size, window=WINDOW)
    rows = summarise(model, graph, BATCH, WINDOW, 10)
    assert len({row.name for row in rows}) == len(rows)
    assert total(rows).parameters == sum(value.numel() for value in model.parameters())
    linear = sum(
        SEGMENTS * layer.in_features * layer.out_features
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and not name.startswith("attention")
    )
    assert total(rows).flops >= linear
    assert all(row.flops >= 0 for row in rows)


class OwnWork(nn.Module):
    """A product and a weight of its own beside its layer, which stands in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 5))
        self.layers = nn.ModuleList([LinearLayer(3, 3)])

    def forward(self, x: torch.Tensor, graph: Graph) -> dict[str, torch.Tensor]:
        return {"answer": self.layers[0](x, graph) @ self.weight}


def test_work_outside_the_layers_stands_in_the_row_of_who_does_it() -> None:
    _, graph = ring(SEGMENTS)
    assert summarise(OwnWork(), graph, 1, 1, 3) == [
        LayerSummary("", "OwnWork", 15, 6 * 3 * 5, 0),
        LayerSummary("layers.0", "LinearLayer", 12, 6 * 3 * 3, 6 * 3 * 4),
    ]


def test_the_total_sums_the_rows() -> None:
    rows = [LayerSummary("a", "A", 1, 10, 100), LayerSummary("b", "B", 2, 20, 200)]
    assert total(rows) == LayerSummary("total", "", 3, 30, 300)


def test_a_model_is_left_as_it_was() -> None:
    _, graph = ring(SEGMENTS)
    model = model_of("gcn", "enhanced", window=WINDOW).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    summarise(model, graph, BATCH, WINDOW, 10)
    assert model.training
    torch.testing.assert_close(model.state_dict(), before)
    assert not any(module._forward_hooks for module in model.modules())


def test_attention_work_grows_with_the_square_of_the_segments() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = SelfAttention(4, 2)

        def forward(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
            answer: torch.Tensor = self.attention(x[:, 0].transpose(0, 1))
            return answer

    for segments in (10, 20):
        _, graph = ring(segments)
        (row,) = summarise(Attention(), graph, 1, 1, 4)
        assert row.flops == 4 * segments * 4 * 4 + 2 * segments**2 * 4
