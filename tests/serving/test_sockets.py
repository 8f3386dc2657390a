"""What the server does with its sockets: small pieces at once, and crowds of connections that say nothing."""

import contextlib
import http.client
import socket
import time
from urllib.parse import urlsplit

import pytest

from http_server import running
from igakulm.serving import connections
from igakulm.serving.listening import bind
from igakulm.serving.server import create_app
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()


def test_answers_are_sent_without_waiting_for_more() -> None:
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            # What asyncio looks at before it sets TCP_NODELAY.
            assert accepted.proto == socket.IPPROTO_TCP


def test_a_crowd_of_silent_connections_makes_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)
    with running(create_app(ScriptedEngine(TINY, "あ"), TINY, "tiny")) as address:
        place = urlsplit(address)
        assert place.hostname and place.port
        busy = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        busy.request("GET", "/health")
        assert busy.getresponse().read()
        crowd = [socket.create_connection((place.hostname, place.port), timeout=60) for _ in range(100)]
        start = time.monotonic()
        for _ in range(3):
            late = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
            late.request("GET", "/health")
            assert late.getresponse().status == 200
            late.close()
        assert time.monotonic() - start < connections.HEAD_SECONDS / 2
        for oldest in crowd[:80]:
            with contextlib.suppress(ConnectionResetError):
                assert oldest.recv(1) == b"", "the server has closed it"
        for one in crowd:
            one.close()
        busy.close()


def test_one_address_cannot_take_the_connections_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_OF_ADDRESS", 4)
    app = create_app(ScriptedEngine(TINY, "あ"), TINY, "tiny")
    for proxies in (frozenset[str](), frozenset({"127.0.0.2"})):
        with running(app, proxies=proxies) as address:
            place = ("127.0.0.1", urlsplit(address).port or 0)
            other = socket.create_connection(place, 60, source_address=("127.0.0.3", 0))
            crowd = [socket.create_connection(place, 60, source_address=("127.0.0.2", 0)) for _ in range(30)]
            assert asked(other).startswith(b"HTTP/1.1 200"), "it was silent longest, and is none of the crowd"
            assert asked(crowd[-1]).startswith(b"HTTP/1.1 200")
            first = [asked(one) for one in crowd[:20]]
            assert all(answer.startswith(b"HTTP/1.1 200") for answer in first) if proxies else not any(first)
            for one in (other, *crowd):
                one.close()


def asked(connection: socket.socket) -> bytes:
    """The beginning of an answer; nothing from a connection that was closed."""
    with contextlib.suppress(OSError):
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection.recv(100)
    return b""


def test_the_limit_leaves_descriptors_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((1024, 448), (512, 192), (100, 8), (-1, 448)):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: (files, files))
        assert connections.most_connections() == most
