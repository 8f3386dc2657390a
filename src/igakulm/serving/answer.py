"""One answer at a time: the queue before the model, and an answer as text that arrives.

Does: wait for the turn, run the engine's steps in a thread, stop at stop texts and at the time limit, let go at once
when the client has gone. Does not: know HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from igakulm.inference.engine import Engine
from igakulm.serving.chat_request import ChatRequest
from igakulm.serving.text import TextStream
from igakulm.tokenizer.open import Encoder


class Busy(Exception):
    """The queue is full."""


class Turns:
    """A lock with a queue of limited length.

    Args:
        queue: how many may wait beside the one that is answered.
    """

    def __init__(self, queue: int) -> None:
        self._lock, self._most, self._inside = asyncio.Lock(), queue + 1, 0

    async def take(self) -> None:
        """Wait for the turn.

        Raises:
            Busy: the queue is full.
        """
        if self._inside >= self._most:
            raise Busy
        self._inside += 1
        try:
            await self._lock.acquire()
        except BaseException:
            self._inside -= 1
            raise

    def give_back(self) -> None:
        """Let the next one in."""
        self._inside -= 1
        self._lock.release()


class Answer:
    """An answer that has its turn. `close` must be called in every case; it gives the turn back.

    Args:
        engine: makes the tokens.
        encoder: the model's tokenizer.
        turns: where the turn was taken.
        prompt: token ids.
        asked: the checked request.
        seconds: time limit.
    """

    def __init__(
        self,
        engine: Engine,
        encoder: Encoder,
        turns: Turns,
        prompt: Sequence[int],
        asked: ChatRequest,
        seconds: float,
    ) -> None:
        self._turns, self._prompt, self._limit, self._started = turns, prompt, seconds, time.monotonic()
        self._room = min(asked.max_tokens, engine.context_length - len(prompt))
        self._tokens = engine.stream(prompt, self._room, encoder.stops, temperature=asked.temperature, seed=asked.seed)
        self._text = TextStream(encoder, asked.stop)
        self._step: asyncio.Future[int | None] | None = None
        self._closed, self._made = False, 0
        self.finish_reason = "length"

    async def texts(self) -> AsyncGenerator[str, None]:
        """Pieces of text as they become complete."""
        loop = asyncio.get_running_loop()
        while self.seconds < self._limit:
            self._step = loop.run_in_executor(None, next, self._tokens, None)
            # A step under way cannot be cancelled; shielded, it ends by itself and `close` waits for it.
            token = await asyncio.shield(self._step)
            if token is None:
                self.finish_reason = "length" if self._made >= self._room else "stop"
                break
            self._made += 1
            yield self._text.feed(token)
            if self._text.stopped:
                self.finish_reason = "stop"
                return
        yield self._text.finish()

    def close(self) -> None:
        """Give the turn back, at once or when the step under way has ended. Never waits."""
        if self._closed:
            return
        self._closed = True
        if self._step is None or self._step.done():
            self._release()
        else:
            self._step.add_done_callback(self._release_after)

    def _release_after(self, step: asyncio.Future[int | None]) -> None:
        if not step.cancelled():
            step.exception()  # whoever asked has gone; retrieved, so that nothing is logged
        self._release()

    def _release(self) -> None:
        try:
            stop = getattr(self._tokens, "close", None)
            if stop:
                stop()
        finally:
            self._turns.give_back()

    @property
    def seconds(self) -> float:
        """Time since the turn began."""
        return time.monotonic() - self._started

    @property
    def usage(self) -> dict[str, int]:
        """Counts in OpenAI's form."""
        prompt = len(self._prompt)
        return {"prompt_tokens": prompt, "completion_tokens": self._made, "total_tokens": prompt + self._made}
