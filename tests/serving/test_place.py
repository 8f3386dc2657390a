"""Public names: which hosts and origins are let in, and whose word on an address is believed."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from igakulm.errors import InputError
from igakulm.inference.model import Model
from igakulm.serving.guards import check_address
from igakulm.serving.keys import Keys
from igakulm.serving.place import place_of
from igakulm.serving.server import Options, app_of
from igakulm.serving.visitor import client_address
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
KEY = "0123456789abcdef"
CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "熱"}]}


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("ai.hospital.example", "https://ai.hospital.example", 200),
        ("127.0.0.1:8765", "https://ai.hospital.example", 200),  # nginx as it is: its own address as the host
        ("127.0.0.1:8765", None, 200),
        ("ai.hospital.example", "https://evil.example", 403),
        ("127.0.0.1:8765", "https://evil.example", 403),
        ("127.0.0.1:8765", "http://ai.hospital.example", 403),  # a page that came without TLS
        ("127.0.0.1:8765", "https://ai.hospital.example:8443", 403),
        ("127.0.0.1:8765", "https://ai.hospital.example.evil.example", 403),
        ("evil.example", "https://evil.example", 421),
        ("evil.example", None, 421),
    ],
)
def test_hosts_and_origins(host: str, origin: str | None, status: int) -> None:
    place = place_of("127.0.0.1", "https://ai.hospital.example")
    app = app_of(Model(ScriptedEngine(TINY, "はい"), TINY, "tiny", "x"), Options(Keys(KEY), place))
    headers = {"host": host, "authorization": f"Bearer {KEY}"} | ({"origin": origin} if origin else {})
    assert TestClient(app).post(CHAT, json=ASK, headers=headers).status_code == status


def test_a_public_address_needs_a_key() -> None:
    check_address("127.0.0.1", KEY, public_url="https://ai.hospital.example")
    with pytest.raises(InputError, match="without a key"):
        check_address("127.0.0.1", None, public_url="https://ai.hospital.example")


@pytest.mark.parametrize(
    "url",
    ["ai.hospital.example", "ftp://a.example", "https://", "https://a.example/llm", "https://a.example?x", "http://["],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InputError):
        place_of("127.0.0.1", url)


def test_proxies_are_addresses() -> None:
    assert place_of("0.0.0.0", "https://a.example", ("10.0.0.5",)).proxies == {"10.0.0.5"}
    for url, proxies in ((None, ("10.0.0.5",)), ("https://a.example", ("proxy.example",))):
        with pytest.raises(InputError):
            place_of("0.0.0.0", url, proxies)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "10.1.1.1", "10.1.1.1"),
        ("10.0.0.5", "6.6.6.6, 10.1.1.1", "10.1.1.1"),  # the client wrote the first
        ("10.0.0.5", "6.6.6.6, 10.1.1.1, 10.0.0.5", "10.1.1.1"),  # two proxies
        ("10.0.0.5", "10.1.1.1, <script>", "10.0.0.5"),
        ("10.9.9.9", "10.1.1.1", "10.9.9.9"),  # no proxy of ours
        ("::ffff:10.0.0.5", "10.1.1.1", "10.1.1.1"),
    ],
)
def test_client_addresses(peer: str, forwarded: str, address: str) -> None:
    assert client_address({"client": (peer, 1)}, forwarded, {"10.0.0.5"}) == address
