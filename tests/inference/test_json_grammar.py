"""Grammars of JSON schemas, run in llama.cpp with a random model: what comes out is what the schema allows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from igakulm.bundle.gguf import write_gguf
from igakulm.errors import InputError
from igakulm.inference.constraint import JsonSchema
from igakulm.inference.engine import Engine, Sampling
from igakulm.inference.json_grammar import grammar_of
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.transformers import load_engine
from tiny_bundle import encoder, write_model

validators = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), initializer_range=0.02, max_position_embeddings=4096)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[LlamaCppEngine]:
    write_gguf(folder, folder / "model.gguf", "f32", "tiny")
    with LlamaCppEngine(folder / "model.gguf", threads=1, lanes=1) as opened:
        yield opened


TREE: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"enum": ["a", "b"]},
                "under": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 1},
            },
            "required": ["name"],
        }
    },
    "$ref": "#/$defs/node",
}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 5}, "minItems": 1, "maxItems": 3},
    {"type": "array", "items": {"type": "integer", "minimum": -3, "maximum": 12}, "minItems": 2, "maxItems": 4},
    {"type": "array", "maxItems": 0},
    {"enum": ['囊胞 "A"', 5, None, {"k": ["\\\n"]}]},
    {"const": "糖尿病"},
    {"type": ["boolean", "null"]},
    {"anyOf": [{"type": "boolean"}, {"type": "string", "maxLength": 3}]},
    {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}, "c": {"const": 1}},
        "required": ["b"],
    },
    {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}}, "title": "all optional"},
    {"type": "object", "additionalProperties": False},
    {"allOf": [{"properties": {"x": {"type": "integer", "minimum": 0}}, "required": ["x"]}]},
    TREE,
]


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
@pytest.mark.parametrize("number", range(len(SCHEMAS)))
def test_what_is_written_is_valid(engine: LlamaCppEngine, number: int) -> None:
    check_schema(engine, SCHEMAS[number])


@pytest.mark.parametrize("number", range(len(SCHEMAS)))
def test_what_is_written_with_transformers_is_valid(folder: Path, number: int) -> None:
    check_schema(load_engine(folder, device="cpu"), SCHEMAS[number])


def check_schema(engine: Engine, schema: dict[str, Any]) -> None:
    validator = validators.Draft202012Validator(schema)
    for seed in range(5):
        sampling = Sampling(temperature=1.0, seed=seed, constraint=JsonSchema(schema))
        steps = engine.stream([5, 6, 7], 600, [encoder().eos], sampling)
        validator.validate(json.loads(encoder().decode([step.token for step in steps])))


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "number"}, {"type": "integer"}])
def test_llamacpp_takes_the_open_grammars(engine: LlamaCppEngine, schema: dict[str, Any]) -> None:
    steps = list(engine.stream([5, 6, 7], 3, [], Sampling(constraint=JsonSchema(schema))))
    assert steps


def test_what_cannot_be_promised_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"items": deep}
    wrong: list[Any] = [
        {"type": "text"},
        {"type": ["string", 3]},
        {"type": []},
        {"minLength": 3},
        {"$ref": "https://example.org/s"},
        {"$ref": "#/none"},
        {"anyOf": {}},
        {"allOf": [{}, {}]},
        {"enum": ["x" * 70_000]},
        {"enum": []},
        {"items": 5},
        {"properties": {"a": 5}},
        {"properties": [1]},
        {"required": ["a"]},
        {"const": object()},
        {"const": float("nan")},
        {"type": "string", "maxLength": 9_999_999},
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"type": "array", "uniqueItems": True},
        {"type": "integer", "minimum": 5},
        {"type": "number", "maximum": 5},
        {"type": "string", "format": "date"},
        deep,
    ]
    for schema in wrong:
        with pytest.raises(InputError, match="JSON schema"):
            grammar_of(schema)
