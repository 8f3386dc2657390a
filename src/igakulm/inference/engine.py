"""The protocol between a model and everything that asks it: evaluation, chat, batch extraction, the server.

Does: define what every engine can do, in token ids (text is tokenised by us, never by the runtime).
Does not: know prompts, benchmarks or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Continuation:
    """One scored continuation: the sum of its tokens' natural log-probabilities, and how many tokens they are."""

    log_probability: float
    tokens: int


class Engine(Protocol):
    """A loaded model."""

    name: str
    context_length: int

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = ...,
    ) -> list[list[Continuation]]:
        """Log-probabilities of every option after its prompt; `done(n)` is called as prompts finish."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        done: Callable[[int], None] = ...,
    ) -> list[list[int]]:
        """Greedy continuations without the stop token."""

    def stream(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[int]:
        """Tokens one by one."""
