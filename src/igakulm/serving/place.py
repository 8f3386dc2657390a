"""Under which names a server is reached: its own address, and the public one that a reverse proxy has.

Does: read `--public-url`; say which hosts and origins a request may carry, and whose word on the client's address is
believed. Does not: open sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from igakulm.errors import InputError
from igakulm.serving.guards import LOOPBACK_NAMES, is_loopback
from igakulm.serving.visitor import as_number

LOOPBACK_ADDRESSES = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is reached.

    Attributes:
        hosts: names that a Host header may carry; None = any.
        origins: of pages that may ask, beside pages of the request's own host.
        proxies: addresses whose X-Forwarded-For is believed.
    """

    hosts: frozenset[str] | None = LOOPBACK_NAMES
    origins: frozenset[str] = frozenset()
    proxies: frozenset[str] = frozenset()


def place_of(host: str, public_url: str | None = None, proxies: tuple[str, ...] = ()) -> Place:
    """The place of a server bound to `host`.

    Args:
        host: address that is bound.
        public_url: what clients write, such as https://ai.hospital.example; None = they come directly.
        proxies: numeric addresses of the reverse proxy; none = this machine.

    >>> sorted(place_of("127.0.0.1", "https://AI.hospital.example:443").origins)
    ['https://ai.hospital.example']
    >>> "ai.hospital.example" in (place_of("127.0.0.1", "https://ai.hospital.example").hosts or ())
    True

    Raises:
        InputError: no such URL, no such address, proxies without a URL.
    """
    own = LOOPBACK_NAMES | {host.lower()}
    if public_url is None:
        if proxies:
            raise InputError("a proxy has an address that clients write", where="--proxy", hint="add --public-url")
        return Place(hosts=own if is_loopback(host) else None)
    name, origin = _read(public_url)
    numbers = []
    for proxy in proxies:
        numbers.append(as_number(proxy))
        if not numbers[-1]:
            raise InputError("this is no numeric address", where=f"--proxy {proxy}", hint="for example 10.0.0.5")
    return Place(own | {name}, frozenset({origin}), frozenset(numbers) or LOOPBACK_ADDRESSES)


def _read(url: str) -> tuple[str, str]:
    """Host name and origin (scheme, host, port unless it is the scheme's own)."""
    hint = "for example https://ai.hospital.example"
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InputError("this is no URL", where=f"--public-url {url}", hint=hint) from error
    if parts.scheme not in ("http", "https") or not name or parts.username is not None:
        raise InputError("the public address is an http or https URL", where=f"--public-url {url}", hint=hint)
    if parts.path.strip("/") or parts.query or parts.fragment:
        what = "the server lies at the root of its host name; a path before it is not possible"
        raise InputError(what, where=f"--public-url {url}", hint="give it a host name of its own")
    own_port = {"http": 80, "https": 443}[parts.scheme]
    shown = f"[{name}]" if ":" in name else name
    return name, f"{parts.scheme}://{shown}" + ("" if port in (None, own_port) else f":{port}")
