"""OpenAI's routes: models, chat completions, completions.

Does: check a request, make its prompt, send the answer whole or as server-sent events. Does not: write texts anywhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from igakulm.errors import InputError
from igakulm.serving.answer import Answer
from igakulm.serving.answer_forms import ChatForm, CompletionForm, Form
from igakulm.serving.chat_request import parse_chat_request
from igakulm.serving.completion_request import parse_completion_request
from igakulm.serving.dispatcher import BadRequest, Dispatcher, check_allowed, until_gone
from igakulm.serving.keys import CHAT, COMPLETIONS
from igakulm.serving.record import places
from igakulm.serving.request_counts import current_counts
from igakulm.serving.request_fields import Generation

LOG = logging.getLogger("igakulm.serving")
READING = 60.0
"""Seconds that a stream may take beyond the time of its answer."""


def completion_routes(dispatcher: Dispatcher) -> list[Route]:
    """The routes below /v1."""

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(dispatcher)]})

    async def model(request: Request) -> Response:
        if request.path_params["name"] != dispatcher.name:
            raise BadRequest(f"the model served here is {dispatcher.name!r}", "model", "model_not_found", 404)
        return JSONResponse(_model(dispatcher))

    async def chat(request: Request) -> Response:
        check_allowed(request, CHAT)
        body = await dispatcher.json_body(request)
        asked = parse_chat_request(body, dispatcher.name, dispatcher.limits.new_tokens)
        try:
            prompt = await asyncio.to_thread(dispatcher.model.prompt, asked.messages)
        except InputError as error:
            raise BadRequest(error.what, "messages") from error
        form = ChatForm(dispatcher.name, dispatcher.model.encoder, asked.generation.sampling.top is not None)
        return await _respond(dispatcher, request, prompt.ids, asked.generation, form, "messages")

    async def complete(request: Request) -> Response:
        check_allowed(request, COMPLETIONS)
        body = await dispatcher.json_body(request)
        asked = parse_completion_request(
            body, dispatcher.name, dispatcher.limits.new_tokens, dispatcher.model.encoder.size
        )
        prompt = asked.prompt
        if isinstance(prompt, str):
            try:
                prompt = (await asyncio.to_thread(dispatcher.model.plain_prompt, prompt)).ids
            except InputError as error:
                raise BadRequest(error.what, "prompt") from error
        if not prompt:
            raise BadRequest("the prompt has no tokens", "prompt")
        form = CompletionForm(dispatcher.name, dispatcher.model.encoder, asked.generation.sampling.top is not None)
        return await _respond(dispatcher, request, prompt, asked.generation, form, "prompt")

    return [
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/models/{name:path}", model, methods=["GET"]),
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/completions", complete, methods=["POST"]),
    ]


def _model(dispatcher: Dispatcher) -> dict[str, Any]:
    return {"id": dispatcher.name, "object": "model", "created": dispatcher.started, "owned_by": "igakulm"}


async def _respond(
    dispatcher: Dispatcher, request: Request, prompt: Sequence[int], asked: Generation, form: Form, field: str
) -> Response:
    most = dispatcher.model.context_length - 1
    if len(prompt) > most:
        message = f"the {field} has {len(prompt):,} tokens, the model reads {most:,}"
        raise BadRequest(message, field, "context_length_exceeded")
    answer = Answer(dispatcher, prompt, asked)
    try:
        if not asked.stream:
            return JSONResponse(await until_gone(request, _whole(answer, form)))
        # The first piece decides the status: a queue that is full or an engine that fails is no stream.
        await until_gone(request, answer.begin())
    except BaseException:
        answer.close()
        raise
    return _Events(_events(answer, asked, form), answer, dispatcher.limits.seconds + READING)


async def _whole(answer: Answer, form: Form) -> dict[str, object]:
    await answer.begin()
    pieces = [piece async for piece in answer.pieces()]
    answer.close()
    text = "".join(piece.text for piece in pieces)
    steps = [step for piece in pieces for step in piece.steps]
    return form.whole(text, steps, answer.finish_reason, current_counts().usage)


class _Events(StreamingResponse):
    """Server-sent events that end the answer however they end, even when they were never begun."""

    def __init__(self, content: AsyncIterator[str], answer: Answer, seconds: float) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._answer, self._seconds = answer, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # A reader that never reads would hold its connection for ever.
            async with asyncio.timeout(self._seconds):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            LOG.error("a stream was not read in time")
        finally:
            self._answer.close()


async def _events(answer: Answer, asked: Generation, form: Form) -> AsyncIterator[str]:
    try:
        if opening := form.opening():
            yield _event(opening)
        async with aclosing(answer.pieces()) as pieces:
            async for piece in pieces:
                if piece.text or (piece.steps and asked.sampling.top is not None):
                    yield _event(form.part(piece.text, piece.steps))
        yield _event(form.closing(answer.finish_reason))
        if asked.include_usage:
            yield _event(form.counts(current_counts().usage))
        yield "data: [DONE]\n\n"
    except BadRequest as error:  # the status line has gone out already; the client gets an event
        yield _event({"error": {"message": error.message, "type": "server_error", "param": None, "code": error.code}})
    except Exception as error:
        LOG.error("answer failed: %s %s", type(error).__name__, places(error))
        failure = {"message": "the answer failed", "type": "server_error", "param": None, "code": "failed"}
        yield _event({"error": failure})


def _event(value: dict[str, object]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
