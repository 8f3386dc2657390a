"""Addresses and keys."""

import pytest

from igakulm.errors import InputError
from igakulm.serving.guards import check_address, host_name

KEY = "0123456789abcdef"


def test_a_network_needs_a_key() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        check_address(host, None)
    for host in ("0.0.0.0", "::", "192.168.0.5", "ward-pc", "", "127.0.0.1.example.org"):
        check_address(host, KEY)
        with pytest.raises(InputError, match="other machines"):
            check_address(host, None)
    for key in ("", "short", "0123456789abcde"):
        with pytest.raises(InputError, match="shorter than 16"):
            check_address("127.0.0.1", key)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("127.0.0.1:80", "127.0.0.1"),
        ("evil.example:8765", "evil.example"),
        ("127.0.0.1@evil.example", "evil.example"),
        ("evil.example/127.0.0.1", "evil.example"),
        ("", ""),
        ("[::1", ""),
    ],
)
def test_host_names(header: str, name: str) -> None:
    assert host_name(header) == name
