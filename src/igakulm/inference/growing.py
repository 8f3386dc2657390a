"""Greedy answers of a batch while they grow.

Does: take the likeliest allowed token for each, see which answers are finished. Does not: run models.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import torch

from igakulm.inference.constraint import Constraint
from igakulm.inference.masks import Matcher

NONE = -1
"""No token."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, the longest answer to it, and what that is held to."""

    prompt: Sequence[int]
    longest: int
    constraint: Constraint | None


@dataclass(slots=True)
class Growing:
    """An answer: `made` so far, at most `room` tokens."""

    prompt: Sequence[int]
    room: int
    matcher: Matcher | None
    made: list[int] = field(default_factory=list)

    def grows(self, token: int, stop: Container[int]) -> bool:
        """Take a token; whether more can follow it. One that ends answers is left out."""
        if token == NONE or token in stop:
            return False
        self.made.append(token)
        if self.matcher is not None:
            self.matcher.take(token)
        return len(self.made) < self.room and not (self.matcher is not None and self.matcher.ended)


def choose(logits: torch.Tensor, rows: Sequence[Growing]) -> list[int]:
    """The likeliest token that each answer allows; `NONE` where no token of the vocabulary can go on.

    A mask is computed only where the likeliest token of all is not allowed.

    Args:
        logits: (rows x vocabulary).
        rows: the answers, in the order of the logits.
    """
    tokens: list[int] = logits.argmax(-1).tolist()
    for place, row in enumerate(rows):
        if row.matcher is not None and not row.matcher.allows(tokens[place]):
            allowed = mask_of(row.matcher).to(logits.device)
            held = logits[place].masked_fill(~allowed, -torch.inf)
            tokens[place] = int(held.argmax()) if bool(allowed.any()) else NONE
    return tokens


def mask_of(matcher: Matcher) -> torch.Tensor:
    """Which tokens can come next, (vocabulary,) bool on the CPU."""
    return torch.frombuffer(matcher.allowed(), dtype=torch.uint8).bool()
