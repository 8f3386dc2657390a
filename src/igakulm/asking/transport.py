"""HTTP to other servers with a bound on everything that comes back: the one way in which we ask anybody.

Does: connections without proxies, redirects or compression; limits for bodies, lines and silences; refuse an answer of
another content type than asked for; read JSON and server-sent events, and say when their end is missing.
Does not: repeat requests (client.py), know what an answer means, or trust a byte of it.

A compressed answer is refused, not unpacked: it was not asked for, and a few kilobytes of it can become gigabytes.
Source: HTML Living Standard, section 9.2 (server-sent events); OpenAI API reference ("data: [DONE]" ends a stream).
"""

from __future__ import annotations

import functools
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES, MAX_LINE_BYTES, MAX_ERROR_BYTES = 64 * 2**20, 4 * 2**20, 64 * 2**10
"""Of a whole answer, of one line of a stream, and of what is read of a refusal."""
CONNECT = 10.0
"""Seconds until a connection is there."""
JSON_TYPE, EVENTS_TYPE = "application/json", "text/event-stream"
DONE = b"[DONE]"


class BadAnswer(ValueError):
    """What came back is not what the protocol says, has no end, or is more than anybody needs."""


class TooLong(BadAnswer):
    """More bytes than an answer, or a line of it, can have."""


def open_client(key: str, connections: int, patience: float) -> httpx.Client:
    """A client that waits `patience` seconds for the next byte; `key` is sent as a bearer token."""
    import httpx

    return httpx.Client(**_settings(key, connections, patience))


def open_async_client(key: str, connections: int) -> httpx.AsyncClient:
    """The same for an event loop, whose caller limits the time of each request."""
    import httpx

    return httpx.AsyncClient(**_settings(key, connections, None))


def _settings(key: str, connections: int, patience: float | None) -> dict[str, Any]:
    import httpx

    authorization = {"Authorization": f"Bearer {key}"} if key else {}
    return {
        "headers": {**authorization, "Accept-Encoding": "identity"},
        "timeout": httpx.Timeout(patience, connect=CONNECT),
        "limits": httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        # The system's certificates, not a bundled list: hospitals have authorities of their own.
        "verify": _trusted(),
        "trust_env": False,  # no proxy between a hospital's machines
        "follow_redirects": False,
    }


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Read once: it takes longer than a request."""
    return ssl.create_default_context()


def check_head(response: httpx.Response, content_type: str) -> None:
    """Look at the head of a successful answer before its body is read.

    Raises:
        BadAnswer: compressed, or of another content type.
    """
    if (encoding := response.headers.get("content-encoding", "identity").strip().lower()) != "identity":
        raise BadAnswer(f"the answer is compressed ({encoding[:40]}), which was not asked for")
    found = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if found != content_type:
        raise BadAnswer(f"the answer's content type is {found[:80] or 'missing'}, not {content_type}")


def read_body(response: httpx.Response) -> bytes:
    """The bytes of an answer; of a refusal its beginning.

    Raises:
        TooLong: more than `MAX_ANSWER_BYTES`.
    """
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if _is_enough(response, body):
            break
    return bytes(body)


async def read_body_async(response: httpx.Response) -> bytes:
    """As `read_body`."""
    body = bytearray()
    pieces: AsyncIterator[bytes] = response.aiter_raw()
    async for piece in pieces:
        body += piece
        if _is_enough(response, body):
            break
    return bytes(body)


def _is_enough(response: httpx.Response, body: bytearray) -> bool:
    if response.is_success and len(body) > MAX_ANSWER_BYTES:
        raise TooLong("the answer is unreasonably long")
    return not response.is_success and len(body) > MAX_ERROR_BYTES


def json_object(data: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BadAnswer: anything else.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("the answer is no JSON") from error
    if not isinstance(value, dict):
        raise BadAnswer("the answer is no JSON object")
    return value


def read_events(
    response: httpx.Response, patience: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[dict[str, object]]:
    """The JSON objects of a stream of server-sent events, until its "[DONE]".

    Args:
        response: a successful answer; its head has been looked at.
        patience: seconds from one event to the next; comments and blank lines that keep a connection open are none.
        clock: seconds.

    Raises:
        BadAnswer: no "[DONE]" at the end, no JSON, too long a silence, more bytes than an answer can have.
    """
    last = clock()
    for line in _lines(response.iter_raw()):
        if not line.startswith(b"data:"):
            if clock() - last > patience:
                raise BadAnswer("the stream says nothing")
            continue
        data = line[len(b"data:") :].strip()
        if data == DONE:
            return
        last = clock()
        yield json_object(data)
    raise BadAnswer("the stream broke off: its end is missing")


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines, and an empty one after each piece; a last one without a line end is none, and says nothing."""
    total, rest = 0, bytearray()
    for piece in pieces:
        total += len(piece)
        rest += piece
        if b"\n" in piece:  # not for each of a million pieces of one line
            *whole, rest = rest.split(b"\n")
            yield from (bytes(line) for line in whole)
        if total > MAX_ANSWER_BYTES or len(rest) > MAX_LINE_BYTES:
            raise TooLong("the stream, or a line of it, is unreasonably long")
        yield b""
