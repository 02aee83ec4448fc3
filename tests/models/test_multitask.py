from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from roadgraph.models.dense import LinearLayer
from roadgraph.models.graph import road_graph
from roadgraph.models.multitask import OUTPUTS, SpeedBasePlaces
from roadgraph.models.registry import SIZES
from roadgraph.settings import Backbone, Size
from tests.models.test_graph import roads
from tests.models.toy import MODELS, TASKS, model_of, ring

KEYS = (*TASKS, "speed_interval")
EVERY_MODEL = pytest.mark.parametrize(("backbone", "size"), MODELS)


@pytest.mark.parametrize(
    ("backbone", "size", "parameters"),
    [
        ("mlp", "simple", 5254),
        ("mlp", "enhanced", 52102),
        ("attention", "enhanced", 118150),
        ("gcn", "simple", 5254),
        ("gcn", "enhanced", 52102),
        # self-attention of 64: 4 * (64 * 64 + 64)
        ("attention", "simple", 5254 + 16640),
        # two score vectors as wide as the layer, a layer
        ("gat", "simple", 5254 + 2 * 2 * 64),
        ("gat", "enhanced", 52102 + 3 * 2 * 128),
    ],
)
def test_models_have_the_parameters_of_the_design(
    backbone: Backbone, size: Size, parameters: int
) -> None:
    model = model_of(backbone, size, window=1, horizons=1, tasks=("congestion", "rush_hour"))
    assert sum(value.numel() for value in model.parameters()) == parameters


@EVERY_MODEL
@pytest.mark.parametrize(("window", "horizons"), [(1, 1), (4, 3)])
def test_answers_have_the_shapes_of_the_design(
    backbone: Backbone, size: Size, window: int, horizons: int
) -> None:
    _, graph = ring(5)
    answers = model_of(backbone, size, window, horizons)(torch.randn(2, window, 5, 10), graph)
    assert {task: tuple(answer.shape) for task, answer in answers.items()} == {
        "congestion": (2, horizons, 5, 4),
        "rush_hour": (2, horizons, 5, 2),
        "speed": (2, horizons, 5),
        "speed_interval": (2, horizons, 5, 2),
    }


@EVERY_MODEL
def test_renumbering_the_segments_renumbers_the_answers(backbone: Backbone, size: Size) -> None:
    # a fork and a merge with weights, so that no two segments look alike
    source, target, weight = [0, 1, 1, 2, 3, 5], [1, 2, 3, 4, 4, 0], [1.0, 2, 3, 4, 5, 6]
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    place = torch.argsort(order).tolist()
    graph = road_graph(roads(source, target, weight, 6), "network")
    renumbered = road_graph(
        roads([place[one] for one in source], [place[one] for one in target], weight, 6), "network"
    )
    model = model_of(backbone, size).eval()
    x = torch.randn(2, 2, 6, 10)
    answers = model(x, graph)
    moved = model(x[:, :, order], renumbered)
    for key in KEYS:
        torch.testing.assert_close(moved[key], answers[key][:, :, order], atol=1e-5, rtol=1e-4)
        assert not torch.allclose(moved[key], answers[key], atol=1e-3)


@EVERY_MODEL
def test_slices_of_a_batch_do_not_hear_each_other(backbone: Backbone, size: Size) -> None:
    _, graph = ring(5)
    model = model_of(backbone, size).eval()
    x = torch.randn(3, 2, 5, 10)
    together = model(x, graph)
    alone = model(x[1:2], graph)
    for key in KEYS:
        torch.testing.assert_close(together[key][1:2], alone[key], atol=1e-5, rtol=1e-4)


@EVERY_MODEL
def test_every_weight_of_a_model_has_a_part_in_its_answers(backbone: Backbone, size: Size) -> None:
    _, graph = ring(5)
    model = model_of(backbone, size)
    answers = model(torch.randn(3, 2, 5, 10), graph)
    sum(answer.square().sum() for answer in answers.values()).backward()
    for name, value in model.named_parameters():
        assert value.grad is not None, name


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("backbone", "nearest", "farthest"),
    [("mlp", False, False), ("gcn", True, False), ("gat", True, False), ("attention", True, True)],
)
def test_who_hears_a_segment(size: Size, backbone: Backbone, nearest: bool, farthest: bool) -> None:
    _, graph = ring(8)
    model = model_of(backbone, size).eval()
    x = torch.randn(1, 2, 8, 10)
    changed = x.clone()
    changed[:, :, 0] += 5
    before, after = model(x, graph)["congestion"], model(changed, graph)["congestion"]
    moved = (before - after).abs().amax((0, 1, 3)) > 1e-6
    assert moved[0]
    assert moved[1] == nearest
    assert moved[7] == farthest  # at most three links behind in the ring, here seven


@pytest.mark.parametrize(
    ("backbone", "size", "hops", "hears_all"),
    [
        ("mlp", "enhanced", 0, False), ("attention", "simple", 0, True),
        ("gcn", "simple", 2, False), ("gat", "enhanced", 3, False),
        ("roadnet", "simple", 2, True), ("roadnet", "enhanced", 3, True),
    ],
)  # fmt: skip
def test_a_model_says_how_far_it_hears(
    backbone: Backbone, size: Size, hops: int, hears_all: bool
) -> None:
    model = model_of(backbone, size)
    assert (model.hops, model.hears_all) == (hops, hears_all)
    if hears_all:
        return
    # On a road one way, changes arrive from no farther than that.
    _, graph = ring(9)
    x = torch.randn(1, 2, 9, 10, requires_grad=True)
    model.eval()(x, graph)["congestion"][:, :, 8].square().sum().backward()
    assert x.grad is not None
    heard = x.grad.abs().amax((0, 1, 3)) > 0
    assert heard.nonzero().flatten().tolist() == list(range(8 - hops, 9))


@EVERY_MODEL
def test_the_interval_never_crosses_the_speed(backbone: Backbone, size: Size) -> None:
    _, graph = ring(5)
    answers = model_of(backbone, size)(10 * torch.randn(3, 2, 5, 10), graph)
    low, high = answers["speed_interval"].unbind(-1)
    assert (low <= answers["speed"]).all()
    assert (answers["speed"] <= high).all()
    assert (low < high).any()


def simple_speed_model(bias: Callable[[torch.Tensor], Any]) -> nn.Module:
    model = SIZES["simple"](
        10, 3, 2, ("speed",), LinearLayer, SpeedBasePlaces(channel=7, steps=(-2, -1))
    )
    head = model.speed_head
    assert isinstance(head, nn.Linear)
    nn.init.zeros_(head.weight)
    bias(head.bias)
    return model


def test_the_speed_is_the_change_from_its_base() -> None:
    _, graph = ring(4)
    x = torch.randn(1, 3, 4, 10)
    speed = simple_speed_model(lambda bias: nn.init.constant_(bias, 0.5))(x, graph)["speed"]
    torch.testing.assert_close(speed[0, 0], x[0, 1, :, 7] + 0.5)
    torch.testing.assert_close(speed[0, 1], x[0, 2, :, 7] + 0.5)


def test_the_interval_lies_a_softplus_below_and_above_the_speed() -> None:
    _, graph = ring(4)

    def fill(bias: torch.Tensor) -> None:
        with torch.no_grad():
            bias.copy_(torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 1.0]))

    answers = simple_speed_model(fill)(torch.randn(1, 3, 4, 10), graph)
    low, high = answers["speed_interval"].unbind(-1)
    ln = torch.tensor(2.0).log(), (1 + torch.tensor(1.0).exp()).log()
    torch.testing.assert_close(answers["speed"] - low, ln[0].expand(1, 2, 4))
    torch.testing.assert_close(high - answers["speed"], ln[1].expand(1, 2, 4))


@pytest.mark.parametrize("task", OUTPUTS)
def test_a_model_has_the_heads_of_its_tasks_alone(task: str) -> None:
    _, graph = ring(4)
    model = SIZES["simple"](10, 1, 1, (task,), LinearLayer)
    answers = model(torch.randn(1, 1, 4, 10), graph)
    assert set(answers) == {task} | ({"speed_interval"} if task == "speed" else set())


@EVERY_MODEL
def test_recomputing_activations_changes_neither_answers_nor_gradients(
    backbone: Backbone, size: Size
) -> None:
    _, graph = ring(6)
    x = torch.randn(3, 2, 6, 10)
    found = []
    for recompute in (False, True):
        model = model_of(backbone, size, dropout=0.3).train()
        model.recompute = recompute
        torch.manual_seed(1)
        answers = model(x, graph)
        loss = sum(answer.square().mean() for answer in answers.values())
        loss.backward()
        gradients = {name: value.grad for name, value in model.named_parameters()}
        found.append((loss, gradients, model.state_dict(), torch.rand(1)))
    torch.testing.assert_close(found[0], found[1], atol=0, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_recomputing_keeps_fewer_activations(size: Size) -> None:
    _, graph = ring(6)
    kept = []
    for recompute in (False, True):
        model = model_of("gat", size).train()
        model.recompute = recompute
        stored: list[int] = []

        def pack(value: torch.Tensor, stored: list[int] = stored) -> torch.Tensor:
            stored.append(value.numel())
            return value

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            model(torch.randn(3, 2, 6, 10), graph)
        kept.append(sum(stored))
    assert kept[1] < kept[0] / 2


def test_dropout_is_that_of_the_settings() -> None:
    _, graph = ring(6)
    x = torch.randn(1, 2, 6, 10)
    for dropout, alike in ((0.0, True), (0.5, False)):
        model = model_of("mlp", "enhanced", dropout=dropout, norm="none").train()
        first, second = model(x, graph)["congestion"], model(x, graph)["congestion"]
        assert torch.equal(first, second) == alike


@pytest.mark.parametrize(
    ("norm", "kind"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm), ("none", nn.Identity)]
)
def test_the_norm_is_that_of_the_settings(norm: str, kind: type[nn.Module]) -> None:
    _, graph = ring(6)
    model = model_of("gcn", "enhanced", norm=norm)
    for name in ("bn1", "bn2", "bn3"):
        assert type(getattr(model, name)) is kind
    answers = model(torch.randn(2, 2, 6, 10), graph)
    assert answers["congestion"].isfinite().all()


@pytest.mark.parametrize("backbone", ["mlp", "attention", "gcn", "gat"])
@pytest.mark.parametrize("residual", [False, True])
def test_a_block_that_gives_nothing_hands_its_input_on_with_residuals_alone(
    backbone: Backbone, residual: bool
) -> None:
    _, graph = ring(6)
    model = model_of(backbone, "enhanced", residual=residual).eval()
    for name, value in model.named_parameters():
        if name.startswith(("bn2", "bn3", "attention")):
            nn.init.zeros_(value)
    features = model.embed(torch.randn(6, 2, 20), graph)
    assert features.any() == residual
