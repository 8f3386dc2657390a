"""The tasks over HTTP: forms of requests and answers, refusals in OpenAI's form."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from igakulm.serving.server import create_app
from igakulm.tasks.layouts import Task, default_tasks
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
OPTIONS = (("A", "咳がある"), ("B", "咳がない"))
TASKS = [*default_tasks(), Task("cough", "classify", "咳", "Cough", "咳は？\n「", suffix="」", options=OPTIONS)]


def client(engine: ScriptedEngine | None = None) -> TestClient:
    app = create_app(engine or ScriptedEngine(TINY, '["発熱", "頭痛"]', 2000), TINY, "tiny", tasks=TASKS)
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


def test_tasks_are_listed_without_their_wording() -> None:
    tasks = client().get("/api/tasks").json()["tasks"]
    assert [task["name"] for task in tasks] == [task.name for task in TASKS]
    cough = tasks[-1]
    assert cough["kind"] == "classify" and cough["options"][1] == {"letter": "B", "label": "咳がない"}
    assert "prefix" not in cough and tasks[0]["kind_of_item"] == "finding"


def test_extract() -> None:
    answer = client().post("/api/extract", json={"task": "finding", "text": "𠮟、発熱あり"})
    body = answer.json()
    assert answer.status_code == 200
    assert body["items"] == [{"text": "発熱", "start": 2, "end": 4, "kind": "finding"}]
    assert (body["unplaced"], body["raw"], body["cut"]) == (["頭痛"], '["発熱", "頭痛"]', False)
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize(
    ("path", "fields", "letters"),
    [
        ("/api/classify", {"task": "cough", "text": "朝から咳"}, "AB"),
        ("/api/compare", {"task": "similarity", "first": "熱が出た", "second": "発熱"}, "ABCDEF"),
        ("/api/exam", {"question": "どれか", "choices": ["甲", "乙", "丙"]}, "ABC"),
        ("/api/exam", {"question": "二つ選べ", "choices": ["甲", "乙", "丙"], "wanted": 2}, "ABC"),
    ],
)
def test_options_with_probabilities(path: str, fields: dict[str, Any], letters: str) -> None:
    answer = client().post(path, json={**fields, "model": "tiny"})
    body = answer.json()
    assert answer.status_code == 200
    assert "".join(option["letter"] for option in body["options"]) == letters
    assert sum(option["probability"] for option in body["options"]) == pytest.approx(fields.get("wanted", 1))
    if path == "/api/exam":
        assert len(body["answer"]) == fields.get("wanted", 1)
    else:
        assert body["answer"] in letters


@pytest.mark.parametrize(
    ("path", "fields", "status", "param"),
    [
        ("/api/extract", {"text": "発熱"}, 400, "task"),
        ("/api/extract", {"task": 3, "text": "発熱"}, 400, "task"),
        ("/api/extract", {"task": "findings", "text": "発熱"}, 404, "task"),
        ("/api/extract", {"task": "cough", "text": "発熱"}, 404, "task"),
        ("/api/extract", {"task": "finding", "text": " "}, 400, "text"),
        ("/api/extract", {"task": "finding", "text": ["発熱"]}, 400, "text"),
        ("/api/extract", {"task": "finding", "text": "発熱", "tekst": ""}, 400, "tekst"),
        ("/api/classify", {"task": "finding", "text": "発熱"}, 404, "task"),
        ("/api/compare", {"task": "similarity", "first": "発熱"}, 400, "second"),
        ("/api/exam", {"choices": ["甲", "乙"]}, 400, "question"),
        ("/api/exam", {"question": "どれか", "choices": "甲乙"}, 400, "choices"),
        ("/api/exam", {"question": "どれか", "choices": ["甲"]}, 400, "choices"),
        ("/api/exam", {"question": "どれか", "choices": ["甲", 3]}, 400, "choices"),
        ("/api/exam", {"question": "どれか", "choices": ["甲"] * 11}, 400, "choices"),
        ("/api/exam", {"question": "どれか", "choices": ["甲", "乙"], "wanted": 2}, 400, "wanted"),
        ("/api/exam", {"question": "どれか", "choices": ["甲", "乙"], "wanted": 0}, 400, "wanted"),
    ],
)
def test_refusals(path: str, fields: dict[str, Any], status: int, param: str) -> None:
    answer = client().post(path, json=fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_an_unknown_task_gets_a_suggestion() -> None:
    answer = client().post("/api/extract", json={"task": "findings", "text": "発熱"})
    assert "did you mean 'finding'" in answer.json()["error"]["message"]


def test_a_text_that_does_not_fit_and_an_engine_that_dies() -> None:
    short = ScriptedEngine(TINY, "", 60)
    answer = client(short).post("/api/classify", json={"task": "cough", "text": "熱" * 100})
    assert answer.status_code == 400 and "the model reads 60" in answer.json()["error"]["message"]
    dead = ScriptedEngine(TINY, '["発熱"]', 2000)
    dead.dies_after = 0
    answer = client(dead).post("/api/extract", json={"task": "finding", "text": "患者の名前"})
    assert answer.status_code == 503 and "患者" not in answer.text and answer.headers["retry-after"]


def test_other_methods_are_refused() -> None:
    assert client().get("/api/extract").status_code == 405
    assert client().post("/api/tasks", json={}).status_code == 405
