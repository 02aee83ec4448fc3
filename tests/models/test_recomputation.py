import torch
from torch import nn

from roadgraph.models.recomputation import recomputed


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh())
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        answer: torch.Tensor = self.inner(x)
        return answer


def test_a_block_runs_again_for_its_gradient() -> None:
    model = Counted()
    answer = recomputed(model, model, torch.randn(4, 3))
    assert model.calls == 1
    answer.sum().backward()
    assert model.calls == 2


def test_batch_norm_counts_a_batch_once() -> None:
    model = Counted()
    norm = model.inner[1]
    assert isinstance(norm, nn.BatchNorm1d)
    answer = recomputed(model, model, torch.randn(4, 3) + 5)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    answer.sum().backward()
    torch.testing.assert_close(norm.state_dict(), before, atol=0, rtol=0)
    assert norm.num_batches_tracked == 1
    assert norm.momentum == 0.1


def test_without_gradients_nothing_is_prepared() -> None:
    model = Counted()
    with torch.no_grad():
        assert not recomputed(model, model, torch.randn(4, 3)).requires_grad
    assert model.calls == 1
