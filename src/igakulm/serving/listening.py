"""Sockets of a server: an address, uvicorn's settings for it, and TLS.

Does: bind; refuse what uvicorn would do by default (logs of addresses, trust in forwarding headers); do the TLS
handshake where connections are already counted and timed. Does not: make certificates, or know routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.serving.connections import ACCEPTED_AT_ONCE, HEAD_SECONDS, Connection, TimedProtocol, make_room

MOST_REQUESTS = 512
"""At once on the connections that connections.py lets be open."""


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address, not listening yet.

    Raises:
        InputError: the address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named, asyncio sends each piece at once (TCP_NODELAY); else the second waits for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"this address cannot be opened: {error}", where=f"{host}:{port}", hint="choose another --port"
        ) from error
    return listener


def server_settings(
    app: ASGIApp, tls: ssl.SSLContext | None = None, proxies: frozenset[str] = frozenset()
) -> uvicorn.Config:
    """How uvicorn runs: no log of addresses, no trust in forwarding headers, limits for connections that do nothing."""
    protocol = functools.partial(TimedProtocol if tls is None else functools.partial(TlsDoor, tls), proxies=proxies)
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", protocol),
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        limit_concurrency=MOST_REQUESTS,
        backlog=ACCEPTED_AT_ONCE,
        timeout_keep_alive=10,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=5,
    )


class Certificate:
    """A certificate and its key; the context of TLS 1.2 and later that shows them.

    Raises:
        InputError: a file that cannot be read, no certificate, a key that is encrypted or belongs to another one.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.read()

    def read(self) -> None:
        """Read both files again: connections that come later see the new certificate.

        Raises:
            InputError: see the class; the old certificate stays.
        """
        _load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), *self._files)  # tried, as half a change would stay
        _load(self.context, *self._files)


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise explain_os_error(error, path) from error

    def password() -> str:
        raise InputError("this key is encrypted", where=str(key), hint="openssl pkey -in KEY -out PLAIN; chmod 600")

    try:
        context.load_cert_chain(certificate, key, password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", "") or str(error)
        hint = "the certificate, its chain after it, and its key, each in PEM"
        raise InputError(f"TLS cannot use these: {reason}", where=f"{certificate}, {key}", hint=hint) from error


class TlsDoor(asyncio.Protocol, Connection):
    """A connection until its TLS handshake is done; it is counted from its first moment, as plain ones are.

    Args:
        context: shows the certificate.
        config: of uvicorn; `server_state` and `more` are those of its protocols.
        proxies: addresses of reverse proxies.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        config: uvicorn.Config,
        server_state: Any,
        proxies: frozenset[str] = frozenset(),
        **more: Any,
    ) -> None:
        self._context, self._connections, self._proxies = context, server_state.connections, proxies
        self._inner = TimedProtocol(config=config, server_state=server_state, proxies=proxies, **more)
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()  # the first bytes are for TLS
        self.opened(transport, asyncio.get_running_loop().time(), self._proxies)
        self._connections.add(self)
        make_room(self._connections, self)
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(transport))

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        loop, secured = asyncio.get_running_loop(), None
        try:
            with contextlib.suppress(OSError, ConnectionError):
                secured = await loop.start_tls(
                    transport, self._inner, self._context, server_side=True, ssl_handshake_timeout=HEAD_SECONDS
                )
        finally:
            self._connections.discard(self)
            if secured is None:
                transport.abort()
        if secured is not None:
            self._inner.secured(secured)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def shutdown(self) -> None:
        """End it: the server stops."""
        self.transport.abort()
