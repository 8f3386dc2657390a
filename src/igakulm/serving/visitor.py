"""Who asks: the owner of the key and the address that a request came from.

Does: find the client's address behind a reverse proxy, carry both through a request. Does not: decide what is allowed.
Source: RFC 7239, section 8.1: what a client wrote into a forwarding header is worth nothing; only what a known proxy
added, counted from the right, is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from starlette.types import Scope

from igakulm.serving.keys import Owner

_PLACE = "igakulm.visitor"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        address: as a number; empty where there is none (a Unix socket).
        owner: of the key; None = no key is asked for, or for this path.
    """

    address: str = ""
    owner: Owner | None = None

    @property
    def name(self) -> str:
        """Name of the key; empty without one."""
        return self.owner.name if self.owner else ""

    def may(self, task: str) -> bool:
        """Whether the key is for this task, `chat` or `completions`."""
        return self.owner is None or self.owner.may(task)


def remember(scope: Scope, visitor: Visitor) -> None:
    """Keep who asks with the request."""
    scope[_PLACE] = visitor


def visitor_of(scope: Scope) -> Visitor:
    """Who asks, as it was remembered."""
    found = scope.get(_PLACE)
    return found if isinstance(found, Visitor) else Visitor(peer(scope))


def peer(scope: Scope) -> str:
    """Address of the other end of the connection, as a number; empty where there is none."""
    client = scope.get("client")
    return as_number(str(client[0])) if client else ""


def client_address(scope: Scope, forwarded: str, proxies: Collection[str]) -> str:
    """The address of the client.

    Args:
        scope: of the request.
        forwarded: its headers X-Forwarded-For, joined by commas.
        proxies: addresses whose word is believed.

    >>> scope = {"client": ("127.0.0.1", 1)}
    >>> client_address(scope, "6.6.6.6, 10.0.0.7", ["127.0.0.1"]), client_address(scope, "6.6.6.6", [])
    ('10.0.0.7', '127.0.0.1')
    >>> client_address(scope, "nonsense", ["127.0.0.1"])
    '127.0.0.1'
    """
    address = peer(scope)
    for part in reversed(forwarded.split(",")):
        if address not in proxies:
            break
        found = as_number(part.strip())
        if not found:
            break
        address = found
    return address


def as_number(text: str) -> str:
    """An address in one form (an IPv4 address inside IPv6 as IPv4); empty if it is none.

    >>> as_number("::ffff:10.0.0.7"), as_number("[::1]"), as_number("a")
    ('10.0.0.7', '', '')
    """
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    inner = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(inner or found)
