"""What one request cost, and the signal that ends it: an engine that counts, and stops when nobody waits any more.

Does: count the tokens that a request reads and makes, whatever route asked; end a stream at the next token when the
client has gone or the time is over. Does not: know HTTP, or keep any text.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from igakulm.inference.constraint import Constraint
from igakulm.inference.engine import (
    GREEDY,
    Continuation,
    Engine,
    Sampling,
    Step,
    lengths_of,
    nothing,
    samplings_of,
)


class Ended(Exception):
    """Nobody waits for this any more."""


@dataclass
class RequestCounts:
    """Counts of one request.

    Attributes:
        finish: why the answer ended, as far as the route says.
        answer: text of the answer, where the route makes one: for the digest of the audit log, or a log with texts.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish: str = ""
    answer: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, prompt: int, completion: int) -> None:
        """Count tokens; from any thread."""
        with self._lock:
            self.prompt_tokens += prompt
            self.completion_tokens += completion

    @property
    def usage(self) -> dict[str, int]:
        """Counts in OpenAI's form."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


CURRENT: ContextVar[RequestCounts | None] = ContextVar("counts", default=None)
"""The request that this task or thread works for."""


def current_counts() -> RequestCounts:
    """The counts of this request; a fresh one outside of a request."""
    counts = CURRENT.get()
    if counts is None:
        counts = RequestCounts()
        CURRENT.set(counts)
    return counts


class CountingEngine:
    """An engine whose work is counted for the request that asked, and ends with it.

    Args:
        engine: does the work.

    Attributes:
        heard: when it last gave or was given anything.
    """

    def __init__(self, engine: Engine) -> None:
        self.inner, self.name = engine, engine.name
        self.context_length, self.lanes = engine.context_length, engine.lanes
        self.heard = time.monotonic()

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        """See `Engine.stream`.

        Raises:
            Ended: the request that asked is over.
        """
        counts = current_counts()
        _check(counts)
        counts.add(len(prompt), 0)
        self.heard = time.monotonic()
        steps = self.inner.stream(prompt, max_new_tokens, stop, sampling)
        try:
            for step in steps:
                counts.add(0, 1)
                self.heard = time.monotonic()
                yield step
                _check(counts)
        finally:
            close = getattr(steps, "close", None)
            if close:
                close()

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = nothing,
    ) -> list[list[Continuation]]:
        """See `Engine.score`; tokens of options count as read."""
        counts = current_counts()
        _check(counts)
        counts.add(sum(map(len, prompts)) + sum(len(option) for group in options for option in group), 0)
        self.heard = time.monotonic()
        return self.inner.score(prompts, options, done=done)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = nothing,
    ) -> list[list[int]]:
        """See `Engine.generate`; one after the other, so that each can end with its request."""
        answers = []
        longest, samplings = lengths_of(max_new_tokens, prompts), samplings_of(constraints, prompts)
        for prompt, most, sampling in zip(prompts, longest, samplings, strict=True):
            answers.append([step.token for step in self.stream(prompt, most, stop, sampling)])
            done(1)
        return answers


def _check(counts: RequestCounts) -> None:
    if counts.ended.is_set():
        raise Ended
