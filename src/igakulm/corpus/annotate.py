"""Labels of documents by an instruct model: educational value, coherence and harm (section 2.2.1).

Does: ask one OpenAI-compatible server about each document, ask again when an answer is invalid, and give up on a
document after so many attempts; every answer is kept in a store, so that a broken run asks nothing twice. Answers alone
decide the labels: not the order in which they come, nor the number of requests at once.
Does not: word the question (rubric.py), choose documents, or call a document good.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igakulm.asking.client import Body, Client, RequestError, Retry, chat_body
from igakulm.asking.store import ResponseStore
from igakulm.corpus.rubric import Scores, parse_scores, question, response_format
from igakulm.errors import InputError
from igakulm.progress import Bar
from igakulm.recipe.schema import Quality

RETRY_TEMPERATURE = 0.7
MAX_ANSWER_TOKENS = 96  # of a structured answer; a free one may explain itself and gets more
MAX_FREE_ANSWER_TOKENS = 256
FAILURES_IN_A_ROW = {"no_answer": 3, "request_refused": 20}
"""So many failed requests with no answer between them mean that the endpoint, not the request, is at fault."""


@dataclass(frozen=True, slots=True)
class Label:
    """What became of one document: `status` is valid, invalid, request_refused or no_answer; `attempts` were asked."""

    status: str
    scores: Scores | None
    attempts: int


@dataclass(slots=True)
class _Asking:
    """What is known so far; `error` ends the asking."""

    labels: dict[int, Label] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    in_a_row: int = 0
    error: InputError | None = None


def label_documents(
    texts: Iterable[tuple[int, str]],
    section: Quality,
    endpoint: str,
    store: ResponseStore,
    task: Bar,
    *,
    reverse: bool = False,
    retry: Retry | None = None,
) -> tuple[dict[int, Label], dict[str, int]]:
    """Ask about every (key, excerpt); return the labels by key, and the counts of requests, which are for logs only.

    `reverse` asks for the criteria in reverse order.

    Raises:
        InputError: the endpoint is down or refuses the work after all retries (finished answers are kept).
    """
    asking = _Asking()

    async def run() -> dict[str, int]:
        async with Client(endpoint, store, concurrency=section.concurrency, retry=retry) as client:
            waiting = iter(texts)
            async with asyncio.TaskGroup() as group:
                for _ in range(section.concurrency):
                    group.create_task(_work(waiting, section, client, asking, task, reverse))
            return client.counts

    counts = asyncio.run(run())
    if asking.error is not None:
        raise asking.error
    return dict(sorted(asking.labels.items())), counts


async def _work(
    waiting: Iterator[tuple[int, str]], section: Quality, client: Client, asking: _Asking, task: Bar, reverse: bool
) -> None:
    """Take documents until none is left or the endpoint is at fault; answers on their way are still waited for."""
    for key, text in waiting:
        try:
            label = await _label(text, section, client, asking, reverse)
        except InputError as error:
            asking.error = asking.error or error
            label = None
        if asking.error is not None or label is None:
            client.give_up()
            return
        asking.labels[key] = label
        asking.counts[label.status] += 1
        task.advance()
        task.note(", ".join(f"{count:,} {status}" for status, count in sorted(asking.counts.items())))


async def _label(text: str, section: Quality, client: Client, asking: _Asking, reverse: bool) -> Label:
    for attempt in range(section.attempts):
        try:
            answer = await client.ask_chat(question_body(text, section, attempt, reverse=reverse))
        except RequestError as error:
            asking.in_a_row += 1
            if asking.in_a_row >= FAILURES_IN_A_ROW[error.reason]:
                raise
            return Label(error.reason, None, attempt + 1)
        asking.in_a_row = 0
        scores = parse_scores(answer.text)
        if scores is not None:
            return Label("valid", scores, attempt + 1)
    return Label("invalid", None, section.attempts)


def question_body(text: str, section: Quality, attempt: int, *, reverse: bool = False) -> Body:
    """The request about an excerpt. A retry has another seed and some temperature, or it would get the same answer."""
    seed = hashlib.sha256(f"{section.seed}\x1f{attempt}\x1f{text}".encode()).digest()
    temperature = section.temperature if attempt == 0 else max(section.temperature, RETRY_TEMPERATURE)
    parameters: dict[str, Any] = {
        "temperature": temperature,
        "max_tokens": MAX_ANSWER_TOKENS if section.structured else MAX_FREE_ANSWER_TOKENS,
        "seed": int.from_bytes(seed[:4], "big") % 2**31,
    }
    if section.structured:
        parameters["response_format"] = response_format(reverse=reverse)
    messages = [{"role": "user", "content": question(text, reverse=reverse)}]
    return chat_body(section.model or Path(section.gguf or "").name, messages, parameters)
