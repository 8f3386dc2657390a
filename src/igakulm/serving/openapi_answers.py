"""Schemas of what the server answers, for its OpenAPI document.

Does: describe objects. Does not: make or check them (tests compare them with real answers).
"""

from __future__ import annotations

from typing import Any

Value = dict[str, Any]
TEXT: Value = {"type": "string"}
COUNT: Value = {"type": "integer", "minimum": 0}
NUMBER: Value = {"type": "number"}
REASON: Value = {"enum": ["stop", "length"]}


def shape(properties: dict[str, Value], *required: str) -> Value:
    """An object; without names all properties are required."""
    return {"type": "object", "properties": properties, "required": list(required or properties)}


def list_of(items: Value) -> Value:
    """An array."""
    return {"type": "array", "items": items}


def ref(name: str) -> Value:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(value: Value) -> Value:
    """A value, or null."""
    return {"anyOf": [value, {"type": "null"}]}


def _completed(kind: str, choice: dict[str, Value]) -> Value:
    """An answer of one choice, as both of OpenAI's routes give it."""
    choices = {**list_of(shape(choice)), "minItems": 1, "maxItems": 1}
    named: dict[str, Value] = {"id": TEXT, "object": {"const": kind}, "created": COUNT, "model": TEXT}
    return shape({**named, "choices": choices, "usage": ref("Usage")})


def _chat() -> dict[str, Value]:
    token = {"token": TEXT, "logprob": NUMBER, "bytes": list_of({"type": "integer", "minimum": 0, "maximum": 255})}
    entry = shape({**token, "top_logprobs": list_of(shape(token))})
    logprobs = shape({"content": list_of(entry), "refusal": {"type": "null"}})
    choice = {
        "index": {"const": 0},
        "message": shape({"role": {"const": "assistant"}, "content": TEXT}),
        "finish_reason": REASON,
        "logprobs": or_null(logprobs),
    }
    return {"ChatCompletion": _completed("chat.completion", choice)}


def _completion() -> dict[str, Value]:
    logprobs = shape(
        {
            "tokens": list_of(TEXT),
            "token_logprobs": list_of(NUMBER),
            "top_logprobs": list_of({"type": "object", "additionalProperties": NUMBER}),
            "text_offset": list_of(COUNT),
        }
    )
    choice = {"index": {"const": 0}, "text": TEXT, "finish_reason": REASON, "logprobs": or_null(logprobs)}
    return {"Completion": _completed("text_completion", choice)}


def _about() -> dict[str, Value]:
    anything: Value = {"type": "object"}
    about = {"name": TEXT, "engine": TEXT, "model": anything, "gguf": anything, "card_ja": TEXT, "card_en": TEXT}
    about |= {"licences": anything, "versions": anything, "scores": list_of(anything)}
    engine = shape({"alive": {"type": "boolean"}, "restarts": COUNT})
    queue = shape(
        {"lanes": {"type": "integer", "minimum": 1}, "running": COUNT, "waiting": COUNT, "most_waiting": COUNT}
    )
    model = {"id": TEXT, "object": {"const": "model"}, "created": COUNT, "owned_by": {"const": "igakulm"}}
    return {
        "About": shape(about),
        "Health": shape({"status": {"enum": ["ok", "restarting", "unreachable"]}, "engine": engine, "queue": queue}),
        "Ready": shape({"ready": {"type": "boolean"}, "reason": TEXT}),
        "Model": shape(model),
        "Models": shape({"object": {"const": "list"}, "data": list_of(ref("Model"))}),
        "Description": shape({"openapi": TEXT, "info": anything, "paths": anything}),
    }


ERROR = shape(
    {
        "error": shape(
            {
                "message": TEXT,
                "type": {"enum": ["invalid_request_error", "server_error"]},
                "param": {"type": ["string", "null"]},
                "code": TEXT,
            }
        )
    }
)
ANSWERS: dict[str, Value] = {"Error": ERROR, **_chat(), **_completion(), **_about()}
"""Every object that is sent, by name; those of tasks and `Usage` come from `answering/kinds/`."""
