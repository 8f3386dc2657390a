"""TLS of our own: real handshakes, silent and broken ones, a renewed certificate, files that are wrong."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from certificates import certificate
from http_server import running
from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.serving import connections
from igakulm.serving.keys import Keys
from igakulm.serving.listening import Certificate
from igakulm.serving.server import Options, app_of
from igakulm.serving.service import Access, serve
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
ASK = {"messages": [{"role": "user", "content": "熱"}]}


def test_answers_renewals_and_crowds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)
    pem, key = certificate(tmp_path)
    shown = Certificate(pem, key)
    app = app_of(Model(ScriptedEngine(TINY, "はい"), TINY, "tiny", "x"), Options(Keys("0123456789abcdef")))
    with running(app, shown.context) as address:
        trusted = ssl.create_default_context(cafile=str(pem))
        place = ("127.0.0.1", urlsplit(address).port or 0)
        headers = {"authorization": "Bearer 0123456789abcdef"}
        with httpx.Client(base_url=address, verify=trusted, headers=headers, timeout=60) as web:
            for _ in range(3):  # on one connection
                answer = web.post("/v1/chat/completions", json={**ASK, "stream": True})
                assert answer.status_code == 200 and "[DONE]" in answer.text
            # Whoever opens a connection and begins no handshake is counted, and the one silent longest goes.
            crowd = [socket.create_connection(place, 60) for _ in range(60)]
            with contextlib.suppress(ConnectionResetError):
                assert crowd[0].recv(1) == b""
            assert httpx.get(f"{address}/health", verify=trusted, timeout=60).status_code == 200
            for one in crowd:
                one.close()
        with socket.create_connection(place, 60) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"IgakuLM" not in plain.recv(100)
        with pytest.raises(ssl.SSLError):
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
            with socket.create_connection(place, 60) as raw:
                old.wrap_socket(raw)
        certificate(tmp_path)  # a new one in the place of the old
        shown.read()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/health", verify=trusted, timeout=60)
        renewed = ssl.create_default_context(cafile=str(pem))
        assert httpx.get(f"{address}/health", verify=renewed, timeout=60).status_code == 200
        key.write_text("nonsense")
        with pytest.raises(InputError):
            shown.read()
        assert httpx.get(f"{address}/health", verify=renewed, timeout=60).status_code == 200


def test_a_request_in_the_same_segment_as_the_end_of_the_handshake(tmp_path: Path) -> None:
    """TLS 1.3 lets a client send its request with its last message of the handshake."""
    pem, key = certificate(tmp_path)
    app = app_of(Model(ScriptedEngine(TINY, "はい"), TINY, "tiny", "x"), Options())
    with running(app, Certificate(pem, key).context) as address:
        place = ("127.0.0.1", urlsplit(address).port or 0)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context(cafile=str(pem)).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with socket.create_connection(place, 60) as raw:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
            client.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            raw.sendall(outgoing.read())  # Finished and the request together
            answer, end = b"", time.monotonic() + 60
            while b'"status"' not in answer and time.monotonic() < end:
                incoming.write(raw.recv(65536))
                try:
                    answer += client.read(65536)
                except ssl.SSLWantReadError:
                    continue
    assert answer.startswith(b"HTTP/1.1 200") and b'"status":"ok"' in answer


def test_files_that_are_wrong(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    _, other = certificate(tmp_path, stem="other")
    locked = tmp_path / "locked.key"
    words = ["openssl", "pkey", "-in", str(key), "-aes128", "-passout", "pass:abcd", "-out", str(locked)]
    subprocess.run(words, check=True)
    for wrong, match in ((other, "TLS cannot use"), (locked, "encrypted"), (pem, "TLS cannot use")):
        with pytest.raises(InputError, match=match):
            Certificate(pem, wrong)
    with pytest.raises(InputError, match="no such file"):
        Certificate(tmp_path / "absent", key)
    for access in (Access(certificate=pem), Access(certificate_key=key)):
        with pytest.raises(InputError, match="give both"):
            serve(tmp_path, port=0, access=access)
