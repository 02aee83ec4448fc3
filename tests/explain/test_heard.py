import numpy as np
import pytest
import torch

from roadgraph.explain.gradients import integrated_gradients
from roadgraph.explain.heard import Heard, heard_by
from roadgraph.models.graph import road_graph
from roadgraph.settings import Backbone
from roadgraph.training.tiling import tiles_of_graph
from tests.dataset.toy import path_graph
from tests.models.toy import model_of

SEGMENTS = 11
ROADS = path_graph(SEGMENTS)
GRAPH = road_graph(ROADS, "network")
WINDOWS = torch.randn((2, 1, 2, SEGMENTS, 10), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("backbone", "expected"), [("mlp", [6]), ("gcn", [4, 5, 6, 7, 8]), ("gat", [4, 5, 6, 7, 8])]
)
def test_of_layers_that_hear_neighbours_the_roads_within_their_hops_are_heard(
    backbone: Backbone, expected: list[int]
) -> None:
    model = model_of(backbone, "simple").eval()
    for tiles in ((GRAPH,), tiles_of_graph(model, GRAPH, ROADS, 4)):
        heard = heard_by(model, tiles, 6)
        assert sorted(heard.places.tolist()) == expected
        assert heard.places[heard.own] == 6


def test_a_place_of_no_tile_is_refused() -> None:
    model = model_of("gcn", "simple")
    first, second, *_ = tiles_of_graph(model, GRAPH, ROADS, 4)
    assert second.places is not None
    other = int(second.places[0])
    with pytest.raises(ValueError, match=r"needs a place that a tile answers for \(found \d+\)"):
        heard_by(model, (first,), other)


def test_the_control_hears_nobody() -> None:
    alone = road_graph(ROADS, "self_loops")
    assert heard_by(model_of("gcn", "enhanced"), (alone,), 6).places.tolist() == [6]


@pytest.mark.parametrize("backbone", ["attention", "roadnet"])
def test_a_model_that_hears_all_keeps_its_tile(backbone: Backbone) -> None:
    model = model_of(backbone, "simple")
    whole = heard_by(model, (GRAPH,), 6)
    assert whole.graph is GRAPH
    assert (whole.places.tolist(), whole.own) == (list(range(SEGMENTS)), 6)
    tiles = tiles_of_graph(model, GRAPH, ROADS, 4)
    part = heard_by(model, tiles, 6)
    assert any(part.graph is tile for tile in tiles)
    assert len(part.places) < SEGMENTS
    assert part.places[part.own] == 6


@pytest.mark.parametrize("backbone", ["mlp", "gcn", "gat"])
@pytest.mark.parametrize("place", [0, 6])
def test_the_cut_out_gives_the_attributions_of_the_whole_graph(
    backbone: Backbone, place: int
) -> None:
    model = model_of(backbone, "enhanced").eval()
    x, baseline = WINDOWS

    def attributions(heard: Heard) -> np.ndarray:
        found = integrated_gradients(
            lambda x: model(x, heard.graph)["speed"][:, 1, heard.own],
            x[:, :, heard.places], baseline[:, :, heard.places], 16, 1.0,
        )  # fmt: skip
        everywhere = np.zeros((2, SEGMENTS, 10))
        everywhere[:, heard.places] = found.values
        return everywhere

    whole = attributions(Heard(GRAPH, np.arange(SEGMENTS), place))
    cut = heard_by(model, tiles_of_graph(model, GRAPH, ROADS, 4), place)
    assert len(cut.places) < SEGMENTS
    np.testing.assert_allclose(attributions(cut), whole, atol=1e-5)
