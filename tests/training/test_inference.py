import numpy as np
import pytest
import torch

from roadgraph.models.graph import road_graph
from roadgraph.settings import Backbone
from roadgraph.training import inference
from roadgraph.training.inference import answers
from roadgraph.training.tiling import tiles_of_graph
from tests.dataset.toy import path_graph, toy_dataset, toy_settings
from tests.models.toy import model_of

SEGMENTS = 11
SETTINGS = toy_settings(dataset={"history_channels": False, "observed_channel": False})
DATASET = toy_dataset(SETTINGS, segments=SEGMENTS)
ROADS = path_graph(SEGMENTS)
GRAPH = road_graph(ROADS, "network")
INPUTS = DATASET.inputs[:, :, :10]


@pytest.mark.parametrize("backbone", ["mlp", "gcn", "gat"])
def test_over_tiles_the_answers_are_those_on_the_whole_graph(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(backbone, "enhanced").eval()
    given = INPUTS, np.arange(30, 47), 2, DATASET.preparation
    whole = answers(model, (GRAPH,), *given)
    assert whole["congestion"].shape == (17, 3, SEGMENTS, 4)
    assert whole["speed"].shape == (17, 3, SEGMENTS)
    tiles = tiles_of_graph(model, GRAPH, ROADS, 4)
    assert len(tiles) == 3
    # As many origins at once as the largest tile with its halo leaves room for: 2.
    monkeypatch.setattr(inference, "CELLS_A_BATCH", 22)
    cells = []
    model.register_forward_pre_hook(lambda _, seen: cells.append(seen[0][:, 0, :, 0].numel()))
    found = answers(model, tiles, *given)
    assert max(cells) <= 22
    for name, expected in whole.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-5)


def test_a_tile_larger_than_a_batch_has_one_origin_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inference, "CELLS_A_BATCH", 5)
    model = model_of("gcn", "simple").eval()
    batches = []
    model.register_forward_pre_hook(lambda _, seen: batches.append(len(seen[0])))
    answers(model, (GRAPH,), INPUTS, np.arange(30, 33), 2, DATASET.preparation)
    assert batches == [1, 1, 1]


def test_answers_are_probabilities_and_speeds_never_below_zero() -> None:
    model = model_of("gcn", "simple").eval()
    torch.nn.init.constant_(model.speed_head.bias, -50.0)  # type: ignore[arg-type, union-attr]
    found = answers(model, (GRAPH,), INPUTS, np.array([40]), 2, DATASET.preparation)
    for task in ("congestion", "rush_hour"):
        np.testing.assert_allclose(found[task].sum(-1), 1, rtol=1e-6)
    assert found["speed"].min() == 0
    assert (found["speed_interval"] >= 0).all()
