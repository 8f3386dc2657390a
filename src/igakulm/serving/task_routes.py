"""The tasks of a bundle over HTTP: `/api/tasks`, `/api/extract`, `/api/classify`, `/api/compare`, `/api/exam`.

Does: check the fields of a request, ask inference/tasks.py in the room's thread, answer in JSON.
Does not: take turns or read bodies (room.py), or keep anything of a text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from igakulm.answering.extraction import ANSWER_TOKENS, Extraction
from igakulm.answering.tasks import MOST_CHOICES, Choice, classify, compare, exam, extract
from igakulm.errors import did_you_mean
from igakulm.serving.request_fields import check_fields, whole
from igakulm.serving.room import BadRequest, Room
from igakulm.tasks.layouts import Task, TaskKind

Answer = Callable[[Mapping[str, Any]], Callable[[], dict[str, Any]]]
"""Checked fields to work that a thread does; raises BadRequest."""


def task_routes(room: Room, tasks: Sequence[Task]) -> list[Route]:
    """The routes of all tasks.

    Args:
        room: the engine, its queue and its limits.
        tasks: of the bundle.
    """
    asked = _Tasks(room, tasks)

    async def listed(_: Request) -> Response:
        return JSONResponse({"tasks": [task_entry(task) for task in tasks]})

    def route(path: str, fields: set[str], answer: Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            value = await room.json_body(request)
            check_fields(value, room.name, fields | {"model"}, {})
            return JSONResponse(await room.run(answer(value), request))

        handler: Callable[[Request], Awaitable[Response]] = endpoint
        return Route(path, handler, methods=["POST"], name=path)

    return [
        Route("/api/tasks", listed, methods=["GET"]),
        route("/api/extract", {"task", "text"}, asked.extract),
        route("/api/classify", {"task", "text"}, asked.classify),
        route("/api/compare", {"task", "first", "second"}, asked.compare),
        route("/api/exam", {"question", "choices", "wanted"}, asked.exam),
    ]


def task_entry(task: Task) -> dict[str, Any]:
    """A task as `/api/tasks` tells it; the wording around the text is none of a client's business."""
    options = [{"letter": letter, "label": label} for letter, label in task.options]
    titles = {"title_ja": task.title_ja, "title_en": task.title_en}
    return {"name": task.name, "kind": task.kind, **titles, "kind_of_item": task.kind_of_item, "options": options}


class _Tasks:
    """One method for each route: checks fields, returns the work."""

    def __init__(self, room: Room, tasks: Sequence[Task]) -> None:
        self.room, self.tasks = room, {task.name: task for task in tasks}

    def extract(self, value: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
        task, text = self._task(value, "extract"), _text(value, "text")
        most = min(self.room.limits.new_tokens, ANSWER_TOKENS)
        room = self.room
        return lambda: _extraction(extract(room.model, task, text, max_new_tokens=most))

    def classify(self, value: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
        task, text = self._task(value, "classify"), _text(value, "text")
        return lambda: _choice(classify(self.room.model, task, text))

    def compare(self, value: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
        task, first, second = self._task(value, "compare"), _text(value, "first"), _text(value, "second")
        return lambda: _choice(compare(self.room.model, task, first, second))

    def exam(self, value: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
        question, choices = _text(value, "question"), _choices(value)
        wanted = whole(value, "wanted", 1, 1, len(choices) - 1)

        def work() -> dict[str, Any]:
            found = exam(self.room.model, question, choices, wanted)
            return _choice(found) | {"answer": found.answer.split(",")}

        return work

    def _task(self, value: Mapping[str, Any], kind: TaskKind) -> Task:
        name = value.get("task")
        if not isinstance(name, str):
            raise BadRequest("task is the name of a task; see /api/tasks", "task")
        known = [task.name for task in self.tasks.values() if task.kind == kind]
        if name in known:
            return self.tasks[name]
        close = did_you_mean(name[:64], known)
        hint = f"did you mean {close!r}?" if close else "see /api/tasks"
        raise BadRequest(f"there is no task of this name and kind here; {hint}", "task", "task_not_found", 404)


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text.strip():
        raise BadRequest(f"{name} is a text with at least one character", name)
    return text


def _choices(value: Mapping[str, Any]) -> list[str]:
    choices = value.get("choices")
    good = isinstance(choices, list) and 2 <= len(choices) <= MOST_CHOICES
    if not good or not all(isinstance(choice, str) and choice.strip() for choice in choices or ()):
        raise BadRequest(f"choices is a list of 2 to {MOST_CHOICES} texts", "choices")
    return list(choices or ())


def _extraction(found: Extraction) -> dict[str, Any]:
    return {
        "items": [{"text": one.text, "start": one.start, "end": one.end, "kind": one.kind} for one in found.items],
        "unplaced": list(found.unplaced),
        "raw": found.raw,
        "cut": found.cut,
        "unreadable": found.unreadable,
        "usage": _usage(found.prompt_tokens, found.completion_tokens),
    }


def _choice(found: Choice) -> dict[str, Any]:
    options = [
        {"letter": letter, "label": label, "probability": probability} for letter, label, probability in found.options
    ]
    return {"options": options, "answer": found.answer, "usage": _usage(found.prompt_tokens, 0)}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
