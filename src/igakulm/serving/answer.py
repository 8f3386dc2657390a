"""One answer on its way: tokens made in a thread, text that arrives in the event loop.

Does: stop at stop texts and at the time limit, let go of the engine at the next token when the client has gone. A slow
reader holds up nobody: the turn ends with the last token, not with the last byte. Does not: know HTTP or its forms.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed, Step
from igakulm.serving.dispatcher import Dispatcher, Ended, refusal
from igakulm.serving.request_counts import current_counts
from igakulm.serving.request_fields import Generation
from igakulm.serving.text import TextStream

GRACE = 1.0
"""Seconds that an engine has beyond the limit to come to its next token; after them its answer is not waited for."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that can be shown, and the tokens that were made meanwhile."""

    text: str
    steps: tuple[Step, ...]


class Answer:
    """An answer on its way. `begin` first, then `pieces`; `close` in every case.

    Args:
        dispatcher: engine, queue and limits.
        prompt: token ids.
        asked: how to answer.

    Attributes:
        finish_reason: "stop" or "length" (of tokens, context or time).
    """

    def __init__(self, dispatcher: Dispatcher, prompt: Sequence[int], asked: Generation) -> None:
        self._dispatcher, self._prompt, self._asked = dispatcher, prompt, asked
        self._most = min(asked.max_tokens, dispatcher.model.context_length - len(prompt))
        self._made: deque[Piece | BaseException | str] = deque()
        self._loop, self._wake, self._signalled = asyncio.get_running_loop(), asyncio.Event(), False
        self._counts = current_counts()
        self._end = 0.0
        self.finish_reason = "length"

    async def begin(self) -> None:
        """Wait for the turn, then for the first piece of text or the end of the answer.

        Raises:
            BadRequest: the queue is full; the engine failed, or refuses this request.
        """
        await self._dispatcher.begin(self._make)
        self._end = time.monotonic() + self._dispatcher.limits.seconds + GRACE
        await self._wait()
        if isinstance(self._made[0] if self._made else None, BaseException):
            await anext(self.pieces())

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Text as it becomes complete; what came while the reader was busy comes in one piece.

        Raises:
            BadRequest: the engine failed.
        """
        while True:
            texts: list[str] = []
            steps: list[Step] = []
            end: BaseException | str | None = None
            self._signalled = False
            while self._made:
                item = self._made.popleft()
                if not isinstance(item, Piece):
                    end = item
                    break
                texts.append(item.text)
                steps.extend(item.steps)
            if texts:
                self._counts.answer.append("".join(texts))
                yield Piece(self._counts.answer[-1], tuple(steps))
            if isinstance(end, BaseException):
                raise refusal(end) if isinstance(end, InputError | EngineFailed) else end
            if end is not None:
                self.finish_reason = self._counts.finish = end
                return
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(max(self._end - time.monotonic(), 0.0)):
                await self._wake.wait()
        except TimeoutError:
            self._made.append("length")
        self._wake.clear()

    def close(self) -> None:
        """End the work at its next token. Never waits."""
        self._counts.ended.set()

    def _make(self) -> None:
        """Runs in a thread."""
        try:
            self._say(self._steps())
        except Ended:
            self._say("stop")
        except Exception as error:
            self._say(error)

    def _steps(self) -> str:
        dispatcher, sampling = self._dispatcher, self._asked.sampling
        text = TextStream(dispatcher.model.encoder, self._asked.stop)
        deadline = time.monotonic() + dispatcher.limits.seconds
        made, reason = 0, "length"
        if time.monotonic() < deadline:
            steps = dispatcher.model.engine.stream(self._prompt, self._most, dispatcher.model.encoder.stops, sampling)
            with contextlib.closing(steps):  # type: ignore[type-var]
                for step in steps:
                    made += 1
                    self._say(Piece(text.feed(step.token), (step,)))
                    if text.stopped:
                        return "stop"
                    if time.monotonic() >= deadline:
                        break
                else:
                    reason = "length" if made >= self._most else "stop"
        if rest := text.finish():
            self._say(Piece(rest, ()))
        return reason

    def _say(self, item: Piece | BaseException | str) -> None:
        self._made.append(item)
        if not self._signalled:
            self._signalled = True
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
                self._loop.call_soon_threadsafe(self._wake.set)
