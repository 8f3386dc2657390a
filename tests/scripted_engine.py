"""An engine that says what it is told, for tests of chat and server."""

import threading
from collections.abc import Callable, Iterator, Sequence

from igakulm.inference.constraint import Constraint
from igakulm.inference.engine import (
    GREEDY,
    Continuation,
    EngineFailed,
    Sampling,
    Step,
    lengths_of,
    nothing,
    samplings_of,
)
from igakulm.tokenizer.encode import TextEncoder


class ScriptedEngine:
    """Streams the tokens of `text`, held to nothing; `gate` holds every token back until it is set; remembers prompts.

    Attributes:
        fails: raises an error that quotes a text instead of the first token.
        dies_after: so many tokens, then the model's process is gone.
    """

    name = "scripted"

    def __init__(
        self, encoder: TextEncoder, text: str, context_length: int = 200, fails: bool = False, lanes: int = 1
    ) -> None:
        self.tokens, self.context_length, self.fails, self.lanes = encoder.encode(text), context_length, fails, lanes
        self.dies_after: int | None = None
        self.prompts: list[list[int]] = []
        self.options: list[tuple[int, float, int]] = []
        self.samplings: list[Sampling] = []
        self.gate = threading.Event()
        self.gate.set()
        self.running = self.most_running = 0
        self.closed = self.said = 0
        self._lock = threading.Lock()

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        with self._lock:
            self.prompts.append(list(prompt))
            self.samplings.append(sampling)
            self.options.append((max_new_tokens, sampling.temperature, sampling.seed))
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            for number, token in enumerate(self.tokens[:max_new_tokens]):
                self.gate.wait(60)
                if self.fails:
                    raise RuntimeError("患者の名前")
                if self.dies_after == number:
                    raise EngineFailed("the process ended while it read 患者の名前")
                self.said += 1
                yield self._step(token, sampling.top)
        finally:
            with self._lock:
                self.running -= 1
                self.closed += 1

    def _step(self, token: int, top: int | None) -> Step:
        if top is None:
            return Step(token)
        others = [other for other in range(top + 1) if other != token]
        likeliest = [(token, -0.5), *((other, -2.0 - other) for other in others)]
        return Step(token, -0.5, tuple(likeliest[:top]))

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = nothing,
    ) -> list[list[Continuation]]:
        """The first option of every prompt is the likeliest, each next one less likely by one nat."""
        if self.fails:
            raise RuntimeError("患者の名前")
        if self.dies_after is not None:
            raise EngineFailed("the process ended while it read 患者の名前")
        self.prompts += [list(prompt) for prompt in prompts]
        return [[Continuation(-1.0 - place, len(one)) for place, one in enumerate(group)] for group in options]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = nothing,
    ) -> list[list[int]]:
        """One after the other."""
        answers = []
        longest, samplings = lengths_of(max_new_tokens, prompts), samplings_of(constraints, prompts)
        for prompt, most, sampling in zip(prompts, longest, samplings, strict=True):
            answers.append([step.token for step in self.stream(prompt, most, stop, sampling)])
            done(1)
        return answers
