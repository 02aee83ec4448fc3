import pytest
import torch
from torch import nn

from roadgraph.models.dense import LinearLayer, SelfAttention
from roadgraph.models.initialisation import Initialisation, initialise
from roadgraph.models.layers import GATConv, GCNConv

LAYERS = [LinearLayer(200, 300), GCNConv(200, 300), GATConv(200, 75, 4), SelfAttention(200, 4)]


def matrices(layer: nn.Module) -> list[torch.Tensor]:
    if isinstance(layer, SelfAttention):
        return [*layer.in_proj_weight.chunk(3), layer.out_proj.weight]
    return [value for name, value in layer.named_parameters() if name.endswith("weight")]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("kind", ["he", "xavier"])
def test_matrices_have_the_variance_of_their_paper(layer: nn.Module, kind: Initialisation) -> None:
    for value in layer.parameters():
        nn.init.ones_(value)
    initialise(layer, kind)
    assert matrices(layer)
    for matrix in matrices(layer):
        outputs, inputs = matrix.shape
        variance = 2 / inputs if kind == "he" else 2 / (inputs + outputs)
        assert matrix.var().item() == pytest.approx(variance, rel=0.05)
        assert abs(matrix.mean().item()) < 0.003
    biases = [value for name, value in layer.named_parameters() if name.endswith("bias")]
    assert biases
    assert not any(bias.any() for bias in biases)


def test_the_default_and_what_is_no_matrix_stay_as_they_are() -> None:
    layer, norm = GATConv(4, 2, 2), nn.BatchNorm1d(3)
    before = [value.clone() for value in layer.parameters()]
    initialise(layer, "default")
    torch.testing.assert_close(list(layer.parameters()), before)
    scores = layer.att_src.clone()
    initialise(nn.Sequential(layer, norm), "he")
    torch.testing.assert_close(layer.att_src, scores)
    assert norm.weight.tolist() == [1, 1, 1]
