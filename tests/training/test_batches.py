import numpy as np
import torch

from roadgraph.training.batches import OriginBatches, windows


def test_an_epoch_goes_through_every_origin_once() -> None:
    batches = OriginBatches(np.arange(10, 21), batch_size=4, seed=3)
    for _ in range(3):
        epoch = list(batches)
        assert [len(batch) for batch in epoch] == [4, 4, 3]
        assert sorted(torch.cat(epoch).tolist()) == list(range(10, 21))
    assert len(batches) == 3


def test_the_order_changes_with_the_epoch_and_repeats_with_the_seed() -> None:
    one, other = (OriginBatches(np.arange(50), 50, seed=3) for _ in range(2))
    first, second = next(iter(one)), next(iter(one))
    assert not torch.equal(first, second)
    assert torch.equal(first, next(iter(other)))


def test_without_a_seed_the_order_is_that_of_time() -> None:
    assert torch.cat(list(OriginBatches(np.arange(7), 3, None))).tolist() == list(range(7))


def test_a_window_ends_at_its_origin() -> None:
    inputs = torch.arange(10.0)[:, None, None].expand(10, 2, 1)
    got = windows(inputs, torch.tensor([4, 9]), 3)
    assert got.shape == (2, 3, 2, 1)
    assert got[:, :, 0, 0].tolist() == [[2, 3, 4], [7, 8, 9]]
