"""Answers of local models kept on disk while an evaluation runs, so that a killed one goes on where it was.

Does: keep the answers to one chunk of questions under a hash of everything that shapes them, behind an engine like any
other. Does not: decide chunks, or keep answers of endpoints (asking/client.py does, one by one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from igakulm.asking.client import ResponseStore
from igakulm.files import sha256_json
from igakulm.inference.constraint import Constraint
from igakulm.inference.engine import GREEDY, Continuation, Engine, Sampling, Step, lengths_of, nothing


class KeptAnswers:
    """A store of answers by chunk; without a `store` nothing is kept."""

    def __init__(self, store: ResponseStore | None = None) -> None:
        self._store = store

    def values(self, question: Mapping[str, Any], compute: Callable[[], list[Any]]) -> tuple[list[Any], bool]:
        """The kept answers to `question` (JSON-able), else computed and kept; and whether they were kept before."""
        if self._store is None:
            return compute(), False
        key = sha256_json(question)
        found = self._store.get(key)
        if found is not None:
            return list(found["values"]), True
        values = compute()
        self._store.put(key, {"route": "local"}, {"values": values})
        return values, False


class KeptEngine:
    """An engine that answers each call once.

    Args:
        engine: does the work.
        kept: where the answers are.
        identity: names the model; its answers are no other's.
    """

    def __init__(self, engine: Engine, kept: KeptAnswers, identity: str) -> None:
        self.inner, self.name, self.lanes = engine, engine.name, engine.lanes
        self.context_length = engine.context_length
        self._kept, self._identity = kept, identity

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = nothing,
    ) -> list[list[Continuation]]:
        """See `Engine.score`."""
        question = {"score": prompts, "options": options, "model": self._identity}

        def compute() -> list[list[list[float]]]:
            scores = self.inner.score(prompts, options, done=done)
            return [[[one.log_probability, one.tokens] for one in group] for group in scores]

        values, known = self._kept.values(question, compute)
        done(len(prompts) if known else 0)
        return [[Continuation(float(value), int(tokens)) for value, tokens in group] for group in values]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = nothing,
    ) -> list[list[int]]:
        """See `Engine.generate`."""
        question = {
            "generate": prompts,
            "most": lengths_of(max_new_tokens, prompts),
            "stop": sorted(stop),
            "held": [asdict(one) for one in constraints],
            "model": self._identity,
        }

        def compute() -> list[list[int]]:
            return self.inner.generate(prompts, max_new_tokens, stop, constraints=constraints, done=done)

        values, known = self._kept.values(question, compute)
        done(len(prompts) if known else 0)
        return values

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        """See `Engine.stream`; nothing is kept."""
        return self.inner.stream(prompt, max_new_tokens, stop, sampling)
