"""The audit log under attack: forged ends, oracles, full disks, empty files, renamed files, crowds without a key."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.serving.audit import AuditLog
from igakulm.serving.audit_check import check_audit_log, check_audit_logs
from igakulm.serving.audit_lines import digest
from igakulm.serving.audit_rotate import rotate
from igakulm.serving.keys import Keys
from igakulm.serving.refusals import Refusals
from igakulm.serving.server import Options, app_of
from igakulm.serving.visitor import Visitor
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
KEY = b"a key that only the hospital has"
CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "熱"}]}


def web(audit: AuditLog, keys: Keys | None = None, **client: object) -> TestClient:
    model = Model(ScriptedEngine(TINY, "はい"), TINY, "tiny", "scripted")
    app = app_of(model, Options(keys or Keys(), audit=audit))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False, **client)  # type: ignore[arg-type]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@contextmanager
def full_disk(path: Path, room: int = 0) -> Iterator[None]:
    """The kernel takes so many bytes more into this file, and no larger files from this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_nobody_without_the_key_forges_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "a"
    log = AuditLog(path, "m", key=KEY)
    log.append(event="request", status=200)
    os.close(log._file)  # killed: the request's line is the last one
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"status": 200', b'"status": 404'))
    with pytest.raises(InputError, match="line was changed"):
        check_audit_log(path, KEY)
    with pytest.raises(InputError, match="line was changed"):
        AuditLog(path, "m", key=KEY)  # and it is not sealed by a line after it
    path.write_bytes(whole)
    assert check_audit_log(path, KEY).lines == 2


def test_the_log_is_no_oracle_for_its_own_macs(tmp_path: Path) -> None:
    """The digest of a body that a client chose is in the log: it must not be the MAC of a line with these bytes."""
    path = tmp_path / "a"
    log = AuditLog(path, "m", key=KEY)
    start = lines(path)[0]
    forged = json.dumps({"n": 2, "time": "t", "previous": start["mac"], "event": "request", "status": 200}).encode()
    web(log).post(CHAT, content=forged, headers={"content-type": "application/json"})
    stolen = str(lines(path)[1]["request"])
    assert stolen == digest(forged, KEY)
    first = path.read_bytes().splitlines()[0]
    path.write_bytes(first + b"\n" + forged[:-1] + b', "mac": "' + stolen.encode() + b'"}\n')
    with pytest.raises(InputError, match="line was changed"):
        check_audit_log(path, KEY)
    log.close()


def test_an_empty_file_is_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "a"
    AuditLog(path, "m", key=KEY).close()
    path.write_bytes(b"")
    with pytest.raises(InputError, match="holds no line"):
        check_audit_log(path, KEY)
    with pytest.raises(InputError, match="there but empty"):
        AuditLog(path, "m", key=KEY)


def test_a_file_of_the_first_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(
        '{"n": 1, "time": "t", "previous": "%s", "event": "start", "format": 1, "keyed": false}\n' % ("0" * 64)
    )
    for look in (check_audit_log, lambda path: AuditLog(path, "m")):
        with pytest.raises(InputError, match="format 1"):
            look(path)


def test_a_disk_that_is_full_at_the_first_line_leaves_no_file(tmp_path: Path) -> None:
    with full_disk(tmp_path / "."), pytest.raises(InputError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        AuditLog(tmp_path / "a", "m")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("room", [0, 40])
def test_lines_that_a_full_disk_took_are_told(tmp_path: Path, room: int) -> None:
    path = tmp_path / "a"
    log = AuditLog(path, "m", key=KEY)
    with full_disk(path, room):
        answers = [web(log).post(CHAT, json=ASK).status_code for _ in range(3)]
    assert answers == [200, 200, 200], "without --audit-strict the model goes on answering"
    assert check_audit_log(path, KEY).lines == 1
    assert web(log).post(CHAT, json=ASK).status_code == 200
    log.close()
    assert [line.get("lost") for line in lines(path)] == [None, 3, None]
    assert check_audit_log(path, KEY).lost == 3


def test_a_strict_log_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "a"
    log = AuditLog(path, "m", key=KEY, strict=True)
    client = web(log)
    assert client.post(CHAT, json=ASK).status_code == 200
    with full_disk(path):
        refused = client.post(CHAT, json=ASK)
        assert refused.status_code == 503 and refused.json()["error"]["code"] == "audit_unavailable"
        assert not log.writable()
    with full_disk(path, 300):  # for the line of its beginning, not for that of its end
        assert client.post(CHAT, json=ASK).status_code == 200
    assert client.post(CHAT, json=ASK).status_code == 200
    log.close()
    found = check_audit_log(path, KEY)
    assert (found.requests, found.lost, found.open_requests) == (2, 1, 1)
    assert [line["event"] for line in lines(path)] == [
        "start",
        *["begin", "request"],
        "begin",
        *["begin", "request"],
        "stop",
    ]


def test_who_asked_and_who_was_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    log = AuditLog(path, "m", key=KEY)
    good = {"authorization": "Bearer 0123456789abcdef"}
    client = web(log, Keys("0123456789abcdef"), client=("10.0.0.9", 4))
    assert client.post(CHAT, json=ASK, headers=good).status_code == 200
    assert client.get("/v1/models", headers={"authorization": "Bearer a-key-that-was-tried"}).status_code == 401
    assert client.get("/v1/models", headers={**good, "host": "evil.example"}).status_code == 421
    assert client.post(CHAT, json=ASK, headers={**good, "origin": "http://evil.example"}).status_code == 403
    forwarded = client.post(CHAT, json=ASK, headers={**good, "x-forwarded-for": "1.2.3.4"})
    assert forwarded.status_code == 200
    log.close()
    asked, key, host, origin, last, _ = lines(path)[1:]
    assert (asked["client"], asked["key"]) == ("10.0.0.9", "IGAKULM_API_KEY")
    assert [line["code"] for line in (key, host, origin)] == [
        "invalid_api_key",
        "host_not_allowed",
        "origin_not_allowed",
    ]
    assert all(line["client"] == "10.0.0.9" and line["count"] == 1 for line in (key, host, origin))
    assert last["client"] == "10.0.0.9", "who is no proxy cannot say who asks"
    assert b"was-tried" not in path.read_bytes() and b"0123456789abcdef" not in path.read_bytes()


def test_a_crowd_without_a_key_does_not_fill_the_disk(tmp_path: Path) -> None:
    path, now = tmp_path / "a", [0.0]
    log = AuditLog(path, "m")
    refusals = Refusals(log, lambda: now[0])
    for _ in range(3_000):
        refusals.add("invalid_api_key", Visitor("10.0.0.9"))
    assert len(lines(path)) == 2
    now[0] = 61.0
    refusals.add("invalid_api_key", Visitor("10.0.0.9"))
    assert lines(path)[-1]["count"] == 3_000
    for number in range(500):  # each from an address of its own: one line each, and not one is forgotten
        refusals.add("invalid_api_key", Visitor(f"10.1.{number // 250}.{number % 250}"))
        refusals.add("invalid_api_key", Visitor(f"10.1.{number // 250}.{number % 250}"))
    refusals.flush()
    assert sum(int(str(line.get("count", 0))) for line in lines(path)) == 4_001
    log.close()


def test_rotation_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    log = AuditLog(path, "m", key=KEY)
    assert not log.reopen()
    log.append(event="request")
    path.rename(tmp_path / "a.1")
    log.append(event="request")
    assert log.reopen()
    log.append(event="request")
    log.close()
    old, new = check_audit_log(tmp_path / "a.1", KEY), check_audit_log(path, KEY)
    assert (old.requests, new.requests, new.follows) == (2, 1, old.last)
    both = check_audit_logs([tmp_path / "a.1", path], KEY)
    assert (both.lines, both.number, both.requests, both.follows) == (7, 7, 3, "")
    with pytest.raises(InputError, match="chain breaks"):
        check_audit_logs([path, tmp_path / "a.1"], KEY)
    # A line taken off the end of the old file shows when both are looked at.
    (tmp_path / "a.1").write_bytes(b"".join((tmp_path / "a.1").read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="chain breaks"):
        check_audit_logs([tmp_path / "a.1", path], KEY)


def test_a_new_file_that_cannot_be_made_leaves_the_log_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a"
    log = AuditLog(path, "m", key=KEY)
    path.rename(tmp_path / "a.1")
    path.mkdir()
    with pytest.raises(OSError, match="exists"):
        log.reopen()
    path.rmdir()
    with full_disk(tmp_path / "a.1", 10), pytest.raises(OSError, match="in part"):
        log.reopen()
    assert not path.exists()
    assert log.reopen()
    log.close()
    assert check_audit_logs([tmp_path / "a.1", path], KEY).stops == 1


def test_rotate_by_hand_and_beside_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "a"
    AuditLog(path, "m", key=KEY).close()
    first = rotate(path, KEY)
    words = (
        "import signal, sys\nfrom pathlib import Path\nfrom igakulm.serving.audit import AuditLog\n"
        "log = AuditLog(Path(sys.argv[1]), 'm', key=sys.argv[2].encode())\n"
        "signal.signal(signal.SIGHUP, lambda *_: log.reopen())\n"
        "print('ready', flush=True)\nsys.stdin.read()\nlog.close()\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", words, str(path), KEY.decode()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout and writer.stdin
    assert writer.stdout.readline() == "ready\n"
    second = rotate(path, KEY)
    writer.stdin.close()
    assert writer.wait(60) == 0
    found = check_audit_logs([first, second, path], KEY)
    assert (found.starts, found.stops, found.lost) == (3, 3, 0)
    assert lines(path)[0]["event"] == "continued" and lines(second)[-1]["event"] == "rotated"
