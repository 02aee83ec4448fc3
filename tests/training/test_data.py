from dataclasses import replace

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.models.graph import road_graph
from roadgraph.schema import MEASURED_FEATURES
from roadgraph.training.data import TrainingData
from roadgraph.training.fit import fit
from tests.dataset.toy import toy_dataset, toy_settings


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings())


def test_a_step_reads_windows_and_labels_ahead_of_its_origins(dataset: Dataset) -> None:
    settings = replace(toy_settings().training, hidden_share=0.5, quality_weights=True)
    origins = torch.tensor([9, 30])
    step = TrainingData(dataset, settings).of(origins, road_graph(dataset.graph, "network"))
    first = 9 - dataset.window + 1
    np.testing.assert_array_equal(step.x[0].numpy(), dataset.inputs[first:10])
    assert step.unseen is not None
    np.testing.assert_array_equal(step.unseen[0].numpy(), dataset.unseen_inputs[first:10])
    ahead = 30 + np.asarray(dataset.horizons)
    np.testing.assert_array_equal(step.congestion[1].numpy(), dataset.labels.congestion[ahead])
    np.testing.assert_array_equal(step.rush_hour[1].numpy(), dataset.labels.rush_hour[ahead])
    kph = step.speed[1] * dataset.preparation.speed_std_kph + dataset.preparation.speed_mean_kph
    np.testing.assert_allclose(kph.numpy(), dataset.labels.speed_kph[ahead], rtol=1e-5)
    place = MEASURED_FEATURES.index("quality_score")
    assert step.quality is not None
    np.testing.assert_array_equal(
        step.quality[1].numpy(), np.nan_to_num(dataset.grid.measured[ahead, :, place])
    )


def test_windows_lie_segments_first_as_the_layers_read_them(dataset: Dataset) -> None:
    data = TrainingData(dataset, toy_settings().training)
    step = data.of(torch.tensor([9, 30]), road_graph(dataset.graph, "network"))
    assert step.x.permute(2, 0, 1, 3).is_contiguous()


def test_bf16_takes_half_the_memory_and_keeps_the_values_to_8_bits(dataset: Dataset) -> None:
    full, half = (
        TrainingData(dataset, replace(toy_settings().training, storage=storage))
        for storage in ("float32", "bf16")
    )
    assert 2 * half.inputs.nbytes == full.inputs.nbytes
    origins, graph = torch.tensor([9]), road_graph(dataset.graph, "network")
    exact, rounded = full.of(origins, graph).x, half.of(origins, graph).x
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=2**-8, atol=0)
    assert not torch.equal(rounded, exact)


def test_inputs_kept_in_bf16_train_to_nearly_the_same_loss(dataset: Dataset) -> None:
    losses = [
        fit(
            dataset,
            toy_settings(training={"max_epochs": 3, "device": "cpu", "storage": storage}),
        ).validation_loss
        for storage in ("float32", "bf16")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
