"""The audit log: the chain, what breaks it, and what it never holds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.serving.audit import AuditLog
from igakulm.serving.audit_check import check_audit_log
from igakulm.serving.audit_lines import digest
from igakulm.serving.server import Options, app_of
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
SAY = "糖尿病です。"
KEY = b"a key that only the hospital has"


def written(path: Path, key: bytes | None = None, lines: int = 4) -> Path:
    log = AuditLog(path, "m", key=key)
    for number in range(lines):
        log.append(event="request", path="/v1/chat/completions", answer=digest(b"x" * number, key))
    log.close()
    return path


@pytest.mark.parametrize("key", [None, KEY])
def test_a_chain_goes_on_after_a_restart(tmp_path: Path, key: bytes | None) -> None:
    path = written(written(tmp_path / "a", key), key)
    found = check_audit_log(path, key)
    assert (found.lines, found.requests, found.keyed) == (12, 8, key is not None)
    assert (found.starts, found.stops, found.lost, found.follows) == (2, 2, 0, "")
    assert found.last == json.loads(path.read_bytes().splitlines()[-1])["mac"]
    assert path.stat().st_mode & 0o777 == 0o600


def change_a_count(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"chat", b"talk"), *lines[3:]]


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("left", [0, 1, 40])
def test_half_a_line_is_moved_aside_and_told(tmp_path: Path, key: bytes | None, left: int) -> None:
    path = written(tmp_path / "a", key)
    *lines, torn = path.read_bytes().splitlines()
    torn = torn[: left or None]
    path.write_bytes(b"".join(line + b"\n" for line in lines) + torn)
    found = check_audit_log(path, key)
    assert (found.lines, found.torn_bytes) == (len(lines), len(torn))
    written(path, key)
    start = json.loads(path.read_bytes().splitlines()[len(lines)])
    assert (start["torn_bytes"], start["torn_digest"]) == (len(torn), digest(torn, key))
    assert Path(f"{path}.torn").read_bytes() == torn + b"\n"
    found = check_audit_log(path, key)
    assert (found.lines, found.requests, found.torn_bytes) == (len(lines) + 6, len(lines) + 3, 0)
    path.write_bytes(path.read_bytes().replace(b'"torn_bytes": ', b'"torn_bytes": 1'))
    with pytest.raises(InputError, match="line was changed"):
        check_audit_log(path, key)


BREAKS: list[Callable[[list[bytes]], list[bytes]]] = [
    change_a_count,
    lambda lines: [*lines[:2], *lines[3:]],
    lambda lines: [*lines[:3], lines[2], *lines[3:]],
    lambda lines: [lines[1], lines[0], *lines[2:]],
    lambda lines: [*lines[:2], b"", *lines[2:]],
    lambda lines: [*lines[:2], b"[" * 100_000, *lines[2:]],
    lambda lines: lines[1:],
]


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("change", BREAKS, ids=range(len(BREAKS)))
def test_changes_are_noticed(tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], key: bytes | None) -> None:
    path = written(tmp_path / "a", key)
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))
    with pytest.raises(InputError) as caught:
        check_audit_log(path, key)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError):
        AuditLog(path, "m", key=key)


def test_other_keys_and_second_servers(tmp_path: Path) -> None:
    path = written(tmp_path / "a", KEY)
    for key in (None, b"another key, not the right one"):
        with pytest.raises(InputError):
            check_audit_log(path, key)
    log = AuditLog(path, "m", key=KEY)
    with pytest.raises(InputError, match="another server"):
        AuditLog(path, "m", key=KEY)
    log.close()
    with pytest.raises(InputError):
        AuditLog(tmp_path, "m")
    with pytest.raises(InputError):
        check_audit_log(tmp_path / "absent")


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_writes_counts_and_digests_but_no_text(tmp_path: Path, stream: bool) -> None:
    log = AuditLog(tmp_path / "a", "m", key=KEY)
    app = app_of(Model(ScriptedEngine(TINY, SAY), TINY, "tiny", "scripted"), Options(audit=log))
    body = json.dumps({"messages": [{"role": "user", "content": "患者の秘密"}], "stream": stream}).encode()
    with TestClient(app, base_url="http://127.0.0.1") as web:
        headers = {"content-type": "application/json"}
        assert web.post("/v1/chat/completions", content=body, headers=headers).status_code == 200
        assert web.post("/v1/chat/completions", content=b"{", headers=headers).status_code == 400
        web.get("/health")
        web.post("/患者", json={})
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "a").read_text("utf-8").splitlines()]
    assert check_audit_log(tmp_path / "a", KEY).requests == 3
    assert [line.get("status") for line in lines] == [None, 200, 400, 404, None]
    assert [line["event"] for line in lines] == ["start", "request", "request", "request", "stop"]
    assert lines[1]["request"] == digest(body, KEY) and lines[1]["answer"] == digest(SAY.encode(), KEY)
    assert lines[1]["completion_tokens"] == len(TINY.encode(SAY)) and lines[1]["finish"] == "stop"
    written = (tmp_path / "a").read_text("utf-8")
    assert all(text not in written and json.dumps(text)[1:-1] not in written for text in ("患者", "秘密", "糖尿病"))
