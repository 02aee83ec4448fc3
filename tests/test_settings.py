from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from roadgraph.config import all_settings
from roadgraph.settings import Setting, Settings

SHARE = Setting("a share", low=0, high=1)


@pytest.mark.parametrize("value", [0, 0.5, 1, (0.0, 1.0), ()])
def test_both_ends_of_a_range_are_allowed(value: Any) -> None:
    assert SHARE.check(value) == value


def test_a_value_below_the_range_is_refused_with_the_limit_and_the_value() -> None:
    with pytest.raises(ValueError, match=r"must be at least 0 \(found -0.1\)"):
        SHARE.check(-0.1)


def test_a_value_above_the_range_is_refused_with_the_limit_and_the_value() -> None:
    with pytest.raises(ValueError, match=r"must be at most 1 \(found 1.1\)"):
        SHARE.check(1.1)


def test_every_item_of_a_list_must_lie_in_the_range() -> None:
    with pytest.raises(ValueError, match=r"must be at most 1 \(found 2\)"):
        SHARE.check((0.5, 2))


def test_nan_lies_in_no_range() -> None:
    with pytest.raises(ValueError, match=r"must be at least 0 \(found nan\)"):
        SHARE.check(float("nan"))
    with pytest.raises(ValueError, match=r"must be at most 1 \(found nan\)"):
        Setting("no lower end", high=1).check(float("nan"))


def test_without_a_range_any_value_is_allowed() -> None:
    assert Setting("any").check("text") == "text"
    assert Setting("any").check(-1e9) == -1e9


def test_every_default_lies_in_its_own_range_and_has_a_definition() -> None:
    rows = all_settings()
    assert len(rows) > 50
    for row in rows:
        assert row.setting.doc, row.key
        assert row.setting.check(row.default) == row.default, row.key


def test_the_training_defaults_are_those_of_the_two_original_models() -> None:
    training = Settings().training
    assert (training.learning_rate, training.beta1, training.beta2) == (0.001, 0.9, 0.999)
    assert (training.eps, training.lr_factor, training.lr_patience) == (1e-8, 0.5, 10)
    assert (training.lr_floor, training.clip_norm, training.patience) == (1e-6, 1.0, 20)
    assert training.noise_std == 0.01


def test_settings_cannot_be_changed_after_they_were_made() -> None:
    settings = Settings()
    with pytest.raises(FrozenInstanceError):
        settings.slices.minutes = 5  # type: ignore[misc]
