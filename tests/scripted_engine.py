"""An engine that says what it is told, for tests of chat and server."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from igakulm.tokenizer.encode import TextEncoder


class ScriptedEngine:
    """Streams the tokens of `text`; `gate` holds every token back until it is set; remembers prompts."""

    name = "scripted"

    def __init__(self, encoder: TextEncoder, text: str, context_length: int = 200, fails: bool = False) -> None:
        self.tokens, self.context_length, self.fails = encoder.encode(text), context_length, fails
        self.prompts: list[list[int]] = []
        self.options: list[tuple[int, float, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.running = self.most_running = 0
        self.closed = 0

    def stream(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[int]:
        self.prompts.append(list(prompt))
        self.options.append((max_new_tokens, temperature, seed))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for token in self.tokens[:max_new_tokens]:
                self.gate.wait(10)
                if self.fails:
                    raise RuntimeError("患者の名前")
                yield token
        finally:
            self.running -= 1
            self.closed += 1

    def score(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def generate(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError
