import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import TrainingError
from roadgraph.settings import Settings
from roadgraph.training.fit import fit
from roadgraph.training.nonfinite import FiniteLoss, first_fault
from tests.dataset.toy import toy_dataset, toy_settings


def settings_for(**training: object) -> Settings:
    quick = {"max_epochs": 3, "device": "cpu", "batch_size": 64, "noise_std": 0}
    return toy_settings(model={"name": "mlp"}, training={**quick, **training})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings(), slices=300)


def test_the_batch_and_the_channel_of_a_training_loss_that_is_no_number_are_named(
    dataset: Dataset,
) -> None:
    inputs = dataset.inputs.copy()
    place, channel = 60, dataset.preparation.channels.index("speed_std")
    inputs[place, 1, channel] = np.nan
    with pytest.raises(TrainingError) as caught:
        fit(replace(dataset, inputs=inputs), settings_for(batch_size=4))
    text = str(caught.value)
    found = re.fullmatch(
        r"the training loss is nan in epoch 0, batch \d+, origins (\d+), (\d+), (\d+), (\d+): "
        r"the input channel 'speed_std' is not finite",
        text,
    )
    assert found, text
    origins = [int(origin) for origin in found.groups()]
    assert any(origin - dataset.window < place <= origin for origin in origins)


def test_a_validation_loss_that_is_no_number_stops_the_training_as_well(dataset: Dataset) -> None:
    inputs = dataset.inputs.copy()
    inputs[dataset.splits.validation.stop - 1 - max(dataset.horizons)] = np.inf
    with pytest.raises(TrainingError, match=r"the validation loss is nan in epoch 0, batch 0, "):
        fit(replace(dataset, inputs=inputs), settings_for())


def test_a_long_batch_shows_its_first_origins(dataset: Dataset) -> None:
    inputs = dataset.inputs.copy()
    inputs[:100] = np.nan
    with pytest.raises(TrainingError, match=r"origins (\d+, ){7}\d+ and 56 more: the input"):
        fit(replace(dataset, inputs=inputs), settings_for())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, 2)
        self.fc2 = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor, scale: float) -> dict[str, torch.Tensor]:
        return {"speed": self.fc2(self.fc1(x) * scale)}


CHANNELS = ("mean_speed", "count_probes")


def test_the_first_fault_is_looked_for_along_the_way_of_the_data() -> None:
    x = torch.ones(1, 1, 3, 2)
    net = Net()
    finite = "the model's answers are finite: the labels or the weights of the loss are not"
    assert first_fault(net, (x, 1.0), {}, CHANNELS) == finite
    assert first_fault(net, (x,), {"scale": torch.inf}, CHANNELS) == (
        "layer fc2 is the first whose output is not finite"
    )
    assert not net.fc2._forward_hooks
    with torch.no_grad():
        net.fc2.weight[0, 0] = torch.nan
    assert first_fault(net, (x, 1.0), {}, CHANNELS).startswith(
        "the weight of layer fc2 is not finite since an earlier step; a lower"
    )
    x[0, 0, 1, 1] = torch.inf
    assert first_fault(net, (x, 1.0), {}, CHANNELS) == (
        "the input channel 'count_probes' is not finite"
    )


def test_a_weight_of_no_layer_goes_by_its_own_name() -> None:
    net = Net()
    net.embedding = nn.Parameter(torch.tensor([torch.nan]))
    assert first_fault(net, (torch.ones(1, 1, 3, 2), 1.0), {}, CHANNELS).startswith(
        "the parameter embedding is not finite since an earlier step; a lower"
    )


def test_an_output_in_a_tuple_is_looked_at() -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None, list[torch.Tensor]]:
            return x.long(), None, [x / 0]

    assert first_fault(Pair(), (torch.ones(1, 1, 1, 2),), {}, CHANNELS) == (
        "layer model is the first whose output is not finite"
    )


def test_all_processes_stop_with_the_words_of_the_first_that_met_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This one's own losses are finite; the other process says that its are not."""

    def reduce(finite: torch.Tensor, how: object) -> None:
        assert finite.item() == 1
        finite.zero_()

    def gather(texts: list[str | None], own: str | None) -> None:
        assert own is None
        texts[:] = [own, "words of the other process"]

    trainer = SimpleNamespace(world_size=2, current_epoch=0)
    monkeypatch.setattr(torch.distributed, "all_reduce", reduce)
    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    watch = FiniteLoss(Net(), CHANNELS)
    watch._call = ((torch.ones(1, 1, 3, 2), 1.0), {})
    with pytest.raises(TrainingError, match=r"^words of the other process$"):
        watch.on_validation_batch_end(trainer, None, torch.tensor(1.0), torch.arange(2), 0)  # type: ignore[arg-type]
