"""The body of a chat request, checked field by field; nothing of it is passed on unchecked.

Does: accept the part of OpenAI's chat format that is really done here, refuse the rest by name.
Does not: read HTTP or run models.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from igakulm.errors import did_you_mean

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
MOST_MESSAGES = 64
MOST_STOPS = 4
LONGEST_STOP = 64
_FIXED: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "top_p": (1, 1.0),
    "presence_penalty": (0, 0.0),
    "frequency_penalty": (0, 0.0),
    "logprobs": (False,),
    "response_format": ({"type": "text"},),
}
"""Fields that clients send although they hold the default: only that value is accepted."""
_IGNORED = {"user", "store", "metadata"}
_READ = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stop", "stream"}
_READ |= {"stream_options"}


class BadRequest(Exception):
    """A request that is refused: message, field, code, HTTP status."""

    def __init__(self, message: str, param: str | None = None, code: str = "invalid_value", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request."""

    messages: list[dict[str, str]]
    max_tokens: int
    temperature: float
    seed: int
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool


def parse_chat_request(body: bytes, model: str, cap: int) -> ChatRequest:
    """Read a request body.

    Args:
        body: JSON in UTF-8, of limited size.
        model: the name that is served here.
        cap: most tokens of an answer; a request for more gets this many.

    Raises:
        BadRequest: anything that is not understood or not done here.
    """
    value = _json(body)
    _check_fields(value, model)
    options = value.get("stream_options") or {}
    if not isinstance(options, dict):
        raise BadRequest("stream_options is an object", "stream_options")
    return ChatRequest(
        messages=_messages(value.get("messages")),
        max_tokens=min(_whole(value, _length_field(value), cap, 1), cap),
        temperature=_temperature(value.get("temperature")),
        seed=_whole(value, "seed", 0, -(2**63)) % 2**32,
        stop=_stops(value.get("stop")),
        stream=_flag(value, "stream"),
        include_usage=_flag(options, "include_usage"),
    )


def _json(body: bytes) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON number")

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        # The error's own text quotes the body, which may be a patient's record.
        raise BadRequest("the body is not valid JSON in UTF-8", code="invalid_json") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is a JSON object", code="invalid_json")
    return value


def _check_fields(value: dict[str, Any], model: str) -> None:
    for name in value:
        if name in _FIXED:
            if value[name] is not None and value[name] not in _FIXED[name]:
                raise BadRequest(f"only {name} = {_FIXED[name][0]!r} is supported", name, "unsupported_value")
        elif name not in _READ | _IGNORED:
            close = did_you_mean(name[:64], _READ)
            hint = f"; did you mean {close!r}?" if close else ""
            raise BadRequest(f"the field {name[:64]!r} is not supported{hint}", name[:64], "unsupported_parameter")
    asked = value.get("model", model)
    if asked != model:
        raise BadRequest(f"the model served here is {model!r}", "model", "model_not_found", 404)


def _length_field(value: dict[str, Any]) -> str:
    return "max_completion_tokens" if value.get("max_completion_tokens") is not None else "max_tokens"


def _whole(value: dict[str, Any], name: str, default: int, least: int) -> int:
    number = value.get(name)
    if number is None:
        return default
    if type(number) is not int or number < least:
        raise BadRequest(f"{name} is a whole number of at least {least}", name)
    return number


def _temperature(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and 0 <= value <= 2):
        raise BadRequest("temperature is a number from 0 to 2", "temperature")
    return float(value)


def _flag(value: dict[str, Any], name: str) -> bool:
    flag = value.get(name)
    if flag is not None and not isinstance(flag, bool):
        raise BadRequest(f"{name} is true or false", name)
    return bool(flag)


def _stops(value: Any) -> tuple[str, ...]:
    stops = [] if value is None else [value] if isinstance(value, str) else value
    good = isinstance(stops, list) and len(stops) <= MOST_STOPS
    if not good or not all(isinstance(stop, str) and 0 < len(stop) <= LONGEST_STOP for stop in stops):
        raise BadRequest(f"stop is up to {MOST_STOPS} texts of 1 to {LONGEST_STOP} characters", "stop")
    return tuple(stops)


def _messages(value: object) -> list[dict[str, str]]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_MESSAGES:
        raise BadRequest(f"messages is a list of 1 to {MOST_MESSAGES} messages", "messages")
    messages = []
    for number, message in enumerate(value):
        where = f"messages[{number}]"
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in ROLES:
            raise BadRequest(f"{where} needs a role: system, user or assistant", f"{where}.role")
        messages.append({"role": ROLES[role], "content": _content(message.get("content"), f"{where}.content")})
    return messages


def _content(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        texts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
        if len(texts) == len(value) and all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    raise BadRequest("content is text; images, sound and tools are not supported", where)
