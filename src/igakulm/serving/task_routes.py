"""The tasks of a bundle over HTTP: `/api/tasks`, and `/api/KIND` for each kind of task in `answering/kinds/`.

Does: check a request against its kind's model, ask in the dispatcher's thread, answer in JSON. Does not: queue, or read
bodies (dispatcher.py), know any kind, or keep anything of a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from igakulm.answering.kinds.kind import Part, TaskRequest
from igakulm.answering.kinds.registry import task_kinds
from igakulm.errors import did_you_mean
from igakulm.serving.dispatcher import BadRequest, Dispatcher, check_allowed
from igakulm.serving.request_fields import check_fields
from igakulm.tasks.layouts import Task


class TaskOption(Part):
    """One of the options of a task."""

    letter: str
    label: str


class TaskEntry(Part):
    """A task as `/api/tasks` tells it; the wording around the text is none of a client's business."""

    name: str
    kind: str
    title_ja: str
    title_en: str
    kind_of_item: str
    options: list[TaskOption]


class Tasks(Part):
    """All tasks of the model."""

    tasks: list[TaskEntry]


def task_routes(dispatcher: Dispatcher, tasks: Sequence[Task]) -> list[Route]:
    """The routes of all tasks.

    Args:
        dispatcher: the engine, its queue and its limits.
        tasks: of the bundle.
    """
    known = Tasks(tasks=[_entry(task) for task in tasks]).model_dump()

    async def listed(_: Request) -> Response:
        return JSONResponse(known)

    routes = [_route(dispatcher, tasks, kind) for kind in task_kinds().values()]
    return [Route("/api/tasks", listed, methods=["GET"]), *routes]


def _route(dispatcher: Dispatcher, tasks: Sequence[Task], kind: type[TaskRequest]) -> Route:
    path = f"/api/{kind.KIND}"
    of_kind = {task.name: task for task in tasks if task.kind == kind.KIND}

    async def endpoint(request: Request) -> Response:
        value = await dispatcher.json_body(request)
        check_fields(value, dispatcher.name, {*kind.model_fields, "model"}, {})
        asked = _read(kind, value)
        named = "task" in kind.model_fields
        task = _task(value["task"], of_kind) if named else Task(kind.KIND, kind.KIND, "", "")
        check_allowed(request, task.name)
        most = dispatcher.limits.new_tokens
        return JSONResponse(
            await dispatcher.run(lambda: asked.answer(dispatcher.model, task, most).model_dump(), request)
        )

    return Route(path, endpoint, methods=["POST"], name=path)


def _read(kind: type[TaskRequest], value: Mapping[str, object]) -> TaskRequest:
    try:
        return kind.model_validate({name: value[name] for name in kind.model_fields if name in value})
    except ValidationError as error:
        name = str(error.errors(include_input=False)[0]["loc"][0])
        raise BadRequest(f"{name} is {kind.model_fields[name].description}", name) from None


def _task(name: str, of_kind: Mapping[str, Task]) -> Task:
    if name in of_kind:
        return of_kind[name]
    close = did_you_mean(name[:64], of_kind)
    hint = f"did you mean {close!r}?" if close else "see /api/tasks"
    raise BadRequest(f"there is no task of this name and kind here; {hint}", "task", "task_not_found", 404)


def _entry(task: Task) -> TaskEntry:
    options = [TaskOption(letter=letter, label=label) for letter, label in task.options]
    return TaskEntry(
        name=task.name,
        kind=task.kind,
        title_ja=task.title_ja,
        title_en=task.title_en,
        kind_of_item=task.kind_of_item,
        options=options,
    )
