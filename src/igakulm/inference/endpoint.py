"""Any OpenAI-compatible server as a model that takes text and gives text.

Does: greedy answers and first-token log-probabilities of letters; several requests at once, answers in the order of the
requests, each kept on disk as soon as it is there; one request alone until the server has answered; tell what one
request cannot have from what the server cannot do.
Does not: write prompts, parse or judge answers, stream, or change an answer's text. Reasoning that a server returns
beside the answer is not read: a model that used all its tokens for reasoning has the answer "" and no failure (it was
asked and said nothing); `counts["empty"]` says how many.
Protocol: the OpenAI API reference (chat completions, completions), as llama.cpp, vLLM and others serve it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from igakulm.asking.client import (
    Answer,
    Body,
    Client,
    EndpointError,
    RequestError,
    ResponseStore,
    Retry,
    chat_body,
    endpoint_url,
    request_key,
    stored_answer,
)
from igakulm.errors import InputError
from igakulm.inference.engine import TextAnswer, TextRequest, nothing
from igakulm.inference.letters import first_token_logprobs, letter_logprobs
from igakulm.inference.messages import render_plain
from igakulm.text.broken import whole_characters
from igakulm.tokenizer.folder_text import merge_system

Route: TypeAlias = Literal["chat", "completions"]
TokensParameter: TypeAlias = Literal["max_tokens", "max_completion_tokens"]

FAILURES_IN_A_ROW = {"no_answer": 3, "request_refused": 20}
"""So many failed requests with no answer between them mean that the server, not the request, is at fault."""
TOP_LOGPROBS = 20
"""The longest list of first tokens that the chat protocol lets a client ask for."""
SILENT_LETTERS = 20
"""So many answers without log-probabilities, and none with, mean that the server gives none."""
KEPT = "finished answers are kept: check the server and run the same command again"

_ABOUT_SYSTEM = re.compile(
    r"(?:system|developer).{0,3}(?:role|message|prompt|instruction)|roles must alternate|only user", re.IGNORECASE
)
_ABOUT_LENGTH = re.compile(r"max_(?:completion_)?tokens", re.IGNORECASE)
_UNKNOWN = re.compile(r"not supported|unsupported|unrecogni[sz]ed|unknown|not permitted|unexpected", re.IGNORECASE)


class _NoLogprobsError(RequestError):
    """An answer came without log-probabilities; `text` is what it said instead."""

    def __init__(self, text: str, *, where: str) -> None:
        super().__init__("no_logprobs", "the server returns no log-probabilities", where=where)
        self.text = text


@dataclass(slots=True)
class _Call:
    """One call of `answer`: its requests, their answers by place, and what went wrong; `error` ends the asking."""

    client: Client
    requests: Sequence[TextRequest]
    done: Callable[[int], None]
    places: Iterator[int]
    answers: list[TextAnswer]
    in_a_row: int = 0
    failures: list[RequestError] = field(default_factory=list)
    without_logprobs: int = 0
    error: InputError | None = None


class Endpoint:
    """A model behind an OpenAI-compatible server; implements `TextModel`.

    `counts` (for logs, over all calls): "attempts" and "failures" on the wire, "answered" requests, "stored" answers
    that were not asked for again, "refused" requests, and "empty" answers that ended at the token limit. `models`: what
    the answers, kept ones too, say that their model is called.

    Args:
        url: the address up to and including /v1; a key comes from the environment variable IGAKULM_API_KEY.
        model: the name that the server knows the model by; also `name`.
        store: keeps every answer at once. The address is no part of what an answer is found by, so each server needs a
            store of its own: two models that go by one name would share answers.
        concurrency: requests on the wire at one time.
        route: "chat" (chat/completions; a plain prompt becomes one user message) or "completions" (a conversation
            becomes blocks of plain text).
        system_role: False = system messages are put before the next user message, for templates that refuse them.
        tokens_parameter: the name by which the chat route limits an answer's length.
        retry: how patient the client is.

    Raises:
        InputError: the address is none, or the model has no name.
    """

    def __init__(
        self,
        url: str,
        model: str,
        store: ResponseStore | None = None,
        *,
        concurrency: int = 8,
        route: Route = "chat",
        system_role: bool = True,
        tokens_parameter: TokensParameter = "max_tokens",
        retry: Retry | None = None,
    ) -> None:
        self.url, self.name = endpoint_url(url), model
        if not model.strip():
            raise InputError("the endpoint's model is not named", where=self.url, hint="give the name the server uses")
        self.counts: Counter[str] = Counter()
        self._store, self._concurrency, self._retry = store, max(1, concurrency), retry or Retry()
        self.chat, self._system_role = route == "chat", system_role
        self._limit = tokens_parameter if self.chat else "max_tokens"
        self._path = "chat/completions" if self.chat else "completions"
        self._answered = self._logprobs_seen = False
        self.models: set[str] = set()

    def answer(self, requests: Sequence[TextRequest], *, done: Callable[[int], None] = nothing) -> list[TextAnswer]:
        """Greedy answers in the order of the requests; `done(1)` is called as each finishes.

        A request that the server refuses, or does not answer after all retries, has a `failure`; it is not stored, so
        that the next run asks it again. With `letters` the text is the first token that the model would write. An
        answer may come without log-probabilities (llama.cpp: the first token is half a character): no letters then.

        Raises:
            EndpointError: the server is down, refuses everybody, or fails request after request. Answers that came are
                in the store; the same call goes on from there.
            InputError: the server gives no log-probabilities, or the way it is asked does not suit it.
            RuntimeError: called inside a running event loop.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._answer(requests, done))
        raise RuntimeError("Endpoint.answer runs an event loop of its own: call it outside of a running one")

    async def _answer(self, requests: Sequence[TextRequest], done: Callable[[int], None]) -> list[TextAnswer]:
        # A server that has answered before is worth waiting for.
        early = self._retry.attempts if self._answered else self._retry.attempts_before_contact
        retry = replace(self._retry, attempts_before_contact=early)
        async with Client(self.url, self._store, concurrency=self._concurrency, retry=retry) as client:
            call = _Call(client, requests, done, iter(range(len(requests))), [TextAnswer("")] * len(requests))
            try:
                if not self._answered:
                    await self._work(call, alone=True)
                if call.error is None:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(min(self._concurrency, len(requests))):
                            group.create_task(self._work(call))
            finally:
                self.counts.update(client.counts)
        error = call.error or self._final_error(call)
        if error is not None:
            raise error
        return call.answers

    async def _work(self, call: _Call, *, alone: bool = False) -> None:
        """Take requests until none is left or the server is at fault; `alone`: until the server has answered."""
        for place in call.places:
            try:
                call.answers[place] = await self._ask(call, call.requests[place])
            except _NoLogprobsError as error:
                call.answers[place] = TextAnswer(error.text)
                call.without_logprobs += 1
                # A first token that ends the text or is half a character may lack them at a server that has them.
                if error.text.strip("\ufffd") or call.without_logprobs >= SILENT_LETTERS:
                    call.error = call.error or self._no_logprobs(error.what)
            except RequestError as error:
                call.answers[place] = TextAnswer("", failure=error.what)
                self._fail(call, call.requests[place], error)
            except InputError as error:
                call.error = call.error or error
            if call.error is not None:
                call.client.give_up()
                return
            call.done(1)
            if alone and self._answered:
                return

    async def _ask(self, call: _Call, request: TextRequest) -> TextAnswer:
        """One answer from the store or the server; errors as of `Client.chat`, and _NoLogprobsError."""
        body = self._body(request)
        answer = await call.client.ask_completion(self._path, body, lambda found: self._check(request, found))
        if not answer.stored:
            self._answered, call.in_a_row = True, 0
        self.counts["empty"] += not answer.text and answer.finish_reason == "length"
        return self._read(request, answer)

    def stored(self, request: TextRequest) -> TextAnswer | None:
        """The kept answer to a request, or None; asks nobody."""
        key = request_key(self._path, self._body(request))
        answer = stored_answer(self._store, key, self._path) if self._store is not None else None
        return None if answer is None else self._read(request, answer)

    def _read(self, request: TextRequest, answer: Answer) -> TextAnswer:
        if isinstance(named := answer.body.get("model"), str):
            self.models.add(named)
        letters: dict[str, float] = {}
        if request.letters and (first := first_token_logprobs(answer.body)) is not None:
            self._logprobs_seen = True
            letters = letter_logprobs(first, request.letters)
        cut = answer.finish_reason == "length" and not request.letters
        return TextAnswer(answer.text, letters, tokens=_tokens(answer), cut=cut)

    def _body(self, request: TextRequest) -> Body:
        """The JSON body of a request."""
        parameters: dict[str, Any] = {"temperature": 0.0, "seed": 0, self._limit: request.max_tokens}
        if request.stop:
            parameters["stop"] = list(request.stop)
        if request.letters:
            many = {"logprobs": True, "top_logprobs": TOP_LOGPROBS} if self.chat else {"logprobs": TOP_LOGPROBS}
            parameters |= {self._limit: 1, **many}
        messages = [{name: whole_characters(text) for name, text in message.items()} for message in request.messages]
        if not self.chat:
            prompt = render_plain(messages) if messages else whole_characters(request.prompt)
            return {**parameters, "model": self.name, "prompt": prompt}
        messages = messages or [{"role": "user", "content": whole_characters(request.prompt)}]
        return chat_body(self.name, messages if self._system_role else merge_system(messages), parameters)

    def _check(self, request: TextRequest, body: Body) -> None:
        """Look at a new answer before it is stored: until log-probabilities have been seen, none without is kept."""
        if request.letters and first_token_logprobs(body) is None and not self._logprobs_seen:
            choice = body["choices"][0]
            text = choice["message"]["content"] if self.chat else choice["text"]
            raise _NoLogprobsError(text or "", where=self.url)

    def _fail(self, call: _Call, request: TextRequest, error: RequestError) -> None:
        """Count a request that has no answer; too many in a row, or a telling refusal, end the asking."""
        self.counts["refused"] += error.reason == "request_refused"
        call.failures.append(error)
        call.in_a_row += 1
        told = self._advise(request, error.what)
        if told is None and call.in_a_row >= FAILURES_IN_A_ROW[error.reason]:
            what = f"{call.in_a_row} requests in a row have no answer, the last one: {error.what}"
            told = EndpointError(what, where=self.url, hint=KEPT)
        call.error = call.error or told

    def _advise(self, request: TextRequest, what: str) -> InputError | None:
        """The error for a refusal of the way the server is asked, not of this one request."""
        if request.letters and not self._logprobs_seen and "logprobs" in what:
            return self._no_logprobs(what)
        if self._answered:
            return None
        if self.chat and _ABOUT_LENGTH.search(what) and _UNKNOWN.search(what):
            other = "max_tokens" if self._limit == "max_completion_tokens" else "max_completion_tokens"
            hint = f"name the limit of an answer as this server does: --tokens-parameter {other}"
            return InputError(what, where=self.url, hint=hint)
        has_system = any(message.get("role") == "system" for message in request.messages)
        if self.chat and self._system_role and has_system and _ABOUT_SYSTEM.search(what):
            hint = "if the model's chat template has no system role, use --no-system-role: the text goes to the user's"
            return InputError(what, where=self.url, hint=hint)
        return None

    def _no_logprobs(self, what: str) -> InputError:
        hint = "use --answer generate, or a server and route that return them"
        return InputError(f"options cannot be compared: {what}", where=self.url, hint=hint)

    def _final_error(self, call: _Call) -> InputError | None:
        """What is only known at the end: that not one request went well."""
        if call.without_logprobs and not self._logprobs_seen:
            return self._no_logprobs("the server returns no log-probabilities")
        if call.failures and len(call.failures) == len(call.requests) and not self._answered:
            what = f"no request has an answer, the first one: {call.failures[0].what}"
            return EndpointError(what, where=self.url, hint=KEPT)
        return None


def _tokens(answer: Answer) -> int | None:
    usage = answer.body.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) else None
