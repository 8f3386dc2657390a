"""An OpenAI-compatible chat server for one model on one machine.

Does: `/health`, `/v1/models`, `/v1/chat/completions` (whole or as server-sent events); one answer at a time, a short
queue, then 429; limits of size and time. Does not: write prompts or answers anywhere, answer pages of other origins,
or open itself to a network without a key.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from igakulm.errors import InputError
from igakulm.inference.engine import Engine
from igakulm.serving.answer import Answer, Busy, Turns
from igakulm.serving.chat_request import BadRequest, ChatRequest, parse_chat_request
from igakulm.serving.guards import LOOPBACK_NAMES, Guard, check_address, error_response, is_loopback
from igakulm.serving.model import open_model
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import Encoder

LOG = logging.getLogger("igakulm.serving")
BODY_SECONDS = 20.0


@dataclass(frozen=True)
class Limits:
    """What one client can ask for."""

    body_bytes: int = 256 * 1024
    new_tokens: int = 1024
    queue: int = 8
    seconds: float = 120.0


def create_app(
    engine: Engine,
    encoder: Encoder,
    name: str,
    *,
    api_key: str | None = None,
    hosts: frozenset[str] | None = LOOPBACK_NAMES,
    limits: Limits | None = None,
) -> Guard:
    """The ASGI application.

    Args:
        engine: answers.
        encoder: the model's tokenizer.
        name: the model's name in the API.
        api_key: None = no key is asked for (loopback only).
        hosts: names that a Host header may carry; None = any.
        limits: sizes and times.
    """
    room = _Room(engine, encoder, name, limits or Limits())
    app = Starlette(
        routes=[
            Route("/health", room.health, methods=["GET"]),
            Route("/v1/models", room.models, methods=["GET"]),
            Route("/v1/chat/completions", room.chat, methods=["POST"]),
        ],
        exception_handlers={
            HTTPException: _http_error,
            BadRequest: _bad_request,
            Exception: _server_error,
        },
    )
    return Guard(app, api_key=api_key, hosts=hosts)


class _Events(StreamingResponse):
    """Server-sent events that give the turn back however they end, even when they were never begun."""

    def __init__(self, content: AsyncIterator[str], answer: Answer) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.close()


class _Room:
    """The endpoints and what they share."""

    def __init__(self, engine: Engine, encoder: Encoder, name: str, limits: Limits) -> None:
        self.engine, self.encoder, self.name, self.limits = engine, encoder, name, limits
        self.turns = Turns(limits.queue)
        self.started = int(time.time())

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, _: Request) -> Response:
        entry = {"id": self.name, "object": "model", "created": self.started, "owned_by": "igakulm"}
        return JSONResponse({"object": "list", "data": [entry]})

    async def chat(self, request: Request) -> Response:
        asked = parse_chat_request(await self._body(request), self.name, self.limits.new_tokens)
        try:
            ids, _ = await asyncio.to_thread(render_chat, self.encoder, asked.messages, True)
        except InputError as error:
            raise BadRequest(error.what, "messages") from error
        if len(ids) >= self.engine.context_length:
            raise BadRequest(
                f"the messages have {len(ids):,} tokens, the model reads {self.engine.context_length - 1:,}",
                "messages",
                "context_length_exceeded",
            )
        try:
            await self.turns.take()
        except Busy as error:
            raise BadRequest("the model is busy and the queue is full; try again soon", None, "busy", 429) from error
        answer = Answer(self.engine, self.encoder, self.turns, ids, asked, self.limits.seconds)
        if asked.stream:
            return _Events(self._events(answer, asked), answer)
        try:
            return await self._whole(request, answer)
        except Exception as error:
            return await _server_error(request, error)
        finally:
            answer.close()

    async def _body(self, request: Request) -> bytes:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise BadRequest("the content type is application/json", None, "unsupported_media_type", 415)
        too_large = BadRequest(
            f"the body is larger than {self.limits.body_bytes:,} bytes", None, "request_too_large", 413
        )
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self.limits.body_bytes:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self.limits.body_bytes:
                        raise too_large
        except TimeoutError as error:
            raise BadRequest("the body did not arrive in time", None, "request_timeout", 408) from error
        except ClientDisconnect as error:
            raise BadRequest("the client has gone", None, "client_closed", 400) from error
        return bytes(body)

    async def _whole(self, request: Request, answer: Answer) -> Response:
        parts = []
        async with aclosing(answer.texts()) as texts:
            async for text in texts:
                parts.append(text)
                if await request.is_disconnected():
                    break
        self._log(answer)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(parts)},
            "finish_reason": answer.finish_reason,
            "logprobs": None,
        }
        return JSONResponse({**self._head("chat.completion"), "choices": [choice], "usage": answer.usage})

    async def _events(self, answer: Answer, asked: ChatRequest) -> AsyncIterator[str]:
        head = self._head("chat.completion.chunk")

        def event(delta: dict[str, str], reason: str | None = None) -> str:
            return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

        try:
            yield event({"role": "assistant", "content": ""})
            async with aclosing(answer.texts()) as texts:
                async for text in texts:
                    if text:
                        yield event({"content": text})
            yield event({}, answer.finish_reason)
            if asked.include_usage:
                yield _event({**head, "choices": [], "usage": answer.usage})
            yield "data: [DONE]\n\n"
        except Exception as error:  # the status line has gone out already; the client gets an event
            LOG.error("answer failed: %s", type(error).__name__)
            yield _event({"error": {"message": "the answer failed", "type": "server_error", "code": "failed"}})
        finally:
            self._log(answer)

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": kind,
            "created": int(time.time()),
            "model": self.name,
        }

    def _log(self, answer: Answer) -> None:
        # Counts only: a prompt may be a patient's record.
        usage = answer.usage
        LOG.info(
            "chat: %d + %d tokens, %.2f s, %s",
            usage["prompt_tokens"],
            usage["completion_tokens"],
            answer.seconds,
            answer.finish_reason,
        )


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    message = {404: "there is no such path", 405: "this method is not allowed here"}.get(status, "refused")
    return error_response(status, message, "refused")


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return error_response(error.status, error.message, error.code, error.param)


async def _server_error(_: Request, error: Exception) -> Response:
    LOG.error("request failed: %s", type(error).__name__)
    return error_response(500, "the request failed", "failed")


def serve(
    bundle: Path,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    engine: str = "auto",
    api_key: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a bundle until Ctrl-C.

    Args:
        bundle: folder of the export stage.
        host: address to bind.
        port: 0 = any free one.
        engine: "auto", "llamacpp" or "transformers".
        api_key: clients send it as `Authorization: Bearer KEY`.
        say: where one line with the address goes.

    Raises:
        InputError: another host than loopback without a key, a port in use, no bundle.
    """
    check_address(host, api_key := api_key or None)
    listener = _bind(host, port)
    try:
        opened = open_model(bundle, engine)
    except BaseException:
        listener.close()
        raise
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    LOG.setLevel(logging.INFO)
    hosts = LOOPBACK_NAMES | {host.lower()} if is_loopback(host) else None
    app = create_app(opened.engine, opened.encoder, opened.name, api_key=api_key, hosts=hosts)
    address = f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    say(f"{opened.name} ({opened.kind}): http://{address}/v1  (Ctrl-C ends it)")
    try:
        uvicorn.Server(_settings(app)).run(sockets=[listener])
    except KeyboardInterrupt:
        LOG.info("ended by Ctrl-C")
    finally:
        opened.close()


def _settings(app: Guard) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=64,
        timeout_keep_alive=10,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=5,
    )


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"this address cannot be opened: {error}", where=f"{host}:{port}", mend="choose another --port"
        ) from error
    return listener
