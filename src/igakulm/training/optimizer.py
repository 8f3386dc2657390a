"""AdamW with decay groups, and the learning-rate schedules (section 2.4).

Does: warm-up with cosine or warm-up, stable, decay. Does not: step; the loop does.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from igakulm.recipe.schema import TrainSection


def learning_rate(section: TrainSection, step: int) -> float:
    """Learning rate of update `step` (1 .. steps): linear warm-up, then down to `min_learning_rate` at the last.

    >>> paper = TrainSection()
    >>> [round(learning_rate(paper, step), 6) for step in (75, 750, 12_375, 24_000)]
    [0.0001, 0.001, 0.0005, 0.0]
    """
    peak, low = section.learning_rate, section.min_learning_rate
    if step <= section.warmup_steps:
        return peak * step / section.warmup_steps
    if section.schedule == "cosine":
        share = (step - section.warmup_steps) / (section.steps - section.warmup_steps)
        return low + (peak - low) * 0.5 * (1 + math.cos(math.pi * share))
    decay = max(1, round(section.steps * section.decay_share))
    left = min(1.0, (section.steps - step) / decay)
    return low + (peak - low) * left


def build_optimizer(model: nn.Module, section: TrainSection) -> torch.optim.AdamW:
    """AdamW whose weight decay spares one-dimensional parameters (norms), in the order of the parameters' names."""
    parameters = [weight for _, weight in sorted(model.named_parameters()) if weight.requires_grad]
    groups = [
        {"params": [weight for weight in parameters if weight.dim() >= 2], "weight_decay": section.weight_decay},
        {"params": [weight for weight in parameters if weight.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=section.learning_rate, betas=(section.beta1, section.beta2), fused=True)
