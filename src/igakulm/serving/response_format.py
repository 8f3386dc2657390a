"""The JSON schema that a client wants its answer to follow, built anew from the few keywords that are known.

Does: resolve references inside the schema, refuse what would cost the engine much or what it cannot do, bound sizes.
Does not: pass any part of the client's JSON on as it came, or check answers.
Source: OpenAI API, `response_format` (structured outputs); JSON Schema 2020-12.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from igakulm.serving.dispatcher import BadRequest

FIELD = "response_format"
MOST_NODES, DEEPEST = 200, 12
MOST_REPEATS = 256
"""A grammar is written out for every repetition."""
LONGEST_TEXT, MOST_VALUES = 200, 100
_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}
_SAID = {"title", "description", "default", "examples", "$defs", "definitions", "$schema", "$id"}
"""Keywords that hold for readers only, and those that are resolved elsewhere."""
_COUNTS = {"minItems", "maxItems", "minLength", "maxLength"}


def read_response_format(value: Any) -> Mapping[str, object] | None:
    """The schema of a `response_format`; None for plain text.

    Raises:
        BadRequest: an unknown form, or a schema beyond what is done here.
    """
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    schema = value.get("json_schema") if kind == "json_schema" else None
    schema = schema.get("schema") if isinstance(schema, dict) else None
    if not isinstance(schema, dict):
        what = 'response_format is {"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": '
        raise BadRequest(what + '{"name": …, "schema": {…}}}', FIELD)
    return _Reader(schema).read(schema, 0)


def _refused(what: str) -> BadRequest:
    return BadRequest(f"the JSON schema {what}", FIELD, "unsupported_schema")


class _Reader:
    """One schema on its way to ours."""

    def __init__(self, root: dict[str, object]) -> None:
        self._root, self._nodes = root, 0
        self._keywords: dict[str, Callable[[Any, int], Any]] = {
            "type": self._type,
            "properties": self._properties,
            "required": self._names,
            "additionalProperties": self._additional,
            "items": self.read,
            "enum": self._values,
            "const": lambda value, _: self._value(value),
            "anyOf": self._any_of,
            **dict.fromkeys(_COUNTS, self._count),
        }

    def read(self, value: object, depth: int) -> dict[str, Any]:
        """One schema and everything in it, references resolved."""
        self._nodes += 1
        if self._nodes > MOST_NODES or depth > DEEPEST:
            raise _refused(f"is larger than {MOST_NODES} parts, deeper than {DEEPEST} levels or contains itself")
        if not isinstance(value, dict):
            raise _refused("has a part that is no object")
        if "$ref" in value:
            return self.read(self._target(value["$ref"]), depth + 1)
        found = {}
        for name, entry in value.items():
            if name in self._keywords:
                found[name] = self._keywords[name](entry, depth + 1)
            elif name not in _SAID:
                raise _refused(f"uses {name[:64]!r}, which is not supported")
        unknown = set(found.get("required", ())) - found.get("properties", {}).keys()
        if unknown:
            raise _refused("requires a property that it does not describe")
        return found

    def _target(self, reference: object) -> object:
        parts = reference.split("/") if isinstance(reference, str) else []
        if len(parts) != 3 or parts[0] != "#" or parts[1] not in ("$defs", "definitions"):
            raise _refused('has a reference that is not of the form "#/$defs/NAME"')
        definitions = self._root.get(parts[1])
        if not isinstance(definitions, dict) or parts[2] not in definitions:
            raise _refused("refers to a definition that it does not hold")
        return definitions[parts[2]]

    def _type(self, value: object, _: int) -> object:
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name in _TYPES for name in names):
            raise _refused(f"has a type other than {', '.join(sorted(_TYPES))}")
        if len(set(names)) < len(names):
            raise _refused("names a type twice")
        return list(names) if isinstance(value, list) else value

    def _properties(self, value: object, depth: int) -> dict[str, object]:
        if not isinstance(value, dict):
            raise _refused("has properties that are no object")
        return {self._text(name): self.read(entry, depth) for name, entry in value.items()}

    def _names(self, value: object, _: int) -> list[str]:
        if not isinstance(value, list) or len(value) > MOST_VALUES:
            raise _refused("has a `required` that is no list of names")
        return [self._text(name) for name in value]

    def _additional(self, value: object, depth: int) -> object:
        return value if isinstance(value, bool) else self.read(value, depth)

    def _values(self, value: object, _: int) -> list[object]:
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_VALUES:
            raise _refused(f"has an enum that is no list of 1 to {MOST_VALUES} values")
        return [self._value(entry) for entry in value]

    def _value(self, value: object) -> Any:
        if isinstance(value, str):
            return self._text(value)
        good = value is None or isinstance(value, bool | int | float)
        if not good or (isinstance(value, float) and not math.isfinite(value)):
            raise _refused("has a value in enum or const that is no text, number, true, false or null")
        return value

    def _any_of(self, value: object, depth: int) -> list[dict[str, object]]:
        if not isinstance(value, list) or not value:
            raise _refused("has an anyOf that is no list of schemas")
        return [self.read(entry, depth) for entry in value]

    def _count(self, value: object, _: int) -> int:
        if type(value) is not int or not 0 <= value <= MOST_REPEATS:
            raise _refused(f"has a count of items or characters that is not from 0 to {MOST_REPEATS}")
        return value

    def _text(self, value: object) -> str:
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise _refused(f"has a name or value that is no text of up to {LONGEST_TEXT} characters")
        return value
