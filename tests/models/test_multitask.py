import pytest
import torch
from torch import nn

from roadgraph.models.graph import Graph, normalised_graph
from roadgraph.models.multitask import OUTPUTS, MultiTaskModel, SpeedBasePlaces
from roadgraph.models.registry import BACKBONES, SIZES

TASKS = ("congestion", "rush_hour", "speed")
MODELS = [(backbone, size) for backbone in BACKBONES for size in SIZES]


def model_of(
    backbone: str, size: str, channels: int = 10, window: int = 2, horizons: int = 3
) -> MultiTaskModel:
    torch.manual_seed(0)
    layer = BACKBONES[backbone]  # type: ignore[index]
    base = SpeedBasePlaces(0, (-1,) * horizons)
    return SIZES[size](channels, window, horizons, TASKS, layer, base).eval()  # type: ignore[index]


def ring(segments: int) -> tuple[torch.Tensor, Graph]:
    index = torch.stack([torch.arange(segments), torch.arange(segments).roll(-1)])
    return index, normalised_graph(index, None, segments)


@pytest.mark.parametrize(("size", "parameters"), [("simple", 5254), ("enhanced", 52102)])
def test_mlp_has_the_parameters_of_the_original_models(size: str, parameters: int) -> None:
    model = SIZES[size](10, 1, 1, ("congestion", "rush_hour"), BACKBONES["mlp"])  # type: ignore[index]
    assert sum(value.numel() for value in model.parameters()) == parameters


@pytest.mark.parametrize("size", SIZES)
def test_gcn_has_as_many_parameters_as_mlp(size: str) -> None:
    counts = {
        name: sum(value.numel() for value in model_of(name, size).parameters())
        for name in BACKBONES
    }
    assert counts["gcn"] == counts["mlp"]


@pytest.mark.parametrize(("backbone", "size"), MODELS)
def test_answers_have_the_shapes_of_the_design(backbone: str, size: str) -> None:
    _, graph = ring(5)
    answers = model_of(backbone, size)(torch.randn(4, 2, 5, 10), graph)
    assert {task: tuple(answer.shape) for task, answer in answers.items()} == {
        "congestion": (4, 3, 5, 4),
        "rush_hour": (4, 3, 5, 2),
        "speed": (4, 3, 5),
    }


@pytest.mark.parametrize(("backbone", "size"), MODELS)
def test_renumbering_the_segments_renumbers_the_answers(backbone: str, size: str) -> None:
    index, graph = ring(6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    place = torch.argsort(order)
    renumbered = normalised_graph(place[index], None, 6)
    model = model_of(backbone, size)
    x = torch.randn(2, 2, 6, 10)
    answers = model(x, graph)
    moved = model(x[:, :, order], renumbered)
    for task in TASKS:
        torch.testing.assert_close(moved[task], answers[task][:, :, order], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("backbone", "size"), MODELS)
def test_slices_of_a_batch_do_not_hear_each_other(backbone: str, size: str) -> None:
    _, graph = ring(5)
    model = model_of(backbone, size)
    x = torch.randn(3, 2, 5, 10)
    together = model(x, graph)
    alone = model(x[1:2], graph)
    for task in TASKS:
        torch.testing.assert_close(together[task][1:2], alone[task], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_gcn_hears_its_neighbours_and_mlp_does_not(size: str) -> None:
    _, graph = ring(8)
    x = torch.randn(1, 2, 8, 10)
    changed = x.clone()
    changed[:, :, 0] += 5
    for backbone, hears in (("gcn", True), ("mlp", False)):
        model = model_of(backbone, size)
        before, after = model(x, graph)["congestion"], model(changed, graph)["congestion"]
        assert (not torch.equal(before[:, :, 1], after[:, :, 1])) == hears
        assert not torch.equal(before[:, :, 0], after[:, :, 0])


def test_the_speed_is_the_change_from_its_base() -> None:
    _, graph = ring(4)
    model = SIZES["simple"](
        10, 3, 2, ("speed",), BACKBONES["mlp"], SpeedBasePlaces(channel=7, steps=(-2, -1))
    )
    head = model.speed_head
    assert isinstance(head, nn.Linear)
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, 0.5)
    x = torch.randn(1, 3, 4, 10)
    speed = model(x, graph)["speed"]
    torch.testing.assert_close(speed[0, 0], x[0, 1, :, 7] + 0.5)
    torch.testing.assert_close(speed[0, 1], x[0, 2, :, 7] + 0.5)


@pytest.mark.parametrize("task", OUTPUTS)
def test_a_model_has_the_heads_of_its_tasks_alone(task: str) -> None:
    _, graph = ring(4)
    model = SIZES["simple"](10, 1, 1, (task,), BACKBONES["mlp"])
    assert list(model(torch.randn(1, 1, 4, 10), graph)) == [task]
