from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import SettingsError, TrainingError
from roadgraph.models.graph import Graph, road_graph
from roadgraph.settings import Backbone, Settings
from roadgraph.training import tiling
from roadgraph.training.batches import loader_of
from roadgraph.training.checkpoints import training_fingerprint
from roadgraph.training.fit import fit
from roadgraph.training.loop import TrainingJob, untrained
from roadgraph.training.losses import CellLoss
from roadgraph.training.module import ForecastModule
from roadgraph.training.tiling import (
    TileBatches,
    TileOrigins,
    tiles_of_graph,
    tiles_to_answer,
)
from tests.dataset.toy import path_graph, toy_dataset, toy_settings
from tests.models.toy import model_of

SEGMENTS = 8
ORIGINS = torch.arange(20, 60)


def settings_for(name: str = "gcn", size: str = "simple", **training: object) -> Settings:
    quick = {
        "device": "cpu", "noise_std": 0.0, "max_epochs": 2, "batch_size": 100, "tile_segments": 3,
    }  # fmt: skip
    model = {"name": name, "segment_embedding": 0, "norm": "layer", "dropout": 0.0}
    return toy_settings(model=model, size=size, training={**quick, **training})


@cache
def dataset() -> Dataset:
    return toy_dataset(toy_settings(), segments=SEGMENTS)


def pairs_of(batches: TileBatches, epoch: int = 0) -> list[tuple[int, tuple[int, ...]]]:
    batches.set_epoch(epoch)
    return [(tile, tuple(origins.tolist())) for tile, origins in batches]


def test_an_epoch_has_every_tile_with_every_origin_once() -> None:
    batches = TileBatches(3, np.arange(10, 21), batch_size=4, seed=3)
    pairs = pairs_of(batches)
    assert len(pairs) == len(batches) == 9
    seen = sorted((tile, origin) for tile, origins in pairs for origin in origins)
    assert seen == [(tile, origin) for tile in range(3) for origin in range(10, 21)]


def test_the_order_of_pairs_is_a_function_of_seed_and_epoch() -> None:
    one, other = (TileBatches(4, np.arange(9), 3, seed=3) for _ in range(2))
    orders = [pairs_of(one, epoch) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    assert [pairs_of(other, epoch) for epoch in (2, 0)] == [orders[2], orders[0]]
    tiles = [tile for tile, _ in orders[0]]
    assert tiles != sorted(tiles)


def test_without_a_seed_tile_follows_tile_and_batch_batch() -> None:
    pairs = pairs_of(TileBatches(2, np.arange(5), 2, None))
    assert pairs == [(0, (0, 1)), (0, (2, 3)), (0, (4,)), (1, (0, 1)), (1, (2, 3)), (1, (4,))]


def test_a_step_of_two_processes_takes_two_pairs() -> None:
    alone = pairs_of(TileBatches(4, np.arange(9), 4, 3))
    first, second = (TileBatches(4, np.arange(9), 4, 3, rank, 2) for rank in (0, 1))
    assert len(first) == len(second) == 6
    assert pairs_of(first) == alone[0::2]
    assert pairs_of(second) == alone[1::2]


def test_a_loader_hands_the_pairs_on_as_they_are() -> None:
    found = list(loader_of(TileBatches(2, np.arange(3), 2, None)))
    assert [(batch.tile, batch.origins.tolist()) for batch in found] == [
        (0, [0, 1]), (0, [2]), (1, [0, 1]), (1, [2]),
    ]  # fmt: skip


def places_of(tiles: tuple[Graph, ...]) -> list[list[int] | None]:
    return [None if tile.places is None else tile.places.tolist() for tile in tiles]


def test_a_graph_is_cut_with_the_halo_that_the_model_hears() -> None:
    roads = path_graph(6)
    graph = road_graph(roads, "network")
    two_hops, none = model_of("gcn", "simple"), model_of("mlp", "simple")
    # The wave along the path begins at its far end.
    assert places_of(tiles_of_graph(two_hops, graph, roads, 2)) == [
        [4, 5, 3, 2], [2, 3, 1, 4, 0, 5], [0, 1, 2, 3],
    ]  # fmt: skip
    assert places_of(tiles_of_graph(none, graph, roads, 2)) == [[4, 5], [2, 3], [0, 1]]
    assert [tile.own for tile in tiles_of_graph(two_hops, graph, roads, 2)] == [2, 2, 2]


def test_the_control_has_the_tiles_of_its_model_and_no_halo() -> None:
    roads = path_graph(6)
    tiles = tiles_of_graph(model_of("gcn", "simple"), road_graph(roads, "self_loops"), roads, 2)
    assert places_of(tiles) == [[4, 5], [2, 3], [0, 1]]


def test_a_graph_that_is_one_tile_stays_whole() -> None:
    roads = path_graph(6)
    graph, model = road_graph(roads, "network"), model_of("gcn", "simple")
    for tile_segments in (0, 6, 7):
        assert tiles_of_graph(model, graph, roads, tile_segments) == (graph,)
    # Two processes need two tiles.
    assert len(tiles_of_graph(model, graph, roads, 7, devices=2)) == 2


def test_who_hears_all_answers_on_the_tiles_of_its_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiling, "WHOLE_TO_ANSWER", 5)
    monkeypatch.setattr(tiling, "TILE_TO_ANSWER", 4)
    roads, small = path_graph(6), path_graph(5)
    graph = road_graph(roads, "network")
    far: tuple[Backbone, ...] = ("roadnet", "attention")
    near: tuple[Backbone, ...] = ("mlp", "gcn", "gat")
    for name in far:
        model = model_of(name, "simple")
        assert len(tiles_to_answer(model, graph, roads, 2, 1)) == 3
        assert tiles_to_answer(model, graph, roads, 0, 1) == (graph,)
    for name in near:
        model = model_of(name, "simple")
        assert [len(tiles_to_answer(model, graph, roads, many, 2)) for many in (0, 2)] == [2, 2]
        whole = road_graph(small, "network")
        assert tiles_to_answer(model, whole, small, 2, 1) == (whole,)


class Summed(ForecastModule):
    """Keeps what it was given and the sums of its losses."""

    def __init__(self, settings: Settings) -> None:
        model, graph = untrained(TrainingJob(dataset(), settings, "cpu"))
        super().__init__(model, graph, dataset(), settings.training)
        self.found: list[dict[str, CellLoss]] = []
        self.given: list[torch.Tensor] = []
        self.sizes: list[int] = []

    def _losses(self, step: Any) -> dict[str, CellLoss]:
        self.given.append(step.x)
        self.found.append(super()._losses(step))
        return self.found[-1]

    def _show(
        self, stage: str, total: torch.Tensor, losses: dict[str, torch.Tensor], batch: int
    ) -> None:
        self.sizes.append(batch)


@pytest.mark.parametrize("name", ["gcn", "gat", "mlp"])
@pytest.mark.parametrize("quality_weights", [False, True])
def test_the_losses_of_the_tiles_and_their_gradients_add_up_to_those_of_the_whole_graph(
    name: str, quality_weights: bool
) -> None:
    options = {"hidden_share": 0.3, "quality_weights": quality_weights}
    whole, over = (
        Summed(settings_for(name, "enhanced", tile_segments=size, **options)) for size in (0, 3)
    )
    whole.validation_step(ORIGINS, 0)
    for tile in range(3):
        over.validation_step(TileOrigins(tile, ORIGINS), tile)
    assert over.sizes == [len(ORIGINS) * own for own in (2, 3, 3)]
    gradients = []
    for module in (whole, over):
        sums = [loss.total for found in module.found for loss in found.values()]
        torch.stack(sums).sum().backward()
        gradients.append(
            torch.nn.utils.parameters_to_vector(
                value.grad for value in module.model.parameters() if value.grad is not None
            )
        )
    for task, loss in whole.found[0].items():
        total = sum(float(found[task].total.detach()) for found in over.found)
        assert total == pytest.approx(float(loss.total.detach()), rel=1e-5)
        weight = sum(float(found[task].weight) for found in over.found)
        assert weight == pytest.approx(float(loss.weight), rel=1e-6)
    scale = float(gradients[0].abs().max())
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5 * scale, rtol=1e-4)


def test_the_same_segments_are_hidden_on_whatever_tile() -> None:
    whole, over = (Summed(settings_for(hidden_share=0.3, tile_segments=size)) for size in (0, 3))
    whole.training_step(ORIGINS, 0)
    for tile, graph in enumerate(over.tiles):
        over.training_step(TileOrigins(tile, ORIGINS), tile)
        assert graph.places is not None
        assert torch.equal(over.given[tile], whole.given[0][:, :, graph.places])


def test_a_training_over_tiles_validates_on_all_of_them() -> None:
    settings = settings_for(learning_rate=1e-6, max_epochs=1)
    everywhere = fit(dataset(), settings)
    whole = fit(dataset(), settings_for(learning_rate=1e-6, max_epochs=1, tile_segments=0))
    # Hardly anything is learned; tiles weigh as many segments, not as many labels, as they have.
    assert everywhere.history[0]["val_loss"] == pytest.approx(whole.validation_loss, rel=0.01)
    assert everywhere.history[0]["val_loss"] == pytest.approx(everywhere.validation_loss)


def test_over_tiles_the_data_may_stay_on_the_host() -> None:
    options: dict[str, Any] = {"hidden_share": 0.3, "quality_weights": True, "max_epochs": 1}
    there, here = (fit(dataset(), settings_for(data_on=on, **options)) for on in ("device", "host"))
    assert here.history[0]["val_loss"] == there.history[0]["val_loss"]
    for name, value in here.model.state_dict().items():
        assert torch.equal(value, there.model.state_dict()[name]), name


class KilledError(Exception):
    """In the place of a signal."""


def test_an_interrupted_training_over_tiles_ends_with_the_same_weights(tmp_path: Path) -> None:
    settings = settings_for("roadnet", hidden_share=0.2, noise_std=0.1)
    whole = fit(dataset(), settings)

    def kill(figures: dict[str, float]) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        fit(dataset(), settings, kill, tmp_path)
    again = fit(dataset(), settings, checkpoints=tmp_path)
    assert [epoch["epoch"] for epoch in again.history] == [0, 1]
    for name, value in again.model.state_dict().items():
        assert torch.equal(value, whole.model.state_dict()[name]), name
    assert len(again.tiles) == 3


def test_a_training_over_tiles_depends_on_where_the_segments_lie() -> None:
    there = replace(dataset().graph, midpoints_m=np.zeros((SEGMENTS, 2)))
    moved = replace(dataset(), graph=there)
    over, whole = settings_for(), settings_for(tile_segments=0)
    assert training_fingerprint(dataset(), over) != training_fingerprint(moved, over)
    assert training_fingerprint(dataset(), whole) == training_fingerprint(moved, whole)


def test_a_loss_that_is_no_number_is_told_of_with_its_tile() -> None:
    inputs = dataset().inputs.copy()
    inputs[60, 7] = np.nan
    text = r"^the training loss is nan in epoch 0, batch \d+, tile \d, origins .* the input channel"
    with pytest.raises(TrainingError, match=text):
        fit(replace(dataset(), inputs=inputs), settings_for())


def test_more_tiles_than_segments_are_refused() -> None:
    text = (
        "training.tile_segments=1 with training.devices=3: 8 segments cannot be cut into 9 tiles; "
        "use larger tiles"
    )
    with pytest.raises(SettingsError, match=text):
        fit(dataset(), settings_for(tile_segments=1, devices=3))
