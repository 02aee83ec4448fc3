import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.models.dropout import VALUES, Dropout, keep_mask


@pytest.mark.parametrize("p", [0.1, 0.3, 0.75])
def test_the_share_left_out_is_p_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    answer = Dropout(p)(torch.ones(1000, 1001))
    # Four standard deviations of a share of a million draws.
    bound = 4 * (p * (1 - p) / answer.numel()) ** 0.5
    assert abs(float((answer == 0).double().mean()) - p) < bound
    assert abs(float(answer.double().mean()) - 1) < bound / (1 - p)


def test_every_share_is_exact_to_a_65536th() -> None:
    torch.manual_seed(0)
    left_out = (keep_mask(torch.empty(2**22), 3 / VALUES) == 0).sum()
    assert 130 < left_out < 260  # 192 are expected


def test_what_is_kept_is_scaled_by_what_was_left_out() -> None:
    torch.manual_seed(0)
    assert set(keep_mask(torch.empty(100), 0.75).tolist()) == {0.0, 4.0}


def test_neighbouring_features_are_drawn_apart() -> None:
    torch.manual_seed(0)
    kept = (keep_mask(torch.empty(2**20), 0.5) != 0).double() - 0.5
    for shift in (1, 2, 3, 4, 128):
        assert abs(float((4 * kept[:-shift] * kept[shift:]).mean())) < 4 / 2**10


def test_the_gradient_is_left_out_and_scaled_alike() -> None:
    torch.manual_seed(0)
    x = torch.randn(7, 3, 5, requires_grad=True)
    answer = Dropout(0.5)(x)
    answer.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(answer, x * x.grad)
    assert set(x.grad.flatten().tolist()) == {0.0, 2.0}


@given(shape=st.lists(st.integers(0, 6), min_size=1, max_size=3), p=st.floats(0, 0.9))
def test_shape_dtype_and_order_of_memory_stay(shape: list[int], p: float) -> None:
    x = torch.randn(*shape, dtype=torch.float64)
    answer = Dropout(p)(x)
    assert answer.shape == x.shape
    assert answer.dtype == x.dtype


def test_in_evaluation_and_with_nothing_to_leave_out_it_is_the_input() -> None:
    x = torch.randn(3, 4)
    assert Dropout(0.3).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_the_seed_decides_what_is_left_out() -> None:
    def drawn(seed: int) -> list[float]:
        torch.manual_seed(seed)
        answer: list[float] = Dropout(0.3)(torch.ones(50)).tolist()
        return answer

    assert drawn(1) == drawn(1) != drawn(2)


def test_everything_can_be_left_out() -> None:
    assert not Dropout(1.0)(torch.ones(9)).any()
