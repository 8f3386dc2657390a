"""Answers of local models kept on disk while an evaluation runs, so that a killed one goes on where it was.

Does: keep the answers to one chunk of questions (of models that take text, to one question) under a hash of everything
that shapes them, behind a model like any other; ask again what was under way when the model's process died. Does not:
decide chunks, or keep answers of endpoints (asking/client.py does, one by one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from igakulm.asking.client import ResponseStore
from igakulm.errors import InputError
from igakulm.files import sha256_json
from igakulm.inference.constraint import Constraint
from igakulm.inference.engine import (
    GREEDY,
    Continuation,
    EndpointFailed,
    Engine,
    EngineFailed,
    Sampling,
    Step,
    TextAnswer,
    TextModel,
    TextRequest,
    lengths_of,
    nothing,
)

TRIES = 2
"""A question under which the model's process dies so often is not asked again."""
KEPT = "finished answers are kept, the same command goes on from here; a smaller GGUF file needs less memory"


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

        def some(chosen: slice, told: Callable[[int], None]) -> list[list[list[float]]]:
            scores = self.inner.score(prompts[chosen], options[chosen], done=told)
            return [[[one.log_probability, one.tokens] for one in group] for group in scores]

        def compute() -> list[list[list[float]]]:
            return lasting(self.name, len(prompts), some, done)

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
        most = lengths_of(max_new_tokens, prompts)
        question = {
            "generate": prompts,
            "most": most,
            "stop": sorted(stop),
            "held": [asdict(one) for one in constraints],
            "model": self._identity,
        }

        def some(chosen: slice, told: Callable[[int], None]) -> list[list[int]]:
            held = constraints[chosen]
            return self.inner.generate(prompts[chosen], most[chosen], stop, constraints=held, done=told)

        def compute() -> list[list[int]]:
            return lasting(self.name, len(prompts), some, done)

        values, known = self._kept.values(question, compute)
        done(len(prompts) if known else 0)
        return values

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        """See `Engine.stream`; nothing is kept."""
        return self.inner.stream(prompt, max_new_tokens, stop, sampling)


class KeptText:
    """A model that takes text and answers each request once.

    Args:
        model: does the work, in a process of this machine.
        kept: where the answers are.
        identity: names the model; its answers are no other's.
    """

    def __init__(self, model: TextModel, kept: KeptAnswers, identity: str) -> None:
        self.inner, self.name, self.chat = model, model.name, model.chat
        self._kept, self._identity = kept, identity

    def answer(self, requests: Sequence[TextRequest], *, done: Callable[[int], None] = nothing) -> list[TextAnswer]:
        """See `TextModel.answer`."""
        answers = []
        for request in requests:
            (answer,), _ = self._kept.values({"text": asdict(request), "model": self._identity}, self._asking(request))
            answers.append(TextAnswer(**answer))
            done(1)
        return answers

    def _asking(self, request: TextRequest) -> Callable[[], list[dict[str, Any]]]:
        def some(chosen: slice, told: Callable[[int], None]) -> list[dict[str, Any]]:
            return [asdict(answer) for answer in self.inner.answer([request][chosen], done=told)]

        return lambda: lasting(self.name, 1, some, nothing)


def lasting(
    name: str,
    number: int,
    some: Callable[[slice, Callable[[int], None]], list[Any]],
    done: Callable[[int], None],
) -> list[Any]:
    """Answers to so many questions, all at once; where the model's process dies under them, one by one, each asked
    `TRIES` times: the next request of an engine finds a new process.

    Args:
        name: of the model.
        number: of questions.
        some: answers a part of them, and tells how many are finished.
        done: told how many are finished, each once.

    Raises:
        InputError: the process died under one question each time, or does not start again.
        EndpointFailed: a server that nobody here can restart.
    """
    told = 0

    def tell(more: int) -> None:
        nonlocal told
        told += more
        done(more)

    try:
        return some(slice(0, number), tell)
    except EndpointFailed:
        raise
    except EngineFailed:
        before = told
    answers: list[Any] = []
    for place in range(number):
        answers += _one(name, partial(some, slice(place, place + 1), nothing))
        if place >= before:
            done(1)
    return answers


def _one(name: str, ask: Callable[[], list[Any]]) -> list[Any]:
    for attempt in range(1, TRIES + 1):
        try:
            return ask()
        except EndpointFailed:
            raise
        except EngineFailed as error:
            if attempt == TRIES:
                raise InputError(f"{error}, {TRIES} times at one question", where=name, hint=KEPT) from error
    raise AssertionError
