"""An OpenAI-compatible server for one model on one machine, with the page that talks to it.

Does: put the routes together (OpenAI's, tasks, page, health, description); listen on one address; end in order.
Does not: answer pages of other origins, open itself to a network without a key, or write texts anywhere unless told.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from igakulm.bundle.verify import verify_at_start
from igakulm.errors import InputError
from igakulm.inference.bundle_folder import BUNDLE
from igakulm.inference.engine import Engine
from igakulm.inference.model import NOT_TUNED, Model
from igakulm.inference.open import Endpoint, open_model
from igakulm.serving.audit import AuditLog
from igakulm.serving.completion_routes import completion_routes
from igakulm.serving.guards import LOOPBACK_NAMES, Guard, check_address, error_response, is_loopback
from igakulm.serving.openapi import openapi_document
from igakulm.serving.patience import ACCEPTED_AT_ONCE, PatientProtocol
from igakulm.serving.record import Record
from igakulm.serving.room import BadRequest, ClientGone, Limits, Room
from igakulm.tasks.layouts import Task, default_tasks
from igakulm.tokenizer.open import Encoder

LOG = logging.getLogger("igakulm.serving")
MOST_REQUESTS = 512
"""At once on the connections that patience.py lets be open."""
OPENAPI = "/openapi.json"
__all__ = ["Limits", "Options", "create_app", "serve"]


@dataclass(frozen=True)
class Options:
    """How a server treats what comes in.

    Attributes:
        api_key: clients send it as `Authorization: Bearer KEY`; None = no key is asked for (loopback only).
        hosts: names that a Host header may carry; None = any.
        limits: sizes and times.
        audit: the log that gets a line for every request.
        log_prompts: write bodies and answers to the ordinary log.
    """

    api_key: str | None = None
    hosts: frozenset[str] | None = LOOPBACK_NAMES
    limits: Limits = field(default_factory=Limits)
    audit: AuditLog | None = None
    log_prompts: bool = False


def create_app(
    engine: Engine,
    encoder: Encoder,
    name: str,
    *,
    api_key: str | None = None,
    hosts: frozenset[str] | None = LOOPBACK_NAMES,
    limits: Limits | None = None,
    tasks: Sequence[Task] | None = None,
) -> Guard:
    """The ASGI application for an engine without a bundle; see `Options`.

    Args:
        engine: answers.
        encoder: the model's tokenizer.
        name: the model's name in the API.
        api_key: None = no key is asked for.
        hosts: names that a Host header may carry.
        limits: sizes and times.
        tasks: what the model was tuned on; None = the general ones.
    """
    options = Options(api_key, hosts, limits or Limits())
    model = Model(engine, encoder, name, engine.name, tasks=tuple(default_tasks() if tasks is None else tasks))
    return app_of(model, options)


def app_of(opened: Model, options: Options) -> Guard:
    """The ASGI application for an opened model."""
    from igakulm.serving.task_routes import task_routes

    room = Room(opened, options.limits)
    routes = [
        Route("/health", _health(room), methods=["GET"]),
        *completion_routes(room),
        *task_routes(room, opened.tasks),
        *_routes_of_page(opened),
    ]
    paths = {route.path for route in routes} | {OPENAPI}
    document = openapi_document(opened.name, paths, options.limits.new_tokens)

    async def description(_: Request) -> Response:
        return JSONResponse(document)

    routes.append(Route(OPENAPI, description, methods=["GET"]))
    handlers: dict[Any, Any] = {
        HTTPException: http_error,
        BadRequest: _bad_request,
        ClientGone: _client_gone,
        Exception: _server_error,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    record = Record(app, audit=options.audit, log_prompts=options.log_prompts)
    return Guard(record, api_key=options.api_key, hosts=options.hosts)


def _routes_of_page(opened: Model) -> list[Route]:
    from igakulm.serving.model_routes import model_routes
    from igakulm.serving.page_routes import page_routes

    return [*page_routes(), *model_routes(opened)]


def _health(room: Room) -> Callable[[Request], Any]:
    engine = room.inner

    async def health(_: Request) -> Response:
        # An engine in this process is alive as long as the server; one in a child or behind an endpoint says so itself.
        alive = bool(getattr(engine, "alive", True))
        body = {
            "status": "ok" if alive else "restarting" if hasattr(engine, "restarts") else "unreachable",
            "engine": {"alive": alive, "restarts": int(getattr(engine, "restarts", 0))},
            "queue": {
                "lanes": engine.lanes,
                "running": room.turns.running,
                "waiting": room.turns.waiting,
                "most_waiting": room.limits.queue,
            },
        }
        return JSONResponse(body)

    return health


async def http_error(_: Request, error: Exception) -> Response:
    """An unknown path or method in OpenAI's form of errors."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    message = {404: "there is no such path", 405: "this method is not allowed here"}.get(status, "refused")
    answer = error_response(status, message, "refused")
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return error_response(error.status, error.message, error.code, error.param)


async def _client_gone(_: Request, error: Exception) -> Response:
    return error_response(400, "the client has gone", "client_closed")


async def _server_error(_: Request, error: Exception) -> Response:
    # No text of the error: it may quote a patient's record.
    return error_response(500, "the request failed; the server's log names the kind of error", "failed")


def say_at_once(line: str) -> None:
    """Print a line."""
    print(line, flush=True)  # at once, also into a pipe: somebody waits for the address


def serve(
    bundle: Path,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    engine: str = "auto",
    gguf: str | None = None,
    endpoint: Endpoint | None = None,
    api_key: str | None = None,
    queue: int = Limits.queue,
    audit_log: Path | None = None,
    audit_key: str | None = None,
    log_prompts: bool = False,
    verify: bool = True,
    say: Callable[[str], None] = say_at_once,
) -> None:
    """Serve a bundle until Ctrl-C.

    Args:
        bundle: a folder written by the export stage.
        host: address to bind.
        port: 0 = any free one.
        engine: "auto", "llamacpp", "transformers" or "endpoint".
        gguf: which type of the bundle's GGUF files; None = the smallest.
        endpoint: for the engine "endpoint".
        api_key: clients send it as `Authorization: Bearer KEY`.
        queue: how many requests may wait beside those that are answered.
        audit_log: file that gets a line for every request; see audit.py.
        audit_key: makes its chain one that only its owner can write.
        log_prompts: write bodies and answers to the log on standard error.
        verify: compare the hashes of a bundle's files before it answers; of files that did not change only once.
        say: where one line with the address goes.

    Raises:
        InputError: another host than loopback without a key, a port in use, no bundle, an audit log that is broken.
    """
    check_address(host, api_key := api_key or None)
    if queue < 0:
        raise InputError("a queue has a length of 0 or more", where="--queue")
    with ExitStack() as stack:
        listener = stack.enter_context(bind(host, port))
        if (bundle / BUNDLE).is_file() and verify:
            verify_at_start(bundle)
        opened = open_model(bundle, engine, gguf=gguf, endpoint=endpoint)
        stack.callback(opened.close)
        audit = None
        if audit_log is not None:
            key = audit_key.encode() if audit_key else None
            audit = AuditLog(audit_log, opened.name, str(opened.description.get("digest", "")), key)
            stack.callback(audit.close)
        logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
        LOG.setLevel(logging.INFO)
        if not verify:
            LOG.warning("the files of the bundle are not compared with their hashes (--no-verify)")
        if not opened.tuned_tasks:
            LOG.warning(NOT_TUNED)
        hosts = LOOPBACK_NAMES | {host.lower()} if is_loopback(host) else None
        app = app_of(opened, Options(api_key, hosts, Limits(queue=queue), audit, log_prompts))
        address = f"{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        listener.listen(128)  # who reads the line may connect at once
        say(f"{opened.name} ({opened.kind}): http://{address}/v1  (Ctrl-C ends it)")
        if log_prompts:
            LOG.warning("texts of requests and answers are written to this log (--log-prompts)")
        try:
            uvicorn.Server(server_settings(app)).run(sockets=[listener])
        except KeyboardInterrupt:
            LOG.info("ended by Ctrl-C")


def server_settings(app: ASGIApp) -> uvicorn.Config:
    """How uvicorn runs: no log of addresses, no trust in forwarding headers, limits for connections that do nothing."""
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        limit_concurrency=MOST_REQUESTS,
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=10,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=5,
    )


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address, not listening yet.

    Raises:
        InputError: the address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named, asyncio sends each piece at once (TCP_NODELAY); else the second waits for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"this address cannot be opened: {error}", where=f"{host}:{port}", hint="choose another --port"
        ) from error
    return listener
