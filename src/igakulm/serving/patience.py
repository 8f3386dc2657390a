"""The HTTP protocol with an end to its patience: a connection that brings no whole request head is closed.

Does: close connections that open and say nothing, or say it a byte at a time; of more connections than the process
has descriptors for, close the one that has been silent longest, so that a crowd of idle ones makes nobody else wait.
Does not: time bodies (room.py) or answers (answer.py); idle connections between requests have uvicorn's own limit.
"""

from __future__ import annotations

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""From the first byte of a request, or the opening of a connection, to the end of its headers."""

ACCEPTED_AT_ONCE = 64
"""Connections that the event loop takes before it looks at the first of them."""
MOST_CONNECTIONS = 448
OTHER_FILES = 5 * ACCEPTED_AT_ONCE
"""Descriptors that are left for connections being accepted or closed, for files, logs and an engine's pipes."""


def most_connections() -> int:
    """How many may be open: 448, or fewer where the process may open few files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_CONNECTIONS if files < 0 else max(8, min(MOST_CONNECTIONS, files - OTHER_FILES))


class PatientProtocol(H11Protocol):
    """uvicorn's protocol in pure Python, which reads HTTP strictly, with a limit of time for the head of a request."""

    _limit: asyncio.TimerHandle | None = None
    _heard = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._begin()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        super().data_received(data)
        if self._answering:
            self._end()
        elif self._limit is None:
            self._begin()

    def _make_room(self) -> None:
        opened = [
            one for one in self.connections if isinstance(one, PatientProtocol) and not one.transport.is_closing()
        ]
        if len(opened) > most_connections():
            silent = [one for one in opened if one is not self and not one._answering]
            min(silent, key=lambda one: one._heard, default=self).transport.abort()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _begin(self) -> None:
        self._limit = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _give_up(self) -> None:
        self._limit = None
        if not self._answering and not self.transport.is_closing():
            self.transport.close()
