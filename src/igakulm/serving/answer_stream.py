"""One answer as text while it is made, for whoever asks in this process: `ask`, `chat`, the Python API.

Does: bound the answer by the context, turn tokens into text, tell how the answer ended. Does not: prepare messages,
keep conversations, or serve (answer.py).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Literal

from igakulm.errors import InputError
from igakulm.inference.engine import Sampling
from igakulm.inference.model import Model
from igakulm.serving.text import TextStream


class AnswerStream:
    """An iterator over the pieces of an answer; it can be run through once.

    Args:
        model: answers.
        ids: the prompt.
        most: longest answer in tokens; less where the context has less room.
        sampling: how tokens are drawn.

    Attributes:
        prompt_tokens: length of the prompt.
        tokens: made so far.
        finish: None while tokens come; then "stop" = the model ended the answer, "length" = the limit did.

    Raises:
        InputError: the prompt leaves no room for an answer.
        EngineFailed: while it is iterated; the model's process is gone.
    """

    def __init__(self, model: Model, ids: Sequence[int], most: int, sampling: Sampling) -> None:
        room = min(most, model.context_length - len(ids))
        if room < 1:
            what = f"the question has {len(ids):,} tokens, the model reads {model.context_length - 1:,}"
            raise InputError(what, hint="shorten the question, or leave out old messages")
        self.prompt_tokens, self.tokens = len(ids), 0
        self.finish: Literal["stop", "length"] | None = None
        self._pieces = self._made(model, ids, room, sampling)

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def close(self) -> None:
        """End the answer here; the engine is free for the next one."""
        self._pieces.close()

    def _made(self, model: Model, ids: Sequence[int], room: int, sampling: Sampling) -> Generator[str, None, None]:
        text = TextStream(model.encoder)
        steps = model.engine.stream(ids, room, model.encoder.stops, sampling)
        with closing(steps):  # type: ignore[type-var]
            for step in steps:
                self.tokens += 1
                if piece := text.feed(step.token):
                    yield piece
        if piece := text.finish():
            yield piece
        self.finish = "length" if self.tokens >= room else "stop"
