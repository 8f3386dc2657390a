"""`igakulm serve` as a process: what SIGHUP takes up, and what SIGTERM leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from igakulm.inference.llamacpp import available
from igakulm.serving.audit_check import check_audit_logs
from igakulm.serving.audit_rotate import rotate
from tiny_bundle import write_bundle

ASK = {"messages": [{"role": "user", "content": "糖尿病"}], "max_tokens": 3000, "temperature": 1.0, "stream": True}
KEY = b"a key that only the hospital has"


def keys_file(path: Path, *keys: str) -> Path:
    entries = [f"  - {{name: {key}, sha256: {hashlib.sha256(key.encode()).hexdigest()}}}\n" for key in keys]
    path.write_text("keys:\n" + "".join(entries))
    return path


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
def test_signals(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", ("f32",), max_position_embeddings=4096)
    keys, log, places = keys_file(tmp_path / "keys.yaml", "first"), tmp_path / "audit", tmp_path / "temporary"
    places.mkdir()
    words = [sys.executable, "-m", "igakulm", "serve", str(bundle), "--port", "0", "--keys", str(keys)]
    words += ["--audit-log", str(log), "--audit-strict"]
    environment = {**os.environ, "IGAKULM_AUDIT_KEY": KEY.decode(), "TMPDIR": str(places), "HOME": str(tmp_path)}
    with (tmp_path / "log").open("w") as errors:
        server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
    try:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.search(r"(http://\S+)/v1", said)
        assert found, (said, (tmp_path / "log").read_text())
        with httpx.Client(base_url=found[1], timeout=120) as web:
            _take_up(web, server, keys, log)
            child = _killed_beside_a_stream(web, server)
    finally:
        server.kill()
        server.wait()
    assert not Path(f"/proc/{child}").exists(), "the child has ended"
    assert list(places.iterdir()) == [], "no temporary folder is left"
    files = [*sorted(tmp_path.glob("audit.*")), log]
    chain = check_audit_logs(files, KEY)
    assert (chain.starts, chain.stops, chain.open_requests, chain.lost) == (1, 1, 0, 0)
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert lines[-1]["event"] == "stop" and lines[-1]["reason"] == "SIGTERM"
    start = lines[0]
    assert start["verified"] is True and start["bundle"] == json.loads((bundle / "bundle.json").read_text())["digest"]
    assert {line["key"] for line in lines if line["event"] == "request"} == {"first", "second"}
    assert "Traceback" not in (tmp_path / "log").read_text()


def _take_up(web: httpx.Client, server: subprocess.Popen[str], keys: Path, log: Path) -> None:
    first, second = ({"authorization": f"Bearer {name}"} for name in ("first", "second"))
    short = {**ASK, "max_tokens": 2}
    assert web.post("/v1/chat/completions", json=short, headers=first).status_code == 200
    assert web.get("/v1/models", headers=second).status_code == 401
    keys_file(keys, "second")
    aside = rotate(log, KEY)  # renames, sends SIGHUP, and waits until the server goes on in a new file
    assert aside.exists() and log.exists()
    until(lambda: web.get("/v1/models", headers=second).status_code == 200)
    assert web.get("/v1/models", headers=first).status_code == 401
    keys.write_text("nonsense")
    server.send_signal(signal.SIGHUP)
    assert web.post("/v1/chat/completions", json=short, headers=second).status_code == 200


def _killed_beside_a_stream(web: httpx.Client, server: subprocess.Popen[str]) -> int:
    """SIGTERM while an answer is under way; the child's id."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    told: list[str] = []
    second = {"authorization": "Bearer second"}
    with web.stream("POST", "/v1/chat/completions", json=ASK, headers=second) as events:
        for line in events.iter_lines():
            told.append(line)
            if len(told) == 7:
                server.send_signal(signal.SIGTERM)
                server.send_signal(signal.SIGTERM)  # a second one changes nothing
    assert server.wait(120) == 0
    assert told[-2] == "data: [DONE]" or "error" in told[-2], "an answer that was cut off does not look ended"
    return int(children[0])
