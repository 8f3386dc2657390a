"""`igakulm task review`: a page on this machine on which a person accepts or corrects what the model proposes.

Does: the routes of the page, checks of what it sends, the server. Does not: hold state (review.py), answer other
machines or pages of other origins (guards.py), or load anything from elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from igakulm.progress import Progress
from igakulm.recipe.keys import Section
from igakulm.recipe.task_file import TaskFile
from igakulm.serving.guards import LOOPBACK_NAMES, Guard, error_response
from igakulm.serving.listening import bind, server_settings
from igakulm.serving.page_routes import page_routes
from igakulm.serving.review import FILTERS, Review, Sent
from igakulm.serving.review_proposals import Proposals
from igakulm.serving.server import http_error
from igakulm.serving.service import say_at_once
from igakulm.tasks.own.decisions import Given
from igakulm.tasks.own.rows import rows_to_review

PAGE = Path(__file__).with_name("review_page")
STORE = "proposals.sqlite"
MOST_BYTES = 2**20


class _Posted(Section):
    task: str
    number: int
    hash: str
    answer: Given | None
    settles: bool = False


def review_app(review: Review) -> Guard:
    """The ASGI application of one person's review."""
    routes = [
        Route("/review/overview", _overview(review), methods=["GET"]),
        Route("/review/rows", _rows(review), methods=["GET"]),
        Route("/review/row", _row(review), methods=["GET"]),
        Route("/review/decision", _decision(review), methods=["POST"]),
        Route("/review/undo", _undo(review), methods=["POST"]),
        *page_routes(PAGE),
    ]
    handlers: dict[Any, Any] = {HTTPException: http_error, _Refused: _refused, InputError: _explained}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), keys=None, hosts=LOOPBACK_NAMES)


class _Refused(Exception):
    """A request that does not fit; the message holds nothing of a text."""


async def _refused(_: Request, error: Exception) -> Response:
    return error_response(400, str(error), "refused")


async def _explained(_: Request, error: Exception) -> Response:
    return error_response(500, error.what if isinstance(error, InputError) else "failed", "failed")


def _overview(review: Review) -> Callable[[Request], Any]:
    async def overview(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(review.overview))

    return overview


def _rows(review: Review) -> Callable[[Request], Any]:
    async def rows(request: Request) -> Response:
        wanted = next((one for one in FILTERS if one == request.query_params.get("filter", "open")), None)
        if wanted is None:
            raise _Refused(f"filter is one of {', '.join(FILTERS)}")
        return JSONResponse({"rows": await run_in_threadpool(review.listed, _task(review, request), wanted)})

    return rows


def _row(review: Review) -> Callable[[Request], Any]:
    async def row(request: Request) -> Response:
        task, number = _task(review, request), request.query_params.get("number", "")
        if not number.isascii() or not number.isdigit() or int(number[:9]) >= len(review.rows):
            raise _Refused("there is no such row")
        others = request.query_params.get("others") == "1"
        return JSONResponse(await run_in_threadpool(lambda: review.row(task, int(number[:9]), with_others=others)))

    return row


def _decision(review: Review) -> Callable[[Request], object]:
    async def decision(request: Request) -> Response:
        body = await _body(request)
        try:
            posted = _Posted.model_validate_json(body)
        except ValidationError as error:
            raise _Refused(f"the decision does not fit: {error.errors()[0]['msg']}") from error
        if posted.task not in review.tasks or not 0 <= posted.number < len(review.rows):
            raise _Refused("there is no such task or row")
        sent = Sent(posted.task, posted.number, posted.hash, posted.answer, posted.settles)
        try:
            outcome = await run_in_threadpool(review.decide, sent)
        except ValueError as error:
            raise _Refused(str(error)) from error
        return JSONResponse({"outcome": outcome})

    return decision


def _undo(review: Review) -> Callable[[Request], object]:
    async def undo(request: Request) -> Response:
        await _body(request)
        found = await run_in_threadpool(review.undo)
        return JSONResponse({"task": found[0], "number": found[1]} if found else {"task": None, "number": None})

    return undo


async def _body(request: Request) -> bytes:
    """A JSON body of limited size; a form of another page cannot send this content type unasked."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Refused("the body is JSON (content-type: application/json)")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise _Refused("the body is too long")
    return body


def _task(review: Review, request: Request) -> str:
    name = request.query_params.get("task", "")
    if name not in review.tasks:
        raise _Refused("there is no such task")
    return name


def review_of(task_file: TaskFile, model: Model, by: str) -> Review:
    """A review of a task file's rows with a model's proposals.

    Raises:
        InputError: no row or no task to review, a model that was not tuned on the tasks, data that cannot be read.
    """
    rows = rows_to_review(task_file)
    if not rows:
        raise InputError("there is no row with a text", where=", ".join(task_file.data))
    store = Path(f"{(task_file.decisions or '').removesuffix('.jsonl').removesuffix('.decisions')}.{STORE}")
    proposals = Proposals(task_file, rows, model, store)
    if not proposals.tasks:
        raise InputError("no task of this file can be reviewed", hint="classify, compare and extract can")
    return Review(task_file, rows, proposals, by)


def serve_review(
    task_file: TaskFile,
    bundle: Path,
    by: str,
    progress: Progress,
    *,
    port: int = 8766,
    engine: str = "auto",
    say: Callable[[str], None] = say_at_once,
) -> None:
    """Serve the page until Ctrl-C, to this machine only.

    Args:
        task_file: tasks and rows.
        bundle: the model that proposes.
        by: who decides.
        progress: of the proposals that are made in the background.
        port: 0 = any free one.
        engine: "auto", "llamacpp" or "transformers".
        say: where one line with the address goes.

    Raises:
        InputError: a port in use, no bundle, no rows, a name that is empty or too long.
    """
    if not 1 <= len(by.strip()) <= 64:
        raise InputError("the name of the person has 1 to 64 characters", where="--by")
    with ExitStack() as stack:
        listener = stack.enter_context(bind("127.0.0.1", port))
        model = open_model(bundle, engine)
        stack.callback(model.close)
        review = review_of(task_file, model, by.strip())
        stack.callback(review.proposals.start(progress))
        threading.Thread(target=review.learn_baseline, daemon=True, name="baseline").start()
        listener.listen(128)
        say(f"{task_file.name}: http://127.0.0.1:{listener.getsockname()[1]}/  ({by.strip()} decides; Ctrl-C ends it)")
        try:
            uvicorn.Server(server_settings(review_app(review))).run(sockets=[listener])
        except KeyboardInterrupt:
            return
