"""An OpenAI-compatible application for one model, with the page that talks to it.

Does: put the routes together (OpenAI's, tasks, page, health, description), and the layers around them. Does not: answer
pages of other origins, write texts anywhere unless told, or listen (service.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from igakulm.inference.engine import Engine
from igakulm.inference.model import Model
from igakulm.serving.audit import AuditLog
from igakulm.serving.completion_routes import completion_routes
from igakulm.serving.dispatcher import BadRequest, ClientGone, Dispatcher, Limits
from igakulm.serving.guards import Guard, error_response
from igakulm.serving.keys import Keys
from igakulm.serving.metrics import Metrics
from igakulm.serving.openapi import openapi_document
from igakulm.serving.place import Place
from igakulm.serving.ready import Readiness
from igakulm.serving.record import Record
from igakulm.serving.refusals import Refusals
from igakulm.tasks.layouts import Task, default_tasks
from igakulm.tokenizer.open import Encoder

OPENAPI = "/openapi.json"
__all__ = ["Limits", "Options", "create_app"]


@dataclass(frozen=True)
class Options:
    """How a server treats what comes in.

    Attributes:
        keys: clients send one as `Authorization: Bearer KEY`; empty = no key is asked for (loopback only).
        place: names under which the server is reached.
        limits: sizes and times.
        audit: the log that gets a line for every request.
        log_prompts: write bodies and answers to the ordinary log.
        refusals: what is refused before a request is read; None = made here.
    """

    keys: Keys = field(default_factory=Keys)
    place: Place = field(default_factory=Place)
    limits: Limits = field(default_factory=Limits)
    audit: AuditLog | None = None
    log_prompts: bool = False
    refusals: Refusals | None = None


def create_app(
    engine: Engine,
    encoder: Encoder,
    name: str,
    *,
    api_key: str | None = None,
    limits: Limits | None = None,
    tasks: Sequence[Task] | None = None,
) -> Guard:
    """The ASGI application for an engine without a bundle; see `Options`.

    Args:
        engine: answers.
        encoder: the model's tokenizer.
        name: the model's name in the API.
        api_key: None = no key is asked for.
        limits: sizes and times.
        tasks: what the model was tuned on; None = the general ones.
    """
    options = Options(Keys(api_key), limits=limits or Limits())
    model = Model(engine, encoder, name, engine.name, tasks=tuple(default_tasks() if tasks is None else tasks))
    return app_of(model, options)


def app_of(opened: Model, options: Options) -> Guard:
    """The ASGI application for an opened model."""
    from igakulm.serving.task_routes import task_routes

    dispatcher = Dispatcher(opened, options.limits)
    refusals = options.refusals or Refusals(options.audit)
    metrics = Metrics(dispatcher, options.audit, refusals)
    routes = [
        Route("/health", _health(dispatcher), methods=["GET"]),
        Route("/ready", Readiness(dispatcher, options.audit).answer, methods=["GET"]),
        Route("/metrics", metrics.answer, methods=["GET"]),
        *completion_routes(dispatcher),
        *task_routes(dispatcher, opened.tasks),
        *_routes_of_page(opened),
    ]
    paths = {route.path for route in routes} | {OPENAPI}
    document = openapi_document(opened.name, paths, options.limits.new_tokens, opened.tasks)

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
    metrics.paths = paths
    record = Record(app, audit=options.audit, log_prompts=options.log_prompts, metrics=metrics)
    place = options.place
    return Guard(
        record,
        keys=options.keys,
        hosts=place.hosts,
        origins=place.origins,
        proxies=place.proxies,
        refusals=refusals,
    )


def _routes_of_page(opened: Model) -> list[Route]:
    from igakulm.serving.model_routes import model_routes
    from igakulm.serving.page_routes import page_routes

    return [*page_routes(), *model_routes(opened)]


def _health(dispatcher: Dispatcher) -> Callable[[Request], object]:
    engine = dispatcher.inner

    async def health(_: Request) -> Response:
        # An engine in this process is alive as long as the server; one in a child or behind an endpoint says so itself.
        alive = bool(getattr(engine, "alive", True))
        body = {
            "status": "ok" if alive else "restarting" if hasattr(engine, "restarts") else "unreachable",
            "engine": {"alive": alive, "restarts": int(getattr(engine, "restarts", 0))},
            "queue": {
                "lanes": engine.lanes,
                "running": dispatcher.admission.running,
                "waiting": dispatcher.admission.waiting,
                "most_waiting": dispatcher.limits.queue,
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
