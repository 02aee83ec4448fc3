import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.explain.gradients import (
    FIRST_STEPS,
    GAP_SHARE,
    MOST_STEPS,
    integrated_gradients,
)


def window(*values: float) -> torch.Tensor:
    """Return one slice of one segment with these channels."""
    return torch.tensor(values)[None, None, None]


def test_of_a_weighted_sum_every_input_has_its_weight_times_its_change() -> None:
    weights = torch.tensor([2.0, -1.0, 0.0])
    found = integrated_gradients(
        lambda x: (x * weights).sum(dim=(1, 2, 3)) + 7, window(4, 5, 6), window(1, 3, 9), 8, 1.0
    )
    np.testing.assert_allclose(found.values, [[[6, -2, 0]]], atol=1e-5)
    assert (found.answer, found.baseline) == (10, 6)
    assert found.gap == pytest.approx(0, abs=1e-5)
    assert found.steps == FIRST_STEPS


def test_of_a_product_from_nothing_both_factors_have_half() -> None:
    # Along x = (3 a, 4 a) the derivatives are 4 a and 3 a, so both integrals are 3 * 4 / 2.
    found = integrated_gradients(
        lambda x: x[:, 0, 0, 0] * x[:, 0, 0, 1], window(3, 4), window(0, 0), 8, 1.0
    )
    np.testing.assert_allclose(found.values, [[[6, 6]]], rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 5, 100]))
@settings(max_examples=15)
def test_contributions_add_up_to_the_difference(seed: int, at_once: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(size, generator=generator) for size in ((12, 16), (16,)))
    x, baseline = torch.randn((2, 1, 2, 3, 2), generator=generator)

    def answer(x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x.flatten(1) @ first) @ second

    found = integrated_gradients(answer, x, baseline, at_once, 1.0)
    difference = float(answer(x)[0] - answer(baseline)[0])
    gap = abs(found.values.sum() - difference)
    allowed = GAP_SHARE * max(abs(difference), 1)
    # Large contributions that nearly cancel out may miss it after the most steps, and say so.
    assert gap <= allowed + 1e-5 or (found.is_rough and found.steps == MOST_STEPS)
    assert gap <= 0.01 * np.abs(found.values).sum() + 1e-5


def test_more_steps_are_taken_until_the_contributions_add_up() -> None:
    def bend(x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(300 * (x[:, 0, 0, 0] - 0.3))

    found = integrated_gradients(bend, window(1), window(0), 16, 0.01)
    assert FIRST_STEPS < found.steps <= MOST_STEPS
    assert abs(found.gap) <= 0.01


def test_where_they_never_add_up_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def jump(x: torch.Tensor) -> torch.Tensor:
        return (x[:, 0, 0, 0] > 0.5).float() + 0 * x[:, 0, 0, 0]

    found = integrated_gradients(jump, window(1), window(0), 64, 0.01)
    assert (found.steps, found.gap, found.is_rough) == (MOST_STEPS, -1, True)
    assert "after 512 steps the contributions still miss the difference of 1 by -1" in caplog.text


def test_a_small_difference_need_not_be_told_apart_finer_than_the_least() -> None:
    found = integrated_gradients(
        lambda x: 1e-4 * torch.sigmoid(3000 * (x[:, 0, 0, 0] - 0.3)), window(1), window(0), 64, 1.0
    )
    assert found.steps == FIRST_STEPS
    assert not found.is_rough
