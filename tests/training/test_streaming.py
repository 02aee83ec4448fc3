from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.training.batches import OriginBatches, loader_of
from roadgraph.training.data import StepData, TrainingData
from roadgraph.training.fit import fit
from roadgraph.training.streaming import StreamedBatches, stays_on_host
from roadgraph.training.tiling import TileOrigins
from tests.dataset.toy import toy_dataset, toy_settings


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings())


def origins_of(batch: torch.Tensor | TileOrigins) -> torch.Tensor:
    assert isinstance(batch, torch.Tensor)
    return batch


def step_data(batch: torch.Tensor | TileOrigins) -> StepData:
    origins = origins_of(batch)
    return StepData(origins.float(), None, origins, origins, origins.float(), None)


@pytest.mark.parametrize(
    "more",
    [{}, {"hidden_share": 0.3, "quality_weights": True}, {"tile_segments": 2, "averaging": "swa"}],
    ids=["plain", "hidden", "tiles"],
)
def test_data_on_the_host_train_to_the_same_weights(dataset: Dataset, more: Any) -> None:
    def weights(data_on: str) -> dict[str, torch.Tensor]:
        training = {"max_epochs": 2, "device": "cpu", "data_on": data_on, **more}
        return fit(dataset, toy_settings(training=training)).model.state_dict()

    torch.testing.assert_close(weights("host"), weights("device"), atol=0, rtol=0)


def test_every_batch_comes_with_its_data_in_the_order_of_the_epoch() -> None:
    torch.manual_seed(0)
    loader = loader_of(OriginBatches(np.arange(7), 3, seed=1))
    streamed = StreamedBatches(loader, step_data, lambda: torch.device("cpu"))
    assert streamed.sampler is loader.sampler  # which Lightning tells the epoch
    assert len(streamed) == 3
    sent = list(streamed)
    assert [origins_of(one.batch).tolist() for one in sent] == [batch.tolist() for batch in loader]
    assert all(torch.equal(one.data.congestion, origins_of(one.batch)) for one in sent)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU to send data to")
def test_a_gpu_gets_what_the_host_read() -> None:
    loader = loader_of(OriginBatches(np.arange(50), 3, seed=1))
    streamed = StreamedBatches(loader, step_data, lambda: torch.device("cuda"))
    for one in streamed:
        assert one.data.x.device.type == "cuda"
        assert one.data.x.tolist() == origins_of(one.batch).tolist()


@pytest.mark.parametrize(
    ("wish", "device", "free_bytes", "stays"),
    [
        ("host", "cpu", 0, True),
        ("device", "gpu", 0, False),
        ("auto", "cpu", 0, False),
        ("auto", "gpu", 2000, False),
        ("auto", "gpu", 1999, True),
    ],
)
def test_data_stay_on_the_host_where_half_of_the_free_memory_is_too_little(
    wish: str, device: str, free_bytes: int, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free_bytes, 10_000))
    data: Any = SimpleNamespace(nbytes=1000)
    assert stays_on_host(data, wish, device) is stays


def test_the_size_is_that_of_all_that_is_kept(dataset: Dataset) -> None:
    data = TrainingData(dataset, toy_settings().training)
    assert data.nbytes == sum(
        value.nbytes for value in (data.inputs, data.congestion, data.rush_hour, data.speed)
    ) + 8 * len(dataset.horizons)
