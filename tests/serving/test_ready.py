"""`/ready` and `/metrics`: what others see of a model that stands still, dies, or is away."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from http_server import running
from igakulm.inference.endpoint_engine import EndpointEngine
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from igakulm.serving.keys import Keys
from igakulm.serving.server import Limits, Options, app_of, create_app
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, write_bundle

TINY = encoder()
CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "患者の秘密"}]}


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_model_that_stands_still_is_not_ready() -> None:
    engine = ScriptedEngine(TINY, "はい")
    app = create_app(engine, TINY, "tiny", limits=Limits(ready_seconds=0.05))
    with running(app) as address, httpx.Client(base_url=address, timeout=60) as web:
        engine.gate.clear()
        answer = web.get("/ready")
        assert answer.status_code == 503 and answer.json() == {"ready": False, "reason": "the model starts, or hangs"}
        assert web.get("/health").status_code == 200, "the front lives"
        assert web.get("/ready").status_code == 503 and len(engine.prompts) == 1, "asked once, not once a look"
        engine.gate.set()
        until(lambda: web.get("/ready").status_code == 200)
        assert web.get("/ready").status_code == 200 and len(engine.prompts) == 1, (
            "what was found holds for some seconds"
        )


def test_a_model_at_work_is_not_asked() -> None:
    engine = ScriptedEngine(TINY, "はい")
    engine.gate.clear()
    with running(create_app(engine, TINY, "tiny")) as address, httpx.Client(base_url=address, timeout=60) as web:
        asked = threading.Thread(target=lambda: web.post(CHAT, json=ASK))
        asked.start()
        until(lambda: bool(engine.prompts))  # it waits for its first token
        assert web.get("/ready").status_code == 200 and len(engine.prompts) == 1
        engine.gate.set()
        asked.join(60)


def test_an_endpoint_that_is_away() -> None:
    app = create_app(EndpointEngine("http://127.0.0.1:9/v1", "m", 200), TINY, "tiny")
    answer = TestClient(app, base_url="http://127.0.0.1").get("/ready")
    assert answer.status_code == 503 and "127.0.0.1" not in answer.text


@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_a_real_child_that_is_stopped_and_one_that_is_killed(tmp_path: Path) -> None:
    opened = open_model(write_bundle(tmp_path / "b", ("f32",)), "llamacpp")
    engine = opened.engine
    assert isinstance(engine, LlamaCppEngine)
    try:
        app = app_of(opened, Options(limits=Limits(ready_seconds=0.5)))
        with running(app) as address, httpx.Client(base_url=address, timeout=60) as web:
            os.kill(engine.pid, signal.SIGSTOP)
            assert web.get("/ready").status_code == 503
            os.kill(engine.pid, signal.SIGCONT)
            until(lambda: web.get("/ready").status_code == 200)
            first = engine.pid
            os.kill(first, signal.SIGKILL)
            until(lambda: not engine.alive)
            # Nobody sends a request to a server that is not ready: looking alone brings the next child.
            until(lambda: web.get("/ready").status_code == 200 and engine.pid != first)
            values = samples(web.get("/metrics").text)
            assert values["igakulm_engine_restarts_total"] == 1 and values["igakulm_engine_alive"] == 1
            assert values["igakulm_engine_resident_memory_bytes"] > 2**20
    finally:
        opened.close()


def samples(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_counts_for_prometheus_hold_no_text() -> None:
    key = {"authorization": "Bearer 0123456789abcdef"}
    app = app_of(Model(ScriptedEngine(TINY, "はい"), TINY, "病棟", "x"), Options(Keys("0123456789abcdef")))
    web = TestClient(app, base_url="http://127.0.0.1", headers=key)
    for _ in range(3):
        assert web.post(CHAT, json=ASK).status_code == 200
    for number in range(50):
        web.post(f"/患者/{number}", json={})
        web.get(f"/v1/models/{number}")
    assert web.get("/metrics", headers={"authorization": "Bearer x"}).status_code == 401
    assert web.get("/ready", headers={"authorization": ""}).status_code == 200, "no key, as for /health"
    answer = web.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    values = samples(answer.text)
    assert values["igakulm_requests_total{path=/v1/chat/completions,status=200}"] == 3
    assert values["igakulm_requests_total{path=other,status=404}"] == 100
    assert values["igakulm_tokens_total{kind=answer}"] == 3 * len(TINY.encode("はい"))
    assert values["igakulm_refused_total{code=invalid_api_key}"] == 1
    assert values["igakulm_request_seconds_count{path=/v1/chat/completions}"] == 3
    assert values["process_resident_memory_bytes"] > 2**20
    assert "患者" not in answer.text and "病棟" not in answer.text and len(answer.text) < 20_000
