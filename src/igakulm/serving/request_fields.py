"""Fields that requests for chats and for completions share, checked one by one; nothing is passed on unchecked.

Does: accept the part of OpenAI's format that is really done here, refuse the rest by name. Does not: read HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from igakulm.errors import did_you_mean
from igakulm.inference.constraint import JsonSchema
from igakulm.inference.engine import Sampling
from igakulm.serving.dispatcher import BadRequest
from igakulm.serving.response_format import read_response_format

MOST_STOPS = 4
LONGEST_STOP = 64
SHARED = {"model", "max_tokens", "temperature", "top_p", "seed", "stop", "stream", "stream_options", "response_format"}
FIXED: dict[str, tuple[object, ...]] = {"n": (1,), "presence_penalty": (0, 0.0), "frequency_penalty": (0, 0.0)}
"""Fields that clients send although they hold the default: only that value is accepted."""
IGNORED = {"user", "store", "metadata"}


@dataclass(frozen=True, slots=True)
class Generation:
    """How an answer is made and sent.

    Attributes:
        stop: texts that end the answer and are no part of it.
        include_usage: a stream ends with an event of counts.
    """

    max_tokens: int
    sampling: Sampling
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool


def check_fields(
    value: Mapping[str, object], model: str, read: Collection[str], fixed: Mapping[str, tuple[object, ...]]
) -> None:
    """Refuse fields that are not known, values that are not done here, and another model.

    Raises:
        BadRequest: with the field's name.
    """
    for name in value:
        if name in fixed:
            if not _is_default(value[name], fixed[name]):
                raise BadRequest(f"only {name} = {fixed[name][0]!r} is supported", name, "unsupported_value")
        elif name not in read and name not in IGNORED:
            close = did_you_mean(name[:64], read)
            hint = f"; did you mean {close!r}?" if close else ""
            raise BadRequest(f"the field {name[:64]!r} is not supported{hint}", name[:64], "unsupported_parameter")
    asked = value.get("model", model)
    if asked != model:
        raise BadRequest(f"the model served here is {model!r}", "model", "model_not_found", 404)


def _is_default(value: object, allowed: tuple[object, ...]) -> bool:
    # True equals 1 in Python, but not in JSON.
    return value is None or any(isinstance(value, bool) == isinstance(one, bool) and value == one for one in allowed)


def read_generation(value: Mapping[str, object], cap: int, default_tokens: int, top: int | None) -> Generation:
    """The fields of a request that say how its answer is made.

    Args:
        value: the request's body.
        cap: most tokens of an answer; a request for more gets this many.
        default_tokens: of a request that names none.
        top: how many log-probabilities a step tells; None = none.

    Raises:
        BadRequest: a value out of range.
    """
    options = value.get("stream_options") or {}
    if not isinstance(options, dict):
        raise BadRequest("stream_options is an object", "stream_options")
    length = "max_completion_tokens" if value.get("max_completion_tokens") is not None else "max_tokens"
    schema = read_response_format(value.get("response_format"))
    sampling = Sampling(
        temperature=number(value, "temperature", 0.0, 0.0, 2.0),
        top_p=number(value, "top_p", 1.0, 0.0, 1.0) or 1e-6,
        seed=whole(value, "seed", 0, -(2**63)) % 2**32,
        top=top,
        constraint=None if schema is None else JsonSchema(schema),
    )
    return Generation(
        max_tokens=min(whole(value, length, default_tokens, 1), cap),
        sampling=sampling,
        stop=_stops(value.get("stop")),
        stream=flag(value, "stream"),
        include_usage=flag(options, "include_usage", "stream_options."),
    )


def whole(value: Mapping[str, object], name: str, default: int, least: int, most: int | None = None) -> int:
    """A whole number; `default` when it is absent.

    Raises:
        BadRequest: another type, or out of range.
    """
    given = value.get(name)
    if given is None:
        return default
    if type(given) is float and given.is_integer():
        given = int(given)  # JSON Schema knows no difference between 1 and 1.0
    if type(given) is not int or given < least or (most is not None and given > most):
        limit = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise BadRequest(f"{name} is a whole number {limit}", name)
    return given


def number(value: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    """A number; `default` when it is absent.

    Raises:
        BadRequest: another type, or out of range.
    """
    given = value.get(name)
    if given is None:
        return default
    good = not isinstance(given, bool) and isinstance(given, int | float) and least <= given <= most
    if not good or not math.isfinite(given):
        raise BadRequest(f"{name} is a number from {least:g} to {most:g}", name)
    return float(given)


def flag(value: Mapping[str, object], name: str, parent: str = "") -> bool:
    """True or false; False when it is absent.

    Raises:
        BadRequest: another type.
    """
    given = value.get(name)
    if given is not None and not isinstance(given, bool):
        raise BadRequest(f"{parent}{name} is true or false", parent + name)
    return bool(given)


def _stops(value: Any) -> tuple[str, ...]:
    stops = [] if value is None else [value] if isinstance(value, str) else value
    good = isinstance(stops, list) and len(stops) <= MOST_STOPS
    if not good or not all(isinstance(stop, str) and 0 < len(stop) <= LONGEST_STOP for stop in stops):
        raise BadRequest(f"stop is up to {MOST_STOPS} texts of 1 to {LONGEST_STOP} characters", "stop")
    return tuple(stops)
