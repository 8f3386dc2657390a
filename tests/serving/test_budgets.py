"""No request costs more than its size allows: hostile schemas and long texts are refused before they cost anything."""

import time
import tracemalloc
from typing import Any

import pytest
from starlette.testclient import TestClient

from igakulm.errors import InputError
from igakulm.inference import json_grammar
from igakulm.inference.json_grammar import grammar_of
from igakulm.serving.dispatcher import Limits
from igakulm.serving.server import create_app
from igakulm.tasks.layouts import default_tasks
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
ASK = {"model": "tiny", "messages": [{"role": "user", "content": "咳"}]}


def client(limits: Limits | None = None) -> TestClient:
    engine = ScriptedEngine(TINY, '["発熱"]', 2000)
    app = create_app(engine, TINY, "tiny", tasks=default_tasks(), limits=limits)
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


def nested(levels: int, types: Any, **more: Any) -> Any:
    schema: Any = {"type": "string", "maxLength": 20}
    for _ in range(levels):
        schema = {"type": types, "items": schema, **more}
    return schema


def tree(levels: int) -> Any:
    return {"type": "object", "additionalProperties": tree(levels - 1)} if levels else {"enum": ["x" * 60]}


def test_types_named_twice_are_refused_at_once() -> None:
    schema = nested(6, ["array"] * 100)
    start = time.process_time()
    with pytest.raises(InputError, match="twice"):
        grammar_of(schema)
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    answer = client().post("/v1/chat/completions", json={**ASK, "response_format": form})
    assert answer.status_code == 400 and "twice" in answer.json()["error"]["message"]
    assert time.process_time() - start < 5


@pytest.mark.parametrize("schema", [nested(30, "array"), nested(15, ["array", "null"], minItems=1), tree(30)])
def test_a_grammar_grows_with_its_schema_and_not_with_its_depth(schema: Any) -> None:
    tracemalloc.start()
    written = grammar_of(schema)
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(written) < 20_000 and highest < 2**20


def test_budgets_of_a_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="repetitions"):
        grammar_of({"anyOf": [{"type": "string", "maxLength": 2000}] * 5})
    ranges = [{"type": "integer", "minimum": 10**9 + n, "maximum": 10**9 + n + 1999} for n in range(20)]
    with pytest.raises(InputError, match="becomes more than"):
        grammar_of({"type": "object", "properties": {str(n): one for n, one in enumerate(ranges)}})
    monkeypatch.setattr(json_grammar, "MOST_WRITTEN", 100)
    with pytest.raises(InputError, match="becomes more than"):
        grammar_of({"enum": ["x" * 200]})


def test_all_pieces_of_a_text_have_one_budget() -> None:
    long = {"task": "finding", "text": "昨日から発熱があり、咳も出る。" * 700}
    answer = client(Limits(new_tokens=60)).post("/api/extract", json=long)
    assert answer.status_code == 400 and "pieces with answers" in answer.json()["error"]["message"]
    answer = client().post("/api/extract", json=long)
    assert answer.status_code == 200, "the same text with the usual budget"
    short = {"task": "finding", "text": "昨日から発熱があり、咳も出る。" * 3}
    assert client().post("/api/extract", json=short).status_code == 200
