"""What routes share: work in threads that ends with its request, turns, and layers that forget nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from http_server import running
from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed
from igakulm.inference.model import Model
from igakulm.serving import connections
from igakulm.serving.dispatcher import BadRequest, Dispatcher, Limits
from igakulm.serving.record import Record
from igakulm.serving.request_counts import current_counts
from igakulm.serving.server import Options, app_of, create_app
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
SAY = "糖尿病です。"
CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "患者の秘密"}]}


def refused(work: Callable[[], Any]) -> BadRequest:
    dispatcher = Dispatcher(Model(ScriptedEngine(TINY, SAY), TINY, "m", "scripted"), Limits(seconds=0.05))
    with pytest.raises(BadRequest) as caught:
        asyncio.run(dispatcher.run(work))
    return caught.value


def test_failures_become_answers() -> None:
    def died() -> None:
        raise EngineFailed("患者")

    def wrong() -> None:
        raise InputError("the text is too long", where="/secret/path")

    assert (found := refused(died)).status == 503 and "患者" not in found.message
    assert (found := refused(wrong)).status == 400 and found.message == "the text is too long"
    assert refused(lambda: time.sleep(0.2)).code == "timed_out"
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Dispatcher(Model(ScriptedEngine(TINY, SAY), TINY, "m", "scripted")).run(lambda: 1 // 0))


def test_work_beyond_its_time_ends_at_the_next_token_and_keeps_its_turn_till_then() -> None:
    engine = ScriptedEngine(TINY, SAY * 20)
    dispatcher = Dispatcher(Model(engine, TINY, "m", "scripted"), Limits(seconds=0.1, queue=0))
    engine.gate.clear()

    async def visit() -> tuple[int, int]:
        with pytest.raises(BadRequest, match="longer than"):
            await dispatcher.run(lambda: list(dispatcher.model.engine.stream([1], 100, ())))
        held = dispatcher.admission.running
        with pytest.raises(BadRequest, match="busy"):
            await dispatcher.run(lambda: None)
        engine.gate.set()
        while dispatcher.admission.running:
            await asyncio.sleep(0.01)
        return held, engine.said

    assert asyncio.run(visit()) == (1, 1)
    assert engine.closed == 1


def test_lanes_run_at_once() -> None:
    engine = ScriptedEngine(TINY, SAY, lanes=3)
    engine.gate.clear()

    async def crowd() -> list[httpx.Response]:
        app = create_app(engine, TINY, "tiny", limits=Limits(queue=1))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as web:
            visits = [asyncio.create_task(web.post(CHAT, json=ASK)) for _ in range(5)]
            while engine.running < 3:
                await asyncio.sleep(0.01)
            queue: dict[str, int] = {}
            while queue.get("waiting", 0) < 1 or not any(visit.done() for visit in visits):
                await asyncio.sleep(0.01)
                queue = (await web.get("/health")).json()["queue"]
            assert (queue["running"], queue["waiting"]) == (3, 1)
            engine.gate.set()
            return await asyncio.gather(*visits)

    statuses = sorted(answer.status_code for answer in asyncio.run(crowd()))
    assert statuses == [200, 200, 200, 200, 429] and engine.most_running == 3


@pytest.mark.parametrize("path", ["stream", "whole", "work"])
def test_a_client_that_goes_ends_the_work_within_a_token(path: str) -> None:
    class Slow(ScriptedEngine):
        def stream(self, *arguments: Any, **options: Any) -> Any:
            for step in super().stream(*arguments, **options):
                time.sleep(0.02)
                yield step

    engine = Slow(TINY, SAY * 20)
    tokens = len(engine.tokens)
    route, body = (CHAT, {**ASK, "stream": path == "stream"})
    if path == "work":
        route, body = "/api/extract", {"task": "finding", "text": "咳が出る。"}
    with running(create_app(engine, TINY, "tiny")) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        connection.request("POST", route, json.dumps(body), {"content-type": "application/json"})
        while engine.said < 2:
            time.sleep(0.005)
        connection.close()
        with httpx.Client(base_url=address) as web:
            deadline = time.monotonic() + 60
            while engine.running and time.monotonic() < deadline:
                time.sleep(0.01)
            assert web.get("/health").json()["queue"]["running"] == 0
    assert 0 < engine.said < tokens and engine.running == 0


def test_counts_of_work_are_those_of_its_request() -> None:
    engine = ScriptedEngine(TINY, SAY)
    dispatcher = Dispatcher(Model(engine, TINY, "m", "scripted"))

    async def route(request: Request) -> Response:
        await dispatcher.run(lambda: list(dispatcher.model.engine.stream([1, 2], 3, ())), request)
        return JSONResponse(current_counts().usage)

    web = TestClient(Record(Starlette(routes=[Route("/", route, methods=["POST"])])))
    for _ in range(2):
        assert web.post("/").json() == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_texts_go_to_the_log_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for wanted in (False, True):
        app = app_of(Model(ScriptedEngine(TINY, SAY), TINY, "tiny", "x"), Options(log_prompts=wanted))
        TestClient(app, base_url="http://localhost").post(CHAT, json=ASK)
        assert (SAY in caplog.text) == wanted
    assert "患者" in caplog.text


def test_headers_and_repeated_headers() -> None:
    app = create_app(ScriptedEngine(TINY, SAY), TINY, "tiny", api_key="0123456789abcdef")
    web = TestClient(app, base_url="http://localhost")
    page = web.get("/")
    assert page.status_code == 200 and web.get("/openapi.json").status_code == 200
    rules = page.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in rules and "script-src 'self'" in rules and "unsafe" not in " ".join(rules)
    assert web.get("/api/model").status_code == web.post("/").status_code == web.get("/v1/models").status_code == 401
    twice = [("host", "localhost"), ("host", "evil.example")]
    assert web.get("/health", headers=twice).json()["error"]["code"] == "repeated_header"
    assert web.get("/health", headers={"origin": "http://["}).status_code == 403


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with running(create_app(ScriptedEngine(TINY, SAY), TINY, "tiny")) as address:
        host, port = address.removeprefix("http://").split(":")
        for said in (b"", b"GET /health HTTP/1.1\r\nHost: local"):
            with socket.create_connection((host, int(port)), 10) as connection:
                connection.sendall(said)
                assert connection.recv(100) == b""
        with httpx.Client(base_url=address) as web:
            assert web.get("/health").status_code == 200
            time.sleep(0.5)
            assert web.get("/health").status_code == 200


def test_malformed_requests_get_no_500(project: Path) -> None:
    script = project / "benchmarks" / "malformed_requests.py"
    engine = ScriptedEngine(TINY, SAY, context_length=400)
    with running(create_app(engine, TINY, "tiny")) as address:
        command = [sys.executable, str(script), "--address", address, "--count", "200"]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'400'" in done.stdout and engine.running == 0
    reached = re.search(r"schemas that reached the grammar: (\d+)", done.stdout)
    assert reached and int(reached[1]) > 5, done.stdout
