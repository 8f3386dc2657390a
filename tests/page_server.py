"""A server with a scripted model for tests of the page: answers by what the prompt holds, on a free port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from igakulm.inference.engine import GREEDY, Continuation, EngineFailed, Sampling, Step, check_prompt
from igakulm.inference.model import Model
from igakulm.serving.keys import Keys
from igakulm.serving.server import Limits, Options, app_of
from igakulm.tasks.layouts import Task, default_tasks
from igakulm.tokenizer.encode import TextEncoder

POSTS = Task(
    "influenza",
    "classify",
    "投稿した人はインフルエンザか",
    "Influenza",
    "投稿:\n「",
    suffix="」",
    options=(("A", "インフルエンザである"), ("B", "インフルエンザでない")),
)
TASKS = [*default_tasks(), POSTS]


class PageEngine:
    """Streams the first answer whose key stands in the prompt; `scores` are log-probabilities of options in order."""

    name = "scripted"
    lanes = 1

    def __init__(self, encoder: TextEncoder, answers: dict[str, str], context_length: int = 4096) -> None:
        self.encoder, self.answers, self.context_length = encoder, answers, context_length
        self.scores = (-0.2, -2.0, -3.0, -4.0, -5.0, -6.0)
        self.prompts: list[str] = []
        self.gate, self.closed = threading.Event(), threading.Event()
        self.gate.set()
        self.failures = 0  # so many of the next answers break off

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        asked = self.encoder.decode(prompt)
        self.prompts.append(asked)
        answer = next((text for key, text in self.answers.items() if key in asked), "分かりません。")
        self.closed.clear()
        try:
            for number, token in enumerate(self.encoder.encode(answer)[:max_new_tokens]):
                if number == 3:
                    self.gate.wait(60)
                if number == 3 and self.failures:
                    self.failures -= 1
                    raise EngineFailed("the child is gone")
                yield Step(token)
        finally:
            self.closed.set()

    def score(
        self, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]], **_: Any
    ) -> list[list[Continuation]]:
        self.prompts += [self.encoder.decode(prompt) for prompt in prompts]
        for prompt in prompts:
            check_prompt(prompt, 1, self.context_length)
        return [[Continuation(value, 1) for value, _ in zip(self.scores * 9, row, strict=False)] for row in options]

    def generate(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@contextmanager
def served(
    engine: Any,
    encoder: TextEncoder,
    folder: Path | None = None,
    description: dict[str, Any] | None = None,
    tasks: Sequence[Task] = TASKS,
    api_key: str | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """The address of a running server."""
    opened = Model(engine, encoder, "byoto-1b", "scripted", folder, description or {}, tasks=tuple(tasks))
    app = app_of(opened, Options(Keys(api_key), limits=limits or Limits()))
    with running(app) as address:
        yield address


@contextmanager
def running(app: Any) -> Iterator[str]:
    """Any ASGI application on a free port of the loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
