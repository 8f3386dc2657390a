"""JSON schemas that a server must take, made to cost it much: for the fuzzer beside this file.

Every keyword that the documentation names, nested, repeated, with names and values that a grammar must escape; sizes
from a few parts to all that is allowed. Most are valid, so that they reach the grammar of the engine.
"""

from __future__ import annotations

import random
from typing import Any

NAMES = (
    *("a", "発熱", 'say "x"', "back\\slash", "new\nline", "ゼ\u0301", "😀"),
    *("]}", "::=", "root", "x" * 200, "\u2028", "(a|b)*"),
)
SCALARS = ("string", "integer", "number", "boolean", "null")


def schema(draw: random.Random, depth: int = 0, parts: list[int] | None = None) -> dict[str, Any]:
    """A schema; `parts` counts down what is left of its size."""
    left = parts if parts is not None else [draw.choice((3, 20, 60, 190))]
    left[0] -= 1
    if left[0] <= 0 or depth >= 11:
        return {"type": draw.choice(SCALARS)}
    kind = draw.choice(("object", "array", "anyOf", "enum", "text", "map", "types", "ref"))
    if kind == "object":
        names = draw.sample(NAMES, draw.randrange(1, 5))
        properties = {name: schema(draw, depth + 1, left) for name in names}
        return {"type": "object", "properties": properties, "required": names[: draw.randrange(len(names) + 1)]}
    if kind == "map":
        return {"type": "object", "additionalProperties": schema(draw, depth + 1, left)}
    if kind == "array":
        least = draw.choice((0, 1, 3, 16))
        most = {"maxItems": draw.choice((least, least + 1, 40, 256))} if draw.random() < 0.7 else {}
        return {"type": "array", "items": schema(draw, depth + 1, left), "minItems": least, **most}
    if kind == "anyOf":
        return {"anyOf": [schema(draw, depth + 1, left) for _ in range(draw.randrange(1, 8))]}
    if kind == "enum":
        return {"enum": [draw.choice((*NAMES, 1, -1.5, True, None, 10**30)) for _ in range(draw.choice((1, 9, 100)))]}
    if kind == "types":
        return {"type": draw.sample((*SCALARS, "object", "array"), draw.randrange(1, 8))}
    least = draw.choice((0, 1, 50))
    return {"type": "string", "minLength": least, "maxLength": draw.choice((least, 60, 256))}


def root(draw: random.Random) -> dict[str, Any]:
    """A schema whose parts may be shared by references: each use is written out."""
    shared = schema(draw, 6, [20])
    value = schema(draw)
    uses = {f"r{number}": {"$ref": "#/$defs/shared"} for number in range(draw.choice((0, 1, 8, 60)))}
    return {"type": "object", "$defs": {"shared": shared}, "properties": {"value": value, **uses}}
