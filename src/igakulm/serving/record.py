"""What is remembered of a request: a log line of counts, and a line of the audit log where one is kept.

Does: give every request its counts; write counts, times and digests when it is over; keep failures from writing texts
into logs. Does not: log a text, unless the server was told to.
"""

from __future__ import annotations

import logging
import time
import traceback
from pathlib import Path
from typing import TypedDict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from igakulm.serving.audit import AuditLog
from igakulm.serving.audit_lines import Digest, digest
from igakulm.serving.guards import error_response
from igakulm.serving.metrics import Metrics
from igakulm.serving.request_counts import CURRENT, RequestCounts
from igakulm.serving.visitor import visitor_of

LOG = logging.getLogger("igakulm.serving")


class Begun(TypedDict, total=False):
    """Number of the line that a strict log got when a request came."""

    begin: int


class Record:
    """The layer between the guard and the application.

    Args:
        app: what is recorded.
        audit: the audit log, or None.
        log_prompts: bodies and answers go to the log too.
        metrics: counts all requests; None = nobody does.
    """

    def __init__(
        self, app: ASGIApp, *, audit: AuditLog | None = None, log_prompts: bool = False, metrics: Metrics | None = None
    ) -> None:
        self.app, self.audit, self.log_prompts, self.metrics = app, audit, log_prompts, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and record what was asked of the model."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = self._begin(scope)
        if begun is None:
            message = "the audit log cannot be written, and nothing is done without it"
            await error_response(503, message, "audit_unavailable")(scope, receive, send)
            return
        exchange = _Exchange(self.audit.key if self.audit else None, receive, send, keep=self.log_prompts)
        token = CURRENT.set(exchange.counts)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except Exception as error:
            # Starlette has answered 500 and raises again. The error's own text may quote a patient's record: only
            # where it happened is logged.
            LOG.error("request failed: %s %s", type(error).__name__, places(error))
        finally:
            exchange.counts.ended.set()
            CURRENT.reset(token)
            if self.metrics is not None:
                seconds = time.monotonic() - exchange.counts.started
                self.metrics.count(scope["path"], exchange.status, seconds, exchange.counts)
            if scope["method"] == "POST":
                self._write(scope, exchange, begun)

    def _begin(self, scope: Scope) -> Begun | None:
        """What the last line of a request repeats of its first; None = the audit log is strict and refuses."""
        if self.audit is None or not self.audit.strict or scope["method"] != "POST":
            return {}
        visitor = visitor_of(scope)
        try:
            return {"begin": self.audit.announce(event="begin", client=visitor.address, key=visitor.name)}
        except OSError as error:
            LOG.error("the audit log cannot be written, requests are refused: %s", error.strerror or error)
            return None

    def _write(self, scope: Scope, exchange: _Exchange, begun: Begun) -> None:
        path, visitor = scope["path"], visitor_of(scope)
        counts, seconds = exchange.counts, time.monotonic() - exchange.counts.started
        name = path if exchange.status not in (404, 405) else "unknown path"
        words = "%s: %d, %d + %d tokens, %.2f s %s"
        LOG.info(words, name, exchange.status, counts.prompt_tokens, counts.completion_tokens, seconds, counts.finish)
        if self.log_prompts:
            LOG.info("asked: %s", bytes(exchange.body).decode("utf-8", "replace"))
            LOG.info("answered: %s", "".join(counts.answer))
        if self.audit is None:
            return
        answer = digest("".join(counts.answer).encode(), self.audit.key) if counts.answer else exchange.sent.hex()
        try:
            self.audit.append(
                event="request",
                **begun,
                path=name,
                client=visitor.address,
                key=visitor.name,
                status=exchange.status,
                prompt_tokens=counts.prompt_tokens,
                completion_tokens=counts.completion_tokens,
                seconds=round(seconds, 3),
                finish=counts.finish,
                request=exchange.received.hex(),
                answer=answer,
            )
        except OSError as error:
            LOG.error("the audit log cannot be written: %s", error.strerror or error)


def places(error: BaseException) -> str:
    """Where an error happened, without its text: files and lines, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)


class _Exchange:
    """One request: its counts, its status, and digests of what came and went."""

    def __init__(self, key: bytes | None, receive: Receive, send: Send, *, keep: bool) -> None:
        self.counts, self.status, self.body = RequestCounts(), 0, bytearray()
        self.received, self.sent = Digest(key), Digest(key)
        self._receive, self._send, self._keep = receive, send, keep

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            data = message.get("body", b"")
            self.received.update(data)
            if self._keep:
                self.body += data
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent.update(message.get("body", b""))
        await self._send(message)
