"""What all routes share: the engine and its queue, limits, reading a body, and running blocking work for a request.

Does: JSON bodies of limited size and time; a turn at the engine; work in a thread that ends when its client has gone
or its time is over; failures in words that hold nothing of a text. Does not: know what a route answers.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import re
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from igakulm.errors import InputError
from igakulm.inference.engine import EndpointFailed, EngineFailed
from igakulm.inference.model import Model
from igakulm.serving.admission import AdmissionQueue, Busy, WaitedTooLong
from igakulm.serving.request_counts import CountingEngine, Ended, current_counts
from igakulm.serving.visitor import visitor_of
from igakulm.text.broken import whole_characters

T = TypeVar("T")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


class BadRequest(Exception):
    """A request that is refused: message, field, code, HTTP status."""

    def __init__(self, message: str, param: str | None = None, code: str = "invalid_value", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status


class ClientGone(Exception):
    """Nobody reads the answer any more."""


@dataclass(frozen=True)
class Limits:
    """What one client can ask for.

    Attributes:
        new_tokens: of one answer.
        queue: how many requests may wait beside those that are answered.
        turn_seconds: longest wait for a turn.
        seconds: longest answer, from its turn on.
        ready_seconds: within this time one token must come for the server to be ready.
        body_seconds: within this time a body must have arrived.
    """

    body_bytes: int = 256 * 1024
    new_tokens: int = 1024
    queue: int = 8
    turn_seconds: float = 120.0
    seconds: float = 120.0
    body_seconds: float = 20.0
    ready_seconds: float = 10.0


class Dispatcher:
    """One model and those who wait for it.

    Args:
        model: does the work. Routes use the dispatcher's own `model`, whose engine counts and stops with the request.
        limits: sizes and times.
    """

    def __init__(self, model: Model, limits: Limits | None = None) -> None:
        self.inner, self.name, lanes = model.engine, model.name, model.engine.lanes
        self._counting = CountingEngine(model.engine)
        self.model = replace(model, engine=self._counting)
        self.limits = limits or Limits()
        self.admission = AdmissionQueue(self.limits.queue, lanes, self.limits.turn_seconds)
        self.threads = ThreadPoolExecutor(lanes, "engine")
        self.started = int(time.time())

    @property
    def heard(self) -> float:
        """When the engine last gave or was given anything."""
        return self._counting.heard

    async def json_body(self, request: Request) -> dict[str, Any]:
        """The body of a request: a JSON object. Lone surrogates in its texts become U+FFFD.

        Raises:
            BadRequest: another content type, too large, too slow, no JSON object in UTF-8.
            ClientGone: the client went before its body had come.
        """
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise BadRequest("the content type is application/json", None, "unsupported_media_type", 415)
        return parse_json(await self._body(request))

    async def _body(self, request: Request) -> bytes:
        most = self.limits.body_bytes
        too_large = BadRequest(f"the body is larger than {most:,} bytes", None, "request_too_large", 413)
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_large
        except TimeoutError as error:
            raise BadRequest("the body did not arrive in time", None, "request_timeout", 408) from error
        except ClientDisconnect as error:
            raise ClientGone from error
        return bytes(body)

    async def run(self, function: Callable[[], T], request: Request | None = None) -> T:
        """Run blocking work with the engine in a thread, with a turn of its own.

        The work ends at its next token when the time is over, or when the client has gone (with `request`, whose body
        must have been read). The turn is given back when the work has really ended.

        Raises:
            BadRequest: 429 the queue is full; 503 no turn came in time, the engine failed or the time is over; 400 an
                `InputError` of it.
            ClientGone: the client has gone.
        """
        return await until_gone(request, self._run(function)) if request else await self._run(function)

    async def _run(self, function: Callable[[], T]) -> T:
        work = await self.begin(function)
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.shield(work)
        except TimeoutError as error:
            message = f"the answer took longer than {self.limits.seconds:.0f} s; ask for less at once"
            raise BadRequest(message, None, "timed_out", 503) from error
        except (EngineFailed, InputError) as error:
            raise refusal(error) from error
        finally:
            current_counts().ended.set()

    async def begin(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Wait for a turn and start blocking work in a thread; the turn is given back when the work ends.

        The turn is given back in the thread that did the work: the loop of this request may have ended by then.

        Raises:
            BadRequest: the queue is full (429), or no turn came in time (503).
        """
        try:
            work = await self.start(function)
        except Busy as error:
            message = "the model is busy and the queue is full; try again soon"
            raise BadRequest(message, None, "busy", 429) from error
        except WaitedTooLong as error:
            message = f"the model is busy: no turn came within {self.limits.turn_seconds:.0f} s; try again later"
            raise BadRequest(message, None, "busy", 503) from error
        waited = asyncio.wrap_future(work)
        waited.add_done_callback(_retrieve)
        return waited

    async def start(self, function: Callable[[], T]) -> Future[T]:
        """As `begin`; the work belongs to no event loop.

        Raises:
            Busy: the queue is full.
            WaitedTooLong: no turn came in time.
        """
        await self.admission.acquire()
        current_counts()  # made here, so that the thread's copy of the context holds it
        try:
            work = self.threads.submit(contextvars.copy_context().run, function)
        except BaseException:
            self.admission.release()
            raise
        work.add_done_callback(lambda _: self.admission.release())  # before the request hears of the end
        return work

    def close(self) -> None:
        """Take no more work; what runs ends by itself."""
        self.threads.shutdown(wait=False, cancel_futures=True)


def _retrieve(work: asyncio.Future[Any]) -> None:
    """Whoever asked may have gone; a failure that is looked at is not logged as one that nobody saw."""
    if not work.cancelled():
        work.exception()


def check_allowed(request: Request, task: str) -> None:
    """Refuse what the request's key is not for: a task's name, `chat` or `completions`.

    Raises:
        BadRequest: 403.
    """
    if not visitor_of(request.scope).may(task):
        raise BadRequest("this key is not for this task", "task", "task_not_allowed", 403)


def refusal(error: EngineFailed | InputError) -> BadRequest:
    """The answer when work with the engine ends in an error that is not ours."""
    if isinstance(error, InputError):
        return BadRequest(error.what)
    if isinstance(error, EndpointFailed):
        # The reason may quote a text, and is for whoever runs the server; so is the address.
        return BadRequest(
            "the model's server does not answer as it should; try again later", None, "engine_failed", 503
        )
    return BadRequest("the model's process failed and starts again; try again soon", None, "engine_failed", 503)


async def until_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for work, or cancel it when the client of `request` goes. The body must have been read.

    Raises:
        ClientGone: the client went first.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})  # never long: what runs in a thread is not waited for


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def parse_json(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8; lone surrogates become U+FFFD.

    Raises:
        BadRequest: anything else.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON number")

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse)
        if _SURROGATE_ESCAPE.search(body):
            value = _mended(value)
    except (ValueError, RecursionError) as error:
        # The error's own text quotes the body, which may be a patient's record.
        raise BadRequest("the body is not valid JSON in UTF-8", code="invalid_json") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is a JSON object", code="invalid_json")
    return value


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


__all__ = [
    "BadRequest",
    "ClientGone",
    "Dispatcher",
    "Ended",
    "Limits",
    "check_allowed",
    "parse_json",
    "refusal",
    "until_gone",
]
