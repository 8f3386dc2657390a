"""A real llama.cpp child killed in the middle of a streamed answer: the client hears of it, the next one is served."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from http_server import running
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.open import open_model
from igakulm.serving.server import Options, app_of
from tiny_bundle import write_bundle

pytestmark = pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "糖尿病"}], "max_tokens": 3000, "temperature": 1.0}


def test_a_killed_child_is_an_error_and_then_a_new_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IGAKULM_API_KEY", "IGAKULM_AUDIT_KEY", "IGAKULM_ENDPOINT_KEY"):
        monkeypatch.setenv(name, "a key of ours")
    # A long context, so that the answer is still under way when the child is killed.
    opened = open_model(write_bundle(tmp_path / "b", ("f32",), max_position_embeddings=4096), "llamacpp")
    engine = opened.engine
    assert isinstance(engine, LlamaCppEngine)
    first = engine.pid
    assert b"a key of ours" not in Path(f"/proc/{first}/environ").read_bytes(), "the child has no need of keys"
    try:
        with running(app_of(opened, Options())) as address, httpx.Client(base_url=address, timeout=60) as web:
            told = _killed_while_streaming(web, first)
            assert "engine_failed" in told and "[DONE]" not in told and "糖尿病" not in told.split("error")[-1]
            answers = [web.post("/v1/chat/completions", json={**ASK, "max_tokens": 5}) for _ in range(2)]
            # The request that finds the dead child may be the one that starts the next.
            assert answers[-1].status_code == 200 and answers[0].status_code in (200, 503)
            assert engine.pid != first
            health = web.get("/health").json()
            assert health["status"] == "ok" and health["engine"]["restarts"] == 1
            assert health["queue"]["running"] == health["queue"]["waiting"] == 0
    finally:
        opened.close()


def _killed_while_streaming(web: httpx.Client, pid: int) -> str:
    lines = []
    with web.stream("POST", "/v1/chat/completions", json={**ASK, "stream": True}) as events:
        for line in events.iter_lines():
            lines.append(line)
            if len(lines) == 7:
                os.kill(pid, signal.SIGKILL)
    assert "content" in json.loads(lines[2].removeprefix("data: "))["choices"][0]["delta"]
    return "\n".join(lines)
