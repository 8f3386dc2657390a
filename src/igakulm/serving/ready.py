"""Whether a request would be answered now, found out by asking the model for one token.

Does: say why not: a child that died and starts again, one that hangs, an endpoint that is away, an audit log that must
be written and cannot. Does not: ask while requests are answered (their tokens are the sign of life), more than once at
a time, or again within some seconds. Asking also starts a new child after a death, which would else wait for a request
that a load balancer does not send to a server that is not ready.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed
from igakulm.serving.admission import Busy, WaitedTooLong
from igakulm.serving.audit import AuditLog
from igakulm.serving.dispatcher import Dispatcher

LOG = logging.getLogger("igakulm.serving")
AGAIN = 5.0
"""Seconds for which what was found out holds."""
READY = ""


class Readiness:
    """Whether a server is ready.

    Args:
        dispatcher: the engine and its queue.
        audit: the log; None = there is none.
        clock: seconds.
    """

    def __init__(
        self, dispatcher: Dispatcher, audit: AuditLog | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._dispatcher, self._audit, self._clock = dispatcher, audit, clock
        self._asked: Future[str] | None = None
        self._since = self._until = 0.0
        self._found = READY

    async def answer(self, _: Request) -> Response:
        """`GET /ready`: 200, or 503 with the reason."""
        why = await self.why_not()
        return JSONResponse({"ready": why == READY, "reason": why}, 200 if why == READY else 503)

    async def why_not(self) -> str:
        """The reason, in words that hold nothing of a text; empty = it is ready."""
        if self._audit is not None and self._audit.strict and not self._audit.writable():
            return "the audit log cannot be written"
        if self._asked is None and self._dispatcher.admission.running:
            silent = self._clock() - self._dispatcher.heard
            return READY if silent < self._dispatcher.limits.seconds else "the model says nothing"
        if self._asked is None and self._clock() >= self._until:
            await self._ask()
        if self._asked is not None:
            await self._wait(self._asked)
        return self._found

    async def _ask(self) -> None:
        self._since = self._clock()
        try:
            self._asked = await self._dispatcher.start(self._one_token)
        except (Busy, WaitedTooLong):  # somebody else is answered now, and shows whether the model lives
            self._found = READY

    def _one_token(self) -> str:
        engine, encoder = self._dispatcher.inner, self._dispatcher.model.encoder
        try:
            for _ in engine.stream(encoder.plain_ids("。"), 1, []):
                pass
        except EngineFailed as error:
            LOG.warning("not ready: %s", error)
            return "the model's process or server does not answer"
        except InputError as error:
            LOG.warning("not ready: %s", error)
            return "the model refuses a question of one character"
        return READY

    async def _wait(self, asked: Future[str]) -> None:
        left = self._dispatcher.limits.ready_seconds - (self._clock() - self._since)
        done, _ = await asyncio.wait({asyncio.wrap_future(asked)}, timeout=max(0.0, left))
        if not done:
            self._found = "the model starts, or hangs"
            return
        if self._asked is asked:
            self._asked, self._until = None, self._clock() + AGAIN
        self._found = asked.result() if asked.exception() is None else "asking the model failed"
