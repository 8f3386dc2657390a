"""JSON schemas as grammars for llama.cpp (GBNF) and llguidance (Lark).

Does: write a grammar all of whose texts are JSON that the schema allows; refuse a schema that it cannot promise this
for, naming the keyword. Does not: allow every text that a schema allows (properties come in the schema's order, those
that it does not name never; `oneOf` is read as `anyOf`; one space at most, behind commas and colons), or check values.
Source: JSON Schema, draft 2020-12; llama.cpp's notes on GBNF. llama.cpp's own way from a schema goes through its own
tokenizer, which knows no bytes for characters outside our vocabulary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from igakulm.errors import InputError

MOST_CHARACTERS, MOST_LEVELS, MOST_REPEATS = 65_536, 32, 2_000
MOST_WRITTEN, MOST_REPEATS_TOGETHER = 262_144, 8_192
"""Characters that a schema may become, and repetitions of all its parts: engines write each of them out."""
LONGEST_IN_PLACE = 64
"""What occurs twice in a rule and is longer gets a rule of its own: copies of copies would grow with every level."""
_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
    | {"$schema", "$id", "$comment", "$defs", "definitions"}
)
_KNOWN = frozenset(
    {"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "properties", "required", "additionalProperties"}
    | {"items", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"}
)
_BASE = r"""ws ::= " "?
hex ::= [0-9a-fA-F]
plain ::= [\x20-\x21\x23-\x5B\x5D-\x7E\u0080-\uD7FF\uE000-\uFFFC\U00010000-\U0010FFFD]
char ::= plain | "\\" (["\\/bfnrt] | "u" ([0-9a-cA-CefEF] hex hex hex | [dD] [0-7] hex hex))
string ::= "\"" char* "\""
integer ::= "-"? ("0" | [1-9] [0-9]{0,14})
number ::= integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
value ::= object | array | string | number | boolean | null
object ::= "{" (string ":" ws value ("," ws string ":" ws value)*)? "}"
array ::= "[" (value ("," ws value)*)? "]"
"""
_TERMINALS = ("hex", "plain", "char", "string", "integer", "number")
_PART = re.compile(r'\[(?P<set>[^\]]*)\]|(?P<text>"(?:[^"\\]|\\.)*")|(?P<name>[a-z]\w*)|::=')


def lark_of(schema: Mapping[str, object]) -> str:
    """The same grammar in the dialect of Lark that llguidance reads; its first rule is `start`.

    Raises:
        InputError: as `grammar_of`.

    >>> print(lark_of({"enum": ["[A]"]}).splitlines()[-1])
    start: ("\\"[A]\\"")
    """

    def written(part: re.Match[str]) -> str:
        if part["text"] is not None:
            return part["text"]
        if part["set"] is not None:
            return f"/[{part['set'].replace('/', chr(92) + '/')}]/"
        if part["name"] is None:
            return ":"
        name = part["name"]
        return name.upper() if name in _TERMINALS else "start" if name == "root" else name

    return _PART.sub(written, grammar_of(schema)).replace(" : ", ": ").replace(" :", ":")


def grammar_of(schema: Mapping[str, object]) -> str:
    """The grammar of a schema; its first rule is `root`.

    Raises:
        InputError: not a schema, too large or too deep, or with a keyword that no grammar can promise.

    >>> print(grammar_of({"type": "array", "items": {"enum": ["A", "B"]}, "maxItems": 2}).splitlines()[-1])
    root ::= "[" (("\\"A\\"" | "\\"B\\"") ("," ws ("\\"A\\"" | "\\"B\\"")){0,1})? "]"
    >>> grammar_of({"type": "string", "pattern": "a+"})
    Traceback (most recent call last):
    igakulm.errors.InputError: the JSON schema has the keyword 'pattern', which cannot be promised
    """
    try:
        size = len(json.dumps(schema, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the JSON schema is no JSON ({error})") from error
    if size > MOST_CHARACTERS:
        raise InputError(f"the JSON schema has {size:,} characters, at most {MOST_CHARACTERS:,} are taken")
    return _Grammar(schema).text()


class _Grammar:
    """Collects the rules; every `$ref` and every object has a rule of its own."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        self._schema, self._rules = schema, dict[str, str]()
        self._references: dict[str, str] = {}
        self._written = self._repeated = 0

    def text(self) -> str:
        root = self._of(self._schema, MOST_LEVELS)
        self._spend(root)
        return _BASE + "".join(f"{name} ::= {body}\n" for name, body in self._rules.items()) + f"root ::= {root}\n"

    def _rule(self, body: str) -> str:
        name = f"rule{len(self._rules)}"
        self._spend(body)
        self._rules[name] = body
        return name

    def _once(self, body: str) -> str:
        """Something short that stands for `body` and may be written more than once."""
        return body if len(body) <= LONGEST_IN_PLACE else self._rule(body)

    def _spend(self, body: str = "", repeats: int = 0) -> None:
        """Count what the schema becomes; every rule, and every limit of a repetition.

        Raises:
            InputError: more than the budget.
        """
        self._written += len(body)
        self._repeated += repeats
        if self._written > MOST_WRITTEN or self._repeated > MOST_REPEATS_TOGETHER:
            most = f"{MOST_WRITTEN:,} characters or {MOST_REPEATS_TOGETHER:,} repetitions"
            raise InputError(f"the JSON schema becomes more than {most}", hint="ask for less at once")

    def _of(self, schema: object, levels: int) -> str:
        """The right side of a rule for one schema, closed against what stands beside it."""
        if schema is True:
            return "value"
        if not isinstance(schema, Mapping):
            raise InputError("a part of the JSON schema is no object")
        if not levels:
            raise InputError(f"the JSON schema has more than {MOST_LEVELS} levels")
        for key in schema.keys() - _KNOWN - _ANNOTATIONS:
            if schema[key] is not False:  # such as uniqueItems
                raise InputError(f"the JSON schema has the keyword {key!r}, which cannot be promised")
        if "$ref" in schema:
            return self._reference(schema["$ref"], levels)
        for key in ("enum", "anyOf", "oneOf", "allOf"):
            if key in schema:
                return self._choice(key, schema[key], levels)
        if "const" in schema:
            return _literal(schema["const"])
        return self._typed(schema, levels)

    def _choice(self, key: str, parts: object, levels: int) -> str:
        if not isinstance(parts, list) or not parts or (key == "allOf" and len(parts) > 1):
            raise InputError(f"{key!r} of the JSON schema has a form that cannot be promised")
        found = [_literal(part) if key == "enum" else self._of(part, levels - 1) for part in parts]
        return _one_of(found)

    def _reference(self, target: object, levels: int) -> str:
        if not isinstance(target, str) or not target.startswith("#"):
            raise InputError("the JSON schema refers to another document")
        if target not in self._references:
            found: Any = self._schema
            for step in target[1:].split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                if not isinstance(found, Mapping) or step not in found:
                    raise InputError(f"the JSON schema has no part {target!r}")
                found = found[step]
            # Named before it is written: it may refer to itself.
            self._references[target] = name = self._rule("")
            self._rules[name] = body = self._of(found, levels - 1)
            self._spend(body)
        return self._references[target]

    def _typed(self, schema: Mapping[str, object], levels: int) -> str:
        types = schema.get("type", "value")
        if isinstance(types, list) and types:
            if any(types.count(name) > 1 for name in types):
                raise InputError("the JSON schema names a type twice")
            return _one_of([self._of({**schema, "type": name}, levels - 1) for name in types])
        writers: dict[str, Callable[[Mapping[str, Any], int], str]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": _integer,
            "number": _number,
        }
        if isinstance(types, str) and types in writers:
            return writers[types](schema, levels)
        if types in ("boolean", "null"):
            return str(types)
        limits = schema.keys() - _ANNOTATIONS
        if types == "value" and not limits:
            return "value"
        if types == "value" and limits & {"properties", "required", "additionalProperties"}:
            return self._object(schema, levels)
        if types == "value" and "items" in limits:
            return self._array(schema, levels)
        raise InputError(f"the JSON schema has the unknown type {types!r}")

    def _array(self, schema: Mapping[str, object], levels: int) -> str:
        item = self._once(self._of(schema.get("items", True), levels - 1))
        least, most = _limits(schema, "minItems", "maxItems")
        self._spend(repeats=most or least)
        if most == 0:
            return '"[]"'
        more = f'("," ws {item})' + _repeats(max(0, least - 1), None if most is None else most - 1)
        return f'"[" {item} {more} "]"' if least else f'"[" ({item} {more})? "]"'

    def _string(self, schema: Mapping[str, object], _: int) -> str:
        least, most = _limits(schema, "minLength", "maxLength")
        self._spend(repeats=most or least)
        return "string" if (least, most) == (0, None) else f'"\\"" char{_repeats(least, most)} "\\""'

    def _object(self, schema: Mapping[str, object], levels: int) -> str:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            raise InputError("'properties' or 'required' of the JSON schema has another form")
        if set(map(str, required)) - properties.keys():
            raise InputError("the JSON schema requires a property that it does not describe")
        if not properties:
            other = schema.get("additionalProperties", True)
            pair = f'string ":" ws {self._once(self._of(other, levels - 1))}' if other is not False else ""
            return f'"{{" ({pair} ("," ws {pair})*)? "}}"' if pair else '"{}"'
        pairs = [
            (self._once(f'{_literal(str(name))} ":" ws {self._of(part, levels - 1)}'), name in required)
            for name, part in properties.items()
        ]
        first, rest = '""', '""'
        for pair, needed in reversed(pairs):
            # `first` begins the members, `rest` goes on behind others.
            first = self._rule(f"{pair} {rest}" if needed else f"{pair} {rest} | {first}")
            rest = self._rule(f'"," ws {pair} {rest}' if needed else f'("," ws {pair})? {rest}')
        return f'"{{" {first} "}}"'


def _integer(schema: Mapping[str, object], _: int) -> str:
    if not schema.keys() & {"minimum", "maximum"}:
        return "integer"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least == 0 and most is None:
        return '("0" | [1-9] [0-9]{0,14})'
    if not isinstance(least, int) or not isinstance(most, int) or not 0 <= most - least < MOST_REPEATS:
        raise InputError(f"the JSON schema has a range of integers that is not within {MOST_REPEATS:,} values")
    return _one_of([f'"{value}"' for value in range(least, most + 1)])


def _number(schema: Mapping[str, object], _: int) -> str:
    if schema.keys() & {"minimum", "maximum"}:
        raise InputError("the JSON schema has a range of numbers, which cannot be promised")
    return "number"


def _limits(schema: Mapping[str, Any], least: str, most: str) -> tuple[int, int | None]:
    low, high = schema.get(least, 0), schema.get(most)
    numbers = [low] if high is None else [low, high]
    if any(type(value) is not int or not 0 <= value <= MOST_REPEATS for value in numbers) or low > numbers[-1]:
        raise InputError(f"{least!r} and {most!r} of the JSON schema are numbers of 0 to {MOST_REPEATS:,}, in order")
    return low, high


def _repeats(least: int, most: int | None) -> str:
    return ("+" if least == 1 else "*" if least == 0 else f"{{{least},}}") if most is None else f"{{{least},{most}}}"


def _one_of(bodies: Sequence[str]) -> str:
    return f"({' | '.join(bodies)})"


def _literal(value: object) -> str:
    """The text of a JSON value as a literal of a grammar."""
    text = json.dumps(value, ensure_ascii=False)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
