import numpy as np
import pytest
import torch

from roadgraph.training.batches import OriginBatches, loader_of, windows


def test_an_epoch_goes_through_every_origin_once() -> None:
    batches = OriginBatches(np.arange(10, 21), batch_size=4, seed=3)
    for _ in range(3):
        epoch = list(batches)
        assert [len(batch) for batch in epoch] == [4, 4, 3]
        assert sorted(torch.cat(epoch).tolist()) == list(range(10, 21))
    assert len(batches) == 3


def epoch_of(batches: OriginBatches, epoch: int) -> list[int]:
    batches.set_epoch(epoch)
    return [int(origin) for batch in batches for origin in batch]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    one, other = (OriginBatches(np.arange(50), 20, seed=3) for _ in range(2))
    orders = [epoch_of(one, epoch) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    assert [epoch_of(other, epoch) for epoch in (2, 0)] == [orders[2], orders[0]]
    assert epoch_of(OriginBatches(np.arange(50), 20, seed=4), 0) != orders[0]


@pytest.mark.parametrize("origins", [24, 25, 23])
def test_processes_share_every_batch_of_the_one_process(origins: int) -> None:
    """The last of 25 origins is too few for two processes: it joins the batch before."""
    places = np.arange(100, 100 + origins)
    alone = list(OriginBatches(places, 8, seed=3))
    shares = [list(OriginBatches(places, 8, seed=3, rank=rank, processes=2)) for rank in (0, 1)]
    assert len(shares[0]) == len(shares[1]) == len(OriginBatches(places, 8, 3, 0, 2)) == 3
    for whole, first, second in zip(alone, *shares, strict=False):
        both = torch.cat([first, second]).tolist()
        assert set(whole.tolist()) <= set(both)
        assert abs(len(first) - len(second)) <= 1
    seen = torch.cat([*shares[0], *shares[1]]).tolist()
    assert sorted(seen) == places.tolist()


def test_a_batch_is_never_smaller_than_the_number_of_processes() -> None:
    shares = [list(OriginBatches(np.arange(5), 1, 3, rank, 2)) for rank in (0, 1)]
    assert [len(batch) for batch in shares[0]] == [1, 2]
    assert [len(batch) for batch in shares[1]] == [1, 1]


def test_a_loader_hands_the_batches_on_as_they_are() -> None:
    loader = loader_of(OriginBatches(np.arange(7), 3, None))
    assert [batch.tolist() for batch in loader] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3


def test_without_a_seed_the_order_is_that_of_time() -> None:
    assert torch.cat(list(OriginBatches(np.arange(7), 3, None))).tolist() == list(range(7))


def test_a_window_ends_at_its_origin() -> None:
    inputs = torch.arange(10.0)[:, None, None].expand(10, 2, 1)
    got = windows(inputs, torch.tensor([4, 9]), 3)
    assert got.shape == (2, 3, 2, 1)
    assert got[:, :, 0, 0].tolist() == [[2, 3, 4], [7, 8, 9]]
