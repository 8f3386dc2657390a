"""Schemas are built anew from known parts; everything else is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igakulm.serving.dispatcher import BadRequest
from igakulm.serving.response_format import MOST_REPEATS, read_response_format

TEXT = {"type": "string"}


def read(schema: Any) -> Any:
    return read_response_format({"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}})


def test_plain_forms() -> None:
    assert read_response_format(None) is None
    assert read_response_format({"type": "text"}) is None
    assert read_response_format({"type": "json_object"}) == {"type": "object"}


def test_a_schema_is_rebuilt_with_its_references() -> None:
    schema = {
        "title": "Record",
        "type": "object",
        "properties": {"薬": {"type": "array", "items": {"$ref": "#/$defs/Drug"}, "maxItems": 3}},
        "required": ["薬"],
        "additionalProperties": False,
        "$defs": {"Drug": {"type": "object", "description": "d", "properties": {"dose": {"enum": ["a", 1, None]}}}},
    }
    found = read(schema)
    drug = {"type": "object", "properties": {"dose": {"enum": ["a", 1, None]}}}
    assert found == {
        "type": "object",
        "properties": {"薬": {"type": "array", "items": drug, "maxItems": 3}},
        "required": ["薬"],
        "additionalProperties": False,
    }
    found["properties"]["薬"]["items"]["properties"].clear()
    assert schema["$defs"]["Drug"]["properties"]  # type: ignore[index]


def nested(levels: int) -> Any:
    return {"type": "array", "items": nested(levels - 1)} if levels else TEXT


BAD = [
    5,
    {"$ref": "http://evil.example/schema"},
    {"$ref": "#/$defs/x"},
    {"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}},
    {"type": "array", "items": {"$ref": "#/$defs/x"}, "$defs": {"x": {"anyOf": [{"$ref": "#/$defs/x"}] * 9}}},
    {"pattern": "(a+)+$"},
    {"type": "text"},
    {"type": []},
    {"type": ["string", 1]},
    {"enum": []},
    {"enum": ["a" * 201]},
    {"enum": [[1]]},
    {"const": {"a": 1}},
    {"const": float("inf")},
    {"minItems": -1},
    {"maxLength": MOST_REPEATS + 1},
    {"maxLength": True},
    {"properties": [1]},
    {"properties": {"a": 1}},
    {"required": ["a"]},
    {"required": "a"},
    {"anyOf": []},
    {"items": [TEXT]},
    {"properties": {f"p{n}": TEXT for n in range(300)}},
    nested(50),
]


@pytest.mark.parametrize("schema", BAD, ids=range(len(BAD)))
def test_what_is_not_done_here_is_refused(schema: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        read(schema)
    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    "value", [1, [], {"type": "grammar"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": 1}]
)
def test_other_forms(value: Any) -> None:
    with pytest.raises(BadRequest, match="response_format is"):
        read_response_format(value)


KEYS = st.sampled_from(["type", "properties", "items", "enum", "anyOf", "required", "$ref", "maxItems", "x"])
LEAVES = st.none() | st.booleans() | st.integers(-2, 300) | st.sampled_from(["string", "object", "#/$defs/a", ""])
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_passes_holds_known_keywords_only(schema: dict[str, Any]) -> None:
    try:
        found = read(schema)
    except BadRequest:
        return
    assert json.loads(json.dumps(found)) == found and "$ref" not in found and "x" not in found
