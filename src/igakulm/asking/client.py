"""One asynchronous client for any OpenAI-compatible server, with a durable store of its answers.

Does: chat completions, completions and embeddings; a concurrency limit; retries with jittered exponential back-off that
honour Retry-After; time-outs; a durable store (`igakulm.asking.store`), so that nothing is asked twice.
Does not: stream, write prompts, judge answers, follow redirects, use proxies, or contact anything but the one endpoint
that the user named. The key comes from an environment variable (IGAKULM_API_KEY) and is neither stored nor shown.
Protocol: the OpenAI API reference, as llama.cpp, vLLM and others serve it.
"""

from __future__ import annotations

import asyncio
import os
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from igakulm.asking.retry import Retry as Retry
from igakulm.asking.retry import parse_retry_after as parse_retry_after
from igakulm.asking.store import ResponseStore as ResponseStore
from igakulm.asking.transport import (
    JSON_TYPE,
    BadAnswer,
    TooLong,
    check_head,
    json_object,
    open_async_client,
    read_body_async,
)
from igakulm.errors import InputError
from igakulm.files import sha256_json
from igakulm.text.messages import Message

if TYPE_CHECKING:
    import httpx

API_KEY_VARIABLE = "IGAKULM_API_KEY"
AGAIN = frozenset({408, 409, 425, 429})  # the same request may succeed later, as after 500 and above
REFUSED = frozenset({400, 413, 414, 415, 422, 451})  # judge this one request (too long, filtered), not the endpoint

Parameters = Mapping[str, Any]
Body = dict[str, Any]


class EndpointError(InputError):
    """The endpoint as a whole cannot be used: down, wrong address, wrong key."""


class RequestError(InputError):
    """One request has no answer while others may; `reason` is `request_refused` or `no_answer`."""

    def __init__(self, reason: str, what: str, *, where: str) -> None:
        super().__init__(what, where=where)
        self.reason = reason


class _AgainError(Exception):
    """An attempt failed in a way that may pass; `everywhere` says that every other request fails alike."""

    def __init__(self, what: str, *, retry_after: float | None = None, everywhere: bool = False) -> None:
        super().__init__(what)
        self.retry_after, self.everywhere = retry_after, everywhere


@dataclass(frozen=True, slots=True)
class Answer:
    """The first choice of a completion; `stored`: nothing was asked now; `body`: the server's whole answer."""

    text: str
    finish_reason: str
    body: Body
    stored: bool


def request_key(route: str, body: Mapping[str, object], revision: str = "") -> str:
    """Hex SHA-256 of everything that shapes an answer: model, messages, parameters, seed; not the server's address.

    `revision` tells apart models that a server calls by one name.
    """
    return sha256_json({"route": route, "body": body, **({"revision": revision} if revision else {})})


def endpoint_url(endpoint: str) -> str:
    """The endpoint's address without a trailing slash.

    Raises:
        InputError: not an http(s) address, or one with a name, password, query or fragment.

    >>> endpoint_url("http://127.0.0.1:8080/v1/")
    'http://127.0.0.1:8080/v1'
    """
    address = endpoint.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # The address itself is not shown: it may hold a password.
    if not usable or "@" in address or "?" in address or "#" in address:
        what = "the endpoint is not a plain http or https address (no name, password, query or fragment)"
        hint = f"write it as http://127.0.0.1:8080/v1; a key belongs into the environment variable {API_KEY_VARIABLE}"
        raise InputError(what, where="endpoint", hint=hint)
    return address


def read_api_key(variable: str = API_KEY_VARIABLE) -> str:
    """The server's key; empty where there is none.

    Raises:
        InputError: it cannot be part of a request.
    """
    key = os.environ.get(variable, "").strip()
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise InputError("the key holds white space or characters beyond ASCII", where=f"${variable}")
    return key


def _choice_text(route: str, body: Body) -> tuple[str, str]:
    """Text and finish reason of the first choice; a missing text (only reasoning was produced) is empty."""
    choice = body["choices"][0]
    text = choice["message"]["content"] if route == "chat/completions" else choice["text"]
    if text is not None and not isinstance(text, str):
        raise TypeError("the text is not a string")
    return text or "", str(choice.get("finish_reason") or "")


def _check_end(reason: str, where: str) -> None:
    """Refuse a new answer that broke off: one without a reason for its end may lack any part of its text."""
    if reason == "content_filter":
        raise RequestError("request_refused", "the server's filter ended the answer", where=where)
    if reason in ("", "abort", "error", "cancelled"):
        raise ValueError(f"the answer broke off: its finish_reason is {reason or 'missing'}")


def _vectors(body: Body, expected: int) -> list[list[float]]:
    rows = sorted(body["data"], key=lambda row: int(row["index"]))
    if len(rows) != expected:
        raise ValueError("as many vectors as texts were expected")
    return [[float(value) for value in row["embedding"]] for row in rows]


class Client:
    """Asks one endpoint; use as `async with Client(...) as client`.

    `endpoint` is the address up to and including `/v1`; without a `store` every question is asked; `concurrency` is the
    number of requests at once; `revision` enters the keys of the answers; `key_variable` is the environment variable
    with the server's key. `counts` says what happened on the wire: for logs, never part of a result. An answer is
    returned after it is on the disk; a killed process loses what was on the wire, `concurrency` answers at most.

    Raises:
        InputError: a bad address or key, or `httpx` is not installed.
    """

    def __init__(
        self,
        endpoint: str,
        store: ResponseStore | None = None,
        *,
        concurrency: int = 4,
        retry: Retry | None = None,
        revision: str = "",
        key_variable: str = API_KEY_VARIABLE,
    ) -> None:
        self.url = endpoint_url(endpoint)
        self.counts = {"attempts": 0, "failures": 0, "answered": 0, "stored": 0}
        self._store, self._retry, self._revision = store, retry or Retry(), revision
        self._key_variable, self._key = key_variable, read_api_key(key_variable)
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._given_up = asyncio.Event()
        self._contact = False
        self._hold_until = 0.0
        self._connections = self._connect(concurrency)
        self._idle: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
        for connection in self._connections:
            self._idle.put_nowait(connection)

    def _connect(self, number: int) -> list[httpx.AsyncClient]:
        """One client for each request at once: a pool goes through all its connections at every request, which costs
        more than the request."""
        try:
            return [open_async_client(self._key, 1) for _ in range(number)]
        except ImportError as error:
            hint = "pip install 'igakulm[synth]'"
            raise InputError("asking a server needs the package httpx", where=self.url, hint=hint) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._store is not None:
            self._store.groups.flush()
        for connection in self._connections:
            await connection.aclose()

    def give_up(self) -> None:
        """Let requests on the wire finish, but retry nothing any more."""
        self._given_up.set()

    async def chat(self, model: str, messages: Sequence[Message], parameters: Parameters | None = None) -> Answer:
        """Ask for one assistant message; `parameters` (temperature, max_tokens, seed, …) are sent as they are.

        Raises:
            EndpointError: the endpoint is down or refuses everybody, after the retries.
            RequestError: this request has no answer.
        """
        return await self.ask_chat(chat_body(model, messages, parameters))

    async def ask_chat(self, body: Body, *, new_key: str = "") -> Answer:
        """As `chat`, with a body made by `chat_body`; `new_key`: its key, of which the store has no answer."""
        return await self.ask_completion("chat/completions", body, new_key=new_key)

    async def complete(self, model: str, prompt: str, parameters: Parameters | None = None) -> Answer:
        """Continue a text; errors as for `chat`."""
        return await self.ask_completion("completions", {**(parameters or {}), "model": model, "prompt": prompt})

    async def ask_completion(
        self, route: str, body: Body, check: Callable[[Body], object] | None = None, *, new_key: str = ""
    ) -> Answer:
        """As `chat` (route "chat/completions") or `complete` (route "completions"), with the whole body.

        `check` looks at a new answer before it is stored: a ValueError, LookupError or TypeError asks again as for any
        malformed answer, an InputError goes to the caller at once.
        """

        def check_all(found: Body) -> None:
            _check_end(_choice_text(route, found)[1], self.url)
            if check is not None:
                check(found)

        answer, stored = await self._ask(route, body, check_all, new_key)
        text, finish_reason = _choice_text(route, answer)
        return Answer(text, finish_reason, answer, stored)

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, in order; errors as for `chat`."""
        body = {"model": model, "input": list(texts)}
        answer, _ = await self._ask("embeddings", body, lambda found: _vectors(found, len(texts)))
        return _vectors(answer, len(texts))

    async def _ask(
        self, route: str, body: Body, check: Callable[[Body], object], new_key: str = ""
    ) -> tuple[Body, bool]:
        """The answer from the store or else from the server; equal requests at one time are asked once."""
        key = new_key or request_key(route, body, self._revision)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            found = self._store.get(key) if self._store is not None and not new_key else None
            if found is not None:
                self.counts["stored"] += 1
                return found, True
            connection = await self._idle.get()
            try:
                answer = await self._fetch(connection, key, route, body, check)
            finally:
                self._idle.put_nowait(connection)
            self.counts["answered"] += 1
            return answer, False

    async def _fetch(
        self, connection: httpx.AsyncClient, key: str, route: str, body: Body, check: Callable[[Body], object]
    ) -> Body:
        """The server's answer, on the disk; the connection is held until then, so that a kill loses few answers."""
        answer = await self._try(connection, route, body, check)
        if self._store is not None:
            request = {"route": route, "body": body, **({"revision": self._revision} if self._revision else {})}
            await self._store.groups.put(key, request, answer)
        return answer

    async def _try(
        self, connection: httpx.AsyncClient, route: str, body: Body, check: Callable[[Body], object]
    ) -> Body:
        failures = 0
        away_since: float | None = None
        while True:
            await self._pause(self._hold_until - self._retry.clock())
            try:
                return await self._post(connection, route, body, check)
            except _AgainError as error:
                failures += 1
                self.counts["failures"] += 1
                wait = error.retry_after
                away_since = (away_since or self._retry.clock()) if error.everywhere else None
                enough = self._enough(error, failures, away_since)
                if not enough:
                    delay = self._retry.delay(failures, wait)
                    if wait is not None:
                        # A server that asks for patience asks all of us.
                        self._hold_until = max(self._hold_until, self._retry.clock() + delay)
                    await self._pause(delay)
                if enough or self._given_up.is_set():
                    raise self._final(error, failures) from error

    def _enough(self, error: _AgainError, failures: int, away_since: float | None) -> bool:
        """Whether a request that failed so often is not tried again."""
        retry = self._retry
        if (error.retry_after or 0.0) > retry.longest_retry_after:
            return True
        if error.everywhere and not self._contact and failures >= retry.attempts_before_contact:
            return True
        away = self._contact and away_since is not None and retry.clock() - away_since < retry.patience
        return failures >= retry.attempts and not away

    def _final(self, error: _AgainError, failures: int) -> InputError:
        asked = "" if error.retry_after is None else f" (Retry-After: {error.retry_after:.0f} s)"
        what = f"no answer after {failures} attempt{'s' if failures > 1 else ''}: {error}{asked}"
        if not error.everywhere:
            return RequestError("no_answer", what, where=self.url)
        self.give_up()
        hint = "start or check the server and run the same command again; finished answers are kept"
        return EndpointError(what, where=self.url, hint=hint)

    async def _pause(self, seconds: float) -> None:
        """Sleep, or less when the client has given up."""
        if seconds <= 0 or self._given_up.is_set():
            return
        sleeping = asyncio.ensure_future(self._retry.sleep(seconds))
        stopping = asyncio.ensure_future(self._given_up.wait())
        try:
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            stopping.cancel()

    async def _post(
        self, connection: httpx.AsyncClient, route: str, body: Body, check: Callable[[Body], object]
    ) -> Body:
        """One attempt."""
        import httpx

        self.counts["attempts"] += 1
        data = b""
        asking = connection.stream("POST", f"{self.url}/{route}", json=body)
        try:
            async with asyncio.timeout(self._retry.timeout), asking as response:
                self._contact = True
                if response.is_success:
                    check_head(response, JSON_TYPE)
                data = await read_body_async(response)
        except TooLong as error:
            raise RequestError("no_answer", str(error), where=self.url) from error
        except BadAnswer as error:
            raise _AgainError(str(error)) from error
        except TimeoutError as error:
            raise _AgainError(f"no answer within {self._retry.timeout:g} s") from error
        except httpx.RequestError as error:
            down = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            detail = self._excerpt(f"{type(error).__name__} {error}".encode())
            raise _AgainError(f"the connection failed: {detail}", everywhere=down) from error
        if not response.is_success:
            raise self._explain_status(response, self._excerpt(data))
        try:
            answer = json_object(data)
            check(answer)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise _AgainError(f"the answer is not what the protocol says: {self._excerpt(data)}") from error
        return answer

    def _explain_status(self, response: httpx.Response, excerpt: str) -> Exception:
        status = response.status_code
        what = f"the server answers {status}: {excerpt}"
        if status in AGAIN or status >= 500:
            wait = parse_retry_after(response.headers.get("Retry-After"), self._retry.now())
            return _AgainError(what, retry_after=wait, everywhere=status in (429, 503))
        if status in REFUSED:
            return RequestError("request_refused", what, where=self.url)
        self.give_up()
        by_key = f"check the key in the environment variable {self._key_variable} and what it may do"
        by_address = "check the address (it usually ends in /v1; redirects are not followed) and the model's name"
        hint = by_key if status in (401, 402, 403) else by_address
        return EndpointError(what, where=self.url, hint=hint)

    def _excerpt(self, data: bytes) -> str:
        """The start of what came back, for messages; a server may echo the key."""
        text = " ".join(data[:4000].decode("utf-8", "replace").split())
        return (text.replace(self._key, "[key]") if self._key else text)[:300]


def chat_body(model: str, messages: Sequence[Message], parameters: Parameters | None = None) -> Body:
    """The JSON body of a chat request; with `request_key("chat/completions", …)` it finds a stored answer again."""
    return {**(parameters or {}), "model": model, "messages": [dict(message) for message in messages]}


def stored_chat(store: ResponseStore, body: Body, revision: str = "") -> Answer | None:
    """The stored answer to a chat request, or None; asks nobody."""
    return stored_answer(store, request_key("chat/completions", body, revision))


def stored_answer(store: ResponseStore, key: str, route: str = "chat/completions") -> Answer | None:
    """The stored answer to the request of a key, or None; asks nobody."""
    found = store.get(key)
    return None if found is None else Answer(*_choice_text(route, found), found, True)
