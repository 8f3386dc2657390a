"""Schedules at their corners, and which parameters decay."""

import pytest
import torch

from igakulm.recipe.schema import TrainSection
from igakulm.training.optimizer import build_optimizer, learning_rate


def section(**keys: object) -> TrainSection:
    return TrainSection.model_validate({"steps": 100, "warmup_steps": 10, "learning_rate": 1.0, **keys})


def test_warm_up_starts_above_zero_and_reaches_the_peak() -> None:
    rates = [learning_rate(section(), step) for step in range(1, 11)]
    assert rates == pytest.approx([step / 10 for step in range(1, 11)])


def test_cosine_ends_at_the_minimum() -> None:
    assert learning_rate(section(min_learning_rate=0.1), 100) == pytest.approx(0.1)
    assert learning_rate(section(), 55) == pytest.approx(0.5)
    rates = [learning_rate(section(), step) for step in range(10, 101)]
    assert rates == sorted(rates, reverse=True)


def test_wsd_is_flat_then_falls_in_its_last_share() -> None:
    wsd = section(schedule="wsd", decay_share=0.2)
    assert {learning_rate(wsd, step) for step in range(10, 81)} == {1.0}
    assert learning_rate(wsd, 90) == pytest.approx(0.5)
    assert learning_rate(wsd, 100) == 0.0


@pytest.mark.parametrize("warmup", [0, 100, 1000])
def test_extreme_warm_ups(warmup: int) -> None:
    rates = [learning_rate(section(warmup_steps=warmup), step) for step in range(1, 101)]
    assert all(0 <= rate <= 1 for rate in rates)


def test_norms_do_not_decay() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.RMSNorm(4))
    groups = build_optimizer(model, section(weight_decay=0.3)).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.3), (1, 0.0)]
    assert groups[0]["params"][0].dim() == 2
    assert groups[0]["betas"] == (0.9, 0.95)
