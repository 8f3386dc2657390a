"""The OpenAPI 3.1 document of the server.

Does: describe every path that is served, with the limits that are really checked. Does not: describe the page.
Source: OpenAPI Specification 3.1; OpenAI API reference for the objects below /v1.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from igakulm.answering.kinds.registry import task_kinds
from igakulm.serving.chat_request import MOST_MESSAGES, ROLES
from igakulm.serving.chat_request import MOST_TOP as MOST_CHAT_TOP
from igakulm.serving.completion_request import DEFAULT_TOKENS
from igakulm.serving.completion_request import MOST_TOP as MOST_COMPLETION_TOP
from igakulm.serving.openapi_answers import ANSWERS, list_of, ref, shape
from igakulm.serving.request_fields import LONGEST_STOP, MOST_STOPS
from igakulm.serving.task_routes import Tasks
from igakulm.tasks.layouts import Task
from igakulm.version import __version__

Value = dict[str, Any]
TEXT: Value = {"type": "string"}
_STOP: Value = {"type": "string", "minLength": 1, "maxLength": LONGEST_STOP}
_FLAG: Value = {"type": ["boolean", "null"]}


def openapi_document(name: str, paths: Collection[str], cap: int, tasks: Collection[Task] = ()) -> Value:
    """The document for one server.

    Args:
        name: the model that is served.
        paths: the paths that this server has; others are left out.
        cap: most tokens of an answer.
        tasks: of the model, whose names requests may carry.
    """
    served = {path: item for path, item in _paths().items() if path in paths}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "IgakuLM",
            "version": __version__,
            "description": "One Japanese medical language model on this machine. Its answers can be wrong. "
            "It is not a medical device and not for diagnosis.",
        },
        "paths": {path.replace("{name:path}", "{name}"): item for path, item in served.items()},
        "components": {
            "schemas": {**ANSWERS, **_task_schemas(tasks), **_requests(name, cap)},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


def _paths() -> dict[str, Value]:
    said = "Server-sent events: the data of each is a chunk of the answer as JSON, of the last `[DONE]`."
    events = {"text/event-stream": {"schema": {"description": said}}}
    named = [{"name": "name", "in": "path", "required": True, "schema": TEXT}]
    return {
        "/health": {"get": _operation("health", "Whether the model answers, and how long the queue is", "Health")},
        "/ready": {"get": _ready()},
        "/metrics": {"get": _metrics()},
        "/v1/models": {"get": _operation("models", "The model that is served", "Models")},
        "/v1/models/{name:path}": {"get": {**_operation("model", "One model", "Model"), "parameters": named}},
        "/v1/chat/completions": {
            "post": _operation("chat", "Answer a conversation", "ChatCompletion", "ChatRequest", events)
        },
        "/v1/completions": {
            "post": _operation("complete", "Continue a text or token ids", "Completion", "CompletionRequest", events)
        },
        "/api/model": {"get": _operation("about", "Model card, files, licences and scores", "About")},
        "/api/tasks": {"get": _operation("tasks", "What the model was tuned on beside chat", "Tasks")},
        **{
            f"/api/{name}": {"post": _operation(name, kind.SUMMARY, kind.ANSWER.__name__, kind.__name__)}
            for name, kind in task_kinds().items()
        },
        "/openapi.json": {"get": _operation("description", "This document", "Description")},
    }


def _ready() -> Value:
    operation = _operation("ready", "Whether a request would be answered now, found out by asking for a token", "Ready")
    content = {"application/json": {"schema": ref("Ready")}}
    operation["responses"]["503"] = {"description": "not now, and why", "content": content}
    return operation


def _metrics() -> Value:
    operation = _operation("metrics", "Counts for Prometheus, in its text format", "Ready")
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": TEXT}}
    return operation


def _operation(
    name: str, summary: str, answer: str, request: str | None = None, other: dict[str, Value] | None = None
) -> Value:
    content = {"application/json": {"schema": ref(answer)}, **(other or {})}
    error = {"application/json": {"schema": ref("Error")}}
    statuses = {"400": "the request is not understood, or asks for what is not done here"}
    statuses |= {"401": "a key is needed", "403": "a page of another origin", "421": "another host name"}
    if request or name == "model":
        statuses["404"] = "another model or task than those served here"
    if request:
        statuses |= {"408": "the body did not arrive in time", "413": "the body is too large"}
        statuses |= {"415": "the body is no application/json", "429": "the queue is full; see Retry-After"}
        statuses["503"] = "no turn came in time, the model's process failed or took too long; see Retry-After"
    responses: dict[str, Value] = {"200": {"description": "the answer", "content": content}}
    responses |= {status: {"description": text, "content": error} for status, text in statuses.items()}
    operation: Value = {"operationId": name, "summary": summary, "responses": responses}
    if request:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(request)}}}
    return operation


def _requests(name: str, cap: int) -> dict[str, Value]:
    shared = _shared(name, cap)
    part = shape({"type": {"const": "text"}, "text": TEXT})
    content = {"anyOf": [TEXT, {**list_of(part), "minItems": 1}]}
    message = shape({"role": {"enum": sorted(ROLES)}, "content": content})
    # A batch of one is a prompt; OpenAI's schema has longer ones, which are not done here.
    token = {"type": "integer", "minimum": 0}
    ids = {**list_of(token), "minItems": 1}
    batches = [{**list_of(one), "minItems": 1, "maxItems": 1} for one in (TEXT, ids)]
    prompt = {"anyOf": [TEXT, ids, *batches]}
    chat = {
        **shared,
        "messages": {**list_of(message), "minItems": 1, "maxItems": MOST_MESSAGES},
        "max_completion_tokens": shared["max_tokens"],
        "logprobs": _FLAG,
        "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": MOST_CHAT_TOP},
    }
    completion = {
        **shared,
        "prompt": prompt,
        "max_tokens": {**shared["max_tokens"], "default": DEFAULT_TOKENS},
        "logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": MOST_COMPLETION_TOP},
        "echo": {"enum": [False, None]},
        "best_of": {"enum": [1, None]},
        "suffix": {"enum": ["", None]},
    }
    return {"ChatRequest": _closed(chat, "messages"), "CompletionRequest": _closed(completion, "prompt")}


def _task_schemas(tasks: Collection[Task]) -> dict[str, Value]:
    """Requests and answers of all kinds of tasks, from their models; a task is named as the model's tasks are."""
    kinds = task_kinds().values()
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Tasks, "serialization")]
    models += [(kind, "validation") for kind in kinds]
    models += [(answer, "serialization") for answer in dict.fromkeys(kind.ANSWER for kind in kinds)]
    _, found = models_json_schema(models, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Value] = found["$defs"]
    for kind in kinds:
        names = sorted(task.name for task in tasks if task.kind == kind.KIND)
        if names and "task" in kind.model_fields:
            schemas[kind.__name__]["properties"]["task"]["enum"] = names
    return schemas


def _shared(name: str, cap: int) -> dict[str, Value]:
    """Fields of both kinds of requests."""
    form = {
        "anyOf": [
            {"type": "null"},
            {"type": "object", "properties": {"type": {"enum": ["text", "json_object"]}}, "required": ["type"]},
            {
                "type": "object",
                "properties": {"type": {"const": "json_schema"}, "json_schema": shape({"schema": {"type": "object"}})},
                "required": ["type", "json_schema"],
            },
        ]
    }
    options = {"type": ["object", "null"], "properties": {"include_usage": _FLAG}}
    stop = {"anyOf": [{"type": "null"}, _STOP, {**list_of(_STOP), "maxItems": MOST_STOPS}]}
    length = f"More than {cap} is taken as {cap}."
    return {
        "model": {"const": name},
        "max_tokens": {"type": ["integer", "null"], "minimum": 1, "description": length},
        "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2, "default": 0},
        "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1, "default": 1},
        "seed": {"type": ["integer", "null"], "minimum": -(2**63)},
        "stop": stop,
        "stream": _FLAG,
        "stream_options": {**options, "description": "Read with stream = true."},
        "response_format": form,
        "n": {"enum": [1, None]},
        "presence_penalty": {"enum": [0, None]},
        "frequency_penalty": {"enum": [0, None]},
        "user": {},
        "store": {},
        "metadata": {},
    }


def _closed(properties: dict[str, Value], *required: str) -> Value:
    return {**shape(properties, *required), "additionalProperties": False}
