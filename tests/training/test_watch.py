import logging
import math

import pytest
import torch
from torch import nn

from roadgraph.training.fit import fit
from roadgraph.training.watch import DeadUnits, GradientNorms, Watch
from tests.dataset.toy import toy_dataset, toy_settings


class Net(nn.Module):
    """Both ways to write a ReLU: a function in the forward pass and a module."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(1, 4)
        self.head = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 1))
        with torch.no_grad():
            # Of the first layer's units two answer to +1, one to -1, one to nothing.
            self.fc1.weight[:] = torch.tensor([[1.0], [2.0], [-1.0], [0.0]])
            self.fc1.bias.zero_()
            self.get_parameter("head.0.weight").fill_(1.0)
            self.get_parameter("head.0.bias")[:] = torch.tensor([0.0, -100.0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.head(torch.relu(self.fc1(x)))
        return answer


def test_the_norm_of_a_layer_is_that_of_all_its_gradients() -> None:
    net = Net()
    net(torch.ones(3, 1)).sum().backward()
    norms = GradientNorms(net)
    norms.measure()
    found = norms.collect()
    assert set(found) == {"fc1", "head.0", "head.2"}
    for layer, part in (("fc1", net.fc1), ("head.0", net.head[0])):
        gradients = [weight.grad for weight in part.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        assert found[layer] == [pytest.approx(float(flat.norm()))]
    assert norms.collect() == {}


def test_a_gradient_that_overflowed_is_left_out_and_a_layer_without_one_is_not_there() -> None:
    net = Net()
    net.fc1.weight.grad = torch.full((4, 1), math.inf)
    norms = GradientNorms(net)
    norms.measure()
    assert norms.collect() == {"fc1": []}


def test_a_unit_is_dead_that_was_never_positive() -> None:
    units = DeadUnits(net := Net())
    units.start()
    net(torch.ones(5, 1, 1))
    units.stop()
    assert units.collect() == {"fc1": 0.5, "head.0": 0.5}
    # Over more passes a unit needs to answer once.
    units.start()
    net(torch.ones(5, 1, 1))
    net(-torch.ones(5, 1, 1))
    units.stop()
    assert units.collect() == {"fc1": 0.25, "head.0": 0.5}
    net(torch.ones(5, 1, 1))
    assert units.collect() == {}
    assert not net.fc1._forward_hooks


def warnings_of(caplog: pytest.LogCaptureFixture, gradients: list[float], epochs: int = 1) -> str:
    """Return what is logged when the gradient of one layer has these norms in an epoch."""
    net = nn.ModuleDict({"fc1": nn.Linear(1, 1, bias=False), "fc2": nn.Linear(1, 1, bias=False)})
    watch = Watch(net)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "roadgraph"):
        for _ in range(epochs):
            for gradient in gradients:
                net["fc1"].weight.grad = torch.tensor([[gradient]])
                net["fc2"].weight.grad = torch.tensor([[1.0]])
                watch._gradients.measure()
            figures = watch.figures()
    assert figures["grad_norm/fc1"] == pytest.approx(sum(gradients) / len(gradients))
    return caplog.text


def test_a_gradient_that_explodes_is_told_of_by_its_layer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = warnings_of(caplog, [1.0, 1001.0])
    assert "the gradient of layer fc1 explodes in epoch 0: its norm is 1e+03, above 1000" in text
    assert "fc2" not in text
    assert warnings_of(caplog, [999.0]) == ""


def test_a_gradient_that_vanishes_for_a_whole_epoch_is_told_of_by_its_layer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = warnings_of(caplog, [1e-8, 2e-8])
    assert "the gradient of layer fc1 vanishes in epoch 0: its norm is 2e-08, below 1e-07" in text
    assert warnings_of(caplog, [1e-8, 1.0]) == ""


def test_a_layer_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    assert warnings_of(caplog, [1e4], epochs=3).count("explodes") == 1


def test_one_step_alone_tells_of_no_gradient_that_vanishes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert warnings_of(caplog, [0.0]) == ""
    assert warnings_of(caplog, [0.0], epochs=3) == ""
    assert warnings_of(caplog, [0.0, 0.0], epochs=3).count("fc1 vanishes") == 1


class Around(nn.Module):
    """A layer with a bias of its own around one with the weights, as PyG's convolutions are."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(1, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(1))


@pytest.mark.parametrize(
    ("weight", "bias", "told"),
    [
        (1e4, 1e4, ["fc1.lin explodes"]),
        (1.0, 1e4, ["fc1 explodes"]),
        (0.0, 0.0, ["fc1.lin vanishes"]),
        (1.0, 0.0, []),  # the mean that a batch norm takes away again
    ],
)
def test_of_layers_within_each_other_the_innermost_is_named(
    caplog: pytest.LogCaptureFixture, weight: float, bias: float, told: list[str]
) -> None:
    net = nn.ModuleDict({"fc1": Around()})
    watch = Watch(net)
    net.get_parameter("fc1.lin.weight").grad = torch.tensor([[weight]])
    net.get_parameter("fc1.bias").grad = torch.tensor([bias])
    with caplog.at_level(logging.WARNING, "roadgraph"):
        for _ in range(2):
            watch._gradients.measure()
            watch._gradients.measure()
            watch.figures()
    found = [record.getMessage() for record in caplog.records]
    assert [" ".join(text.split()[4:6]) for text in found] == told


def test_a_layer_around_others_with_weights_of_its_own_is_named_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    net = nn.ModuleDict({"fc1": nn.MultiheadAttention(2, 1)})
    watch = Watch(net)
    net.get_parameter("fc1.in_proj_weight").grad = torch.zeros(6, 2)
    net.get_parameter("fc1.out_proj.weight").grad = torch.ones(2, 2)
    with caplog.at_level(logging.WARNING, "roadgraph"):
        watch._gradients.measure()
        watch._gradients.measure()
        watch.figures()
    assert "the gradient of layer fc1 vanishes" in caplog.text


@pytest.mark.parametrize(
    ("size", "name", "training"),
    [
        # Heads that start at zero, one step an epoch.
        ("simple", "roadnet", {"batch_size": 4096}),
        # A head that is not learned.
        ("simple", "mlp", {"batch_size": 64, "rush_hour_weight": 0.0}),
        # A bias before a batch norm.
        ("enhanced", "gcn", {"batch_size": 64}),
    ],
)
def test_nothing_is_said_of_a_sound_training(
    caplog: pytest.LogCaptureFixture, size: str, name: str, training: dict[str, float]
) -> None:
    settings = toy_settings(
        size=size,
        model={"name": name},
        training={"max_epochs": 2, "device": "cpu", **training},
    )
    with caplog.at_level(logging.WARNING, "roadgraph"):
        fit(toy_dataset(toy_settings(), slices=300), settings)
    assert caplog.text == ""


def test_a_training_has_the_figures_of_every_layer_by_epoch() -> None:
    settings = toy_settings(
        size="enhanced",
        model={"name": "mlp"},
        training={"max_epochs": 2, "device": "cpu", "batch_size": 16},
    )
    trained = fit(toy_dataset(toy_settings(), slices=300), settings)
    layers = {name.rpartition(".")[0] for name, _ in trained.model.named_parameters()}
    for epoch in trained.history:
        norms = {name for name in epoch if name.startswith("grad_norm/")}
        assert norms == {f"grad_norm/{layer}" for layer in layers}
        assert all(0 < epoch[name] < 1e3 for name in norms)
        dead = {name for name in epoch if name.startswith("dead_relu/")}
        assert len(dead) == 3 + len(trained.model.tasks)
        assert {"dead_relu/bn1", "dead_relu/speed_head.0"} <= dead
        assert all(0 <= epoch[name] <= 1 for name in dead)
