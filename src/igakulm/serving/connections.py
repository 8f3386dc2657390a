"""The HTTP protocol with an end to its patience: a connection that brings no whole request head is closed.

Does: close connections that open and say nothing, or say it a byte at a time; of more connections than the process
has descriptors for, or than one address may have, close the one that has been silent longest, so that a crowd of idle
ones makes nobody else wait. Does not: time bodies (dispatcher.py) or answers (answer.py); idle connections between
requests have uvicorn's own limit.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Container, Iterable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""From the first byte of a request, or the opening of a connection, to the end of its headers."""

ACCEPTED_AT_ONCE = 64
"""Connections that the event loop takes before it looks at the first of them."""
MOST_CONNECTIONS = 448
MOST_OF_ADDRESS = 64
"""Connections of one address, but for this machine and a reverse proxy, through which all clients come."""
OTHER_FILES = 5 * ACCEPTED_AT_ONCE
"""Descriptors that are left for connections being accepted or closed, for files, logs and an engine's pipes."""
THIS_MACHINE = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1", ""})


def most_connections() -> int:
    """How many may be open: 448, or fewer where the process may open few files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_CONNECTIONS if files < 0 else max(8, min(MOST_CONNECTIONS, files - OTHER_FILES))


class Connection:
    """What is known of a connection, whatever it speaks."""

    transport: asyncio.Transport
    heard = 0.0
    address = ""
    has_limit = True

    def opened(self, transport: asyncio.Transport, now: float, proxies: Container[str]) -> None:
        """Note where it comes from, and when; addresses of `proxies` have no limit of their own."""
        self.transport, self.heard = transport, now
        name = transport.get_extra_info("peername")
        self.address = str(name[0]) if isinstance(name, tuple) and name else ""
        self.has_limit = self.address not in THIS_MACHINE and self.address not in proxies

    @property
    def answering(self) -> bool:
        """Whether a request of it is being answered."""
        return False


def make_room(connections: Iterable[object], newcomer: Connection) -> None:
    """Close the connection that has been silent longest where there are too many, of all or of one address."""
    opened = [one for one in connections if isinstance(one, Connection) and not one.transport.is_closing()]
    alike = [one for one in opened if one.address == newcomer.address]
    if newcomer.has_limit and len(alike) > MOST_OF_ADDRESS:
        _close_one(alike, newcomer)
    elif len(opened) > most_connections():
        _close_one(opened, newcomer)


def _close_one(among: Iterable[Connection], newcomer: Connection) -> None:
    silent = [one for one in among if one is not newcomer and not one.answering]
    min(silent, key=lambda one: one.heard, default=newcomer).transport.abort()


class TimedProtocol(H11Protocol, Connection):
    """uvicorn's protocol in pure Python, which reads HTTP strictly, with a limit of time for the head of a request.

    Args:
        args: of uvicorn, with `more`.
        proxies: addresses of reverse proxies.
    """

    _limit: asyncio.TimerHandle | None = None
    _early = b""
    _made = _lost = False

    def __init__(self, *args: Any, proxies: Container[str] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self._proxies = proxies

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._made = True
        self.opened(transport, self.loop.time(), self._proxies)
        self._begin()
        make_room(self.connections, self)

    def secured(self, transport: asyncio.Transport) -> None:
        """The connection is there, after a TLS handshake; its first bytes may have come before this call."""
        if self._lost:
            return
        self.connection_made(transport)
        if self._early:
            self.data_received(self._early)
            self._early = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self._lost = True
        if self._made:
            super().connection_lost(exc)

    def eof_received(self) -> None:
        if self._made:
            super().eof_received()

    def data_received(self, data: bytes) -> None:
        if not self._made:
            self._early += data
            return
        self.heard = self.loop.time()
        super().data_received(data)
        if self.answering:
            self._end()
        elif self._limit is None:
            self._begin()

    @property
    def answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _begin(self) -> None:
        self._limit = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _give_up(self) -> None:
        self._limit = None
        if not self.answering and not self.transport.is_closing():
            self.transport.close()
